//! Side by side: every client runs a cell once per round, in an order that rotates, so that whatever else the machine
//! does in the meantime affects all of them alike. Comparisons are within a round; the median over rounds is reported.

use std::time::Duration;

use serde::Serialize;

use crate::args::Bench;
use crate::cell::{self, Cell};
use crate::failure::Failure;
use crate::keyspace::Keyspace;
use crate::machine::{self, Machine};
use crate::record::{Entry, Records};
use crate::run::{Measurement, Plan, Window};
use crate::subjects::{Kind, Settings};
use crate::table;
use crate::target::{Servers, Target};

/// How much to measure.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Extent {
    Quick,
    Full,
}

impl Extent {
    fn cells(self) -> Vec<Cell> {
        match self {
            Self::Quick => cell::quick(),
            Self::Full => cell::full(),
        }
    }

    const fn rounds(self) -> usize {
        match self {
            Self::Quick => 3,
            Self::Full => 5,
        }
    }

    const fn window(self) -> Duration {
        match self {
            Self::Quick => Duration::from_millis(350),
            Self::Full => Duration::from_millis(500),
        }
    }
}

/// The deadline of `--same-deadline`.
const DEADLINE: Duration = Duration::from_secs(5);

#[derive(Serialize)]
struct Record<'a> {
    kind: &'static str,
    date: String,
    machine: &'a Machine,
    load: &'a str,
    cell: String,
    round: usize,
    client: Kind,
    same_deadline: bool,
    measurement: Option<&'a Measurement>,
    error: Option<String>,
}

/// Runs the cells and prints a table for each.
pub(crate) fn run(extent: Extent, options: &Bench) -> Result<(), Failure> {
    let cells = if options.all_cells { cell::all() } else { extent.cells() };
    let cells: Vec<_> = cells
        .into_iter()
        .filter(|cell| options.filter.as_ref().is_none_or(|words| cell.matches(words)))
        .collect();
    if options.list {
        cells.iter().for_each(|cell| println!("{cell}"));
        return Ok(());
    }
    if cells.is_empty() {
        return Err(Failure::new("no cell matches the filter; --list shows them"));
    }
    let mut records = Records::open(&options.results)?;
    let mut site_cells = cells.as_slice();
    let mut introduced = false;
    while let Some(first) = site_cells.first() {
        let count = site_cells.iter().take_while(|cell| cell.site == first.site).count();
        let servers = Servers::start(first.site)?;
        let machine = servers.runtime.block_on(Machine::look(&servers.lab));
        if !std::mem::replace(&mut introduced, true) {
            table::print_machine(&machine);
        }
        for cell in &site_cells[..count] {
            let entries = rounds(cell, extent, options, &servers, &machine, &mut records)?;
            table::print_cell(cell, &entries);
        }
        site_cells = &site_cells[count..];
    }
    println!("\nEvery run is in {}.", records.path.display());
    Ok(())
}

fn rounds(
    cell: &Cell,
    extent: Extent,
    options: &Bench,
    servers: &Servers,
    machine: &Machine,
    records: &mut Records,
) -> Result<Vec<Entry>, Failure> {
    let plan = plan(cell, servers, extent.window(), options.same_deadline)?;
    let clients = clients(options, cell);
    let mut entries = Vec::new();
    for round in 0..options.rounds.unwrap_or_else(|| extent.rounds()) {
        for turn in 0..clients.len() {
            let client = clients[(round + turn) % clients.len()];
            let load = machine::load();
            let outcome = plan.run(client);
            records.write(&Record {
                kind: "run",
                date: machine::today(),
                machine,
                load: &load,
                cell: cell.to_string(),
                round,
                client,
                same_deadline: options.same_deadline,
                measurement: outcome.as_ref().ok(),
                error: outcome.as_ref().err().map(Failure::to_string),
            })?;
            entries.push(Entry { client, round, outcome });
        }
    }
    Ok(entries)
}

/// What the runs of a cell share.
pub(crate) fn plan(
    cell: &Cell,
    servers: &Servers,
    window: Duration,
    same_deadline: bool,
) -> Result<Plan, Failure> {
    let target = Target::of(&servers.lab, cell.site.shards > 1)?;
    let keyspace = servers.runtime.block_on(Keyspace::fill(&target, cell.workload))?;
    Ok(Plan {
        cell: *cell,
        target,
        keyspace,
        settings: Settings { deadline: same_deadline.then_some(DEADLINE), connect: None },
        window: Window::of(cell, window),
        servers: servers.processes(),
    })
}

/// truename first: every ratio is to it.
fn clients(options: &Bench, cell: &Cell) -> Vec<Kind> {
    let wanted = |client: &Kind| {
        *client == Kind::Truename || options.clients.is_empty() || options.clients.contains(client)
    };
    let able = |client: &Kind| (!cell.site.tls || client.speaks_tls()) && client.does(cell.workload);
    let has_row = |client: &Kind| {
        *client != Kind::TruenameRedis || options.clients.contains(client) || cell.shows_adapter()
    };
    Kind::ALL.into_iter().filter(|client| wanted(client) && able(client) && has_row(client)).collect()
}
