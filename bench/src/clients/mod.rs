//! Clients of other languages beside truename: each a program of its own, one after the other against the same servers.
//!
//! - `roster`: who takes part; `cell`: what is measured
//! - `toolchain`: programs are built; `child`: one of them runs; `own`: truename as such a program
//! - `report`: from lines to tables
//!
//! What stays true: the program under test measures itself, truename like all others; a toolchain that is not installed is a
//! row that says so, and everything else that has no number is a failure.

mod cell;
mod child;
pub(crate) mod own;
mod report;
mod roster;
mod toolchain;

use std::collections::{HashMap, HashSet};
use std::env;
use std::time::Duration;

use serde::Serialize;

use self::cell::Cell;
pub(crate) use self::cell::Reads;
use self::child::Line;
use self::report::{Entries, Entry, Missing};
pub(crate) use self::roster::Contestant;
use self::roster::Language;
use self::toolchain::Program;
use crate::args::Clients;
use crate::cell::{Site, Workload};
use crate::failure::Failure;
use crate::keyspace::Keyspace;
use crate::machine::{self, Machine};
use crate::record::Records;
use crate::target::{Servers, Target};

const SHARDS: usize = 3;

#[derive(Serialize)]
struct Record<'a> {
    kind: &'static str,
    date: String,
    machine: &'a Machine,
    load: &'a str,
    cell: String,
    round: usize,
    client: Contestant,
    warm_up: f64,
    window: f64,
    measurement: Option<&'a Line>,
    error: Option<String>,
}

/// What does not change from run to run.
struct Setting<'a> {
    programs: &'a Programs,
    contestants: Vec<Contestant>,
    missing: Vec<Missing>,
    rounds: usize,
    window: Duration,
}

/// The program of every language that is asked for; that of truename, which is this one, has none.
struct Programs(HashMap<Option<Language>, Program>);

impl Programs {
    fn of(&self, contestant: Contestant) -> &Program {
        &self.0[&contestant.language()]
    }
}

/// Runs the cells and prints a table for each.
pub(crate) fn run(options: &Clients) -> Result<(), Failure> {
    let cells = cells(options)?;
    if options.list {
        cells.iter().for_each(|cell| println!("{cell}"));
        return Ok(());
    }
    let wanted = contestants(options);
    let programs = programs(&wanted)?;
    let mut missing = Vec::new();
    let mut contestants = Vec::new();
    for contestant in wanted {
        match programs.of(contestant) {
            Program::Missing(reason) => missing.push((contestant, reason.clone())),
            Program::Built(_) | Program::Failed(_) => contestants.push(contestant),
        }
    }
    if contestants.iter().all(|contestant| contestant.language().is_none()) {
        let reasons: HashSet<_> = missing.iter().map(|(_, reason)| reason.as_str()).collect();
        let reasons: Vec<_> = reasons.into_iter().collect();
        return Err(Failure::new(format!("no client to compare with: {}", reasons.join("; "))));
    }
    let setting = Setting {
        programs: &programs,
        contestants,
        missing,
        rounds: options.rounds.unwrap_or(if options.quick { 1 } else { 3 }),
        window: Duration::from_secs_f64(options.window.unwrap_or(if options.quick { 1.0 } else { 2.0 })),
    };
    let entries = compare(&cells, &setting, &mut Records::open(&options.results)?)?;
    report::print_summary(&cells, &setting.contestants, &setting.missing, &entries);
    // Numbers decide nothing here, only whether there are any.
    let absent = entries.without_a_number();
    if absent.is_empty() {
        return Ok(());
    }
    Err(Failure::new(format!("no number of {}; the tables say why", absent.join(", "))))
}

fn cells(options: &Clients) -> Result<Vec<Cell>, Failure> {
    let is_chosen = |cell: &Cell| match (options.all_cells, options.quick) {
        (true, _) => true,
        (false, true) => cell.is_in_quick(),
        (false, false) => cell.is_in_full(),
    };
    let cells = cell::all().into_iter().filter(is_chosen);
    let is_wanted = |cell: &Cell| options.filter.as_ref().is_none_or(|words| cell.matches(words));
    let cells: Vec<_> = cells.filter(is_wanted).collect();
    if cells.is_empty() {
        return Err(Failure::new("no cell matches the filter; --list shows them"));
    }
    Ok(cells)
}

/// Both rows of truename are always among them: every ratio is to one of them.
fn contestants(options: &Clients) -> Vec<Contestant> {
    let is_wanted = |contestant: &Contestant| {
        contestant.language().is_none() || options.clients.is_empty() || options.clients.contains(contestant)
    };
    Contestant::ALL.into_iter().filter(is_wanted).collect()
}

/// Builds what is asked for, before anything is measured.
fn programs(contestants: &[Contestant]) -> Result<Programs, Failure> {
    let executable = env::current_exe()?.into_os_string().into_string();
    let executable = executable.map_err(|path| Failure::new(format!("{} is not UTF-8", path.display())))?;
    let own = Program::Built(vec![executable, "client".to_owned()]);
    let mut programs = HashMap::from([(None, own)]);
    for language in Language::ALL {
        if contestants.iter().any(|contestant| contestant.language() == Some(language)) {
            programs.insert(Some(language), toolchain::build(language));
        }
    }
    Ok(Programs(programs))
}

fn compare(cells: &[Cell], setting: &Setting<'_>, records: &mut Records) -> Result<Entries, Failure> {
    let mut entries = Entries::default();
    for tls in [false, true] {
        let of_site: Vec<_> = cells.iter().copied().filter(|cell| cell.tls == tls).collect();
        if of_site.is_empty() {
            continue;
        }
        let servers = Servers::start(Site { shards: SHARDS, tls })?;
        let target = Target::of(&servers.lab, true)?;
        for workload in [Workload::Get64, Workload::Pipeline100] {
            servers.runtime.block_on(Keyspace::fill(&target, workload))?;
        }
        let machine = servers.runtime.block_on(Machine::look(&servers.lab));
        report::print_head(&machine);
        for cell in of_site {
            rounds(cell, setting, &servers, &target, &machine, records, &mut entries)?;
            report::print_cell(cell, &setting.contestants, &setting.missing, &entries);
        }
    }
    println!("\nEvery run is in {}.", records.path.display());
    Ok(entries)
}

/// Every client once per round, in an order that rotates.
fn rounds(
    cell: Cell,
    setting: &Setting<'_>,
    servers: &Servers,
    target: &Target,
    machine: &Machine,
    records: &mut Records,
    entries: &mut Entries,
) -> Result<(), Failure> {
    let able: Vec<_> =
        setting.contestants.iter().copied().filter(|contestant| contestant.takes(cell.callers)).collect();
    for round in 0..setting.rounds {
        for turn in 0..able.len() {
            let contestant = able[(round + turn) % able.len()];
            eprintln!("clients: {cell}, round {} of {}: {contestant}", round + 1, setting.rounds);
            let load = machine::load();
            let outcome = once(contestant, cell, setting, servers, target);
            records.write(&Record {
                kind: "client",
                date: machine::today(),
                machine,
                load: &load,
                cell: cell.to_string(),
                round,
                client: contestant,
                warm_up: contestant.warm_up().as_secs_f64(),
                window: setting.window.as_secs_f64(),
                measurement: outcome.as_ref().ok(),
                error: outcome.as_ref().err().map(Failure::to_string),
            })?;
            entries.add(Entry { contestant, cell, round, outcome });
        }
    }
    Ok(())
}

fn once(
    contestant: Contestant,
    cell: Cell,
    setting: &Setting<'_>,
    servers: &Servers,
    target: &Target,
) -> Result<Line, Failure> {
    let program = match setting.programs.of(contestant) {
        Program::Built(program) => program,
        Program::Failed(failure) => return Err(failure.clone()),
        Program::Missing(reason) => return Err(Failure::new(reason.clone())),
    };
    let ca_path = servers.lab.ca_pem_path().and_then(|path| path.to_str());
    child::run(program, contestant, cell, target, ca_path, setting.window)
}
