//! Clients of other languages beside truename: each a program of its own, one after the other against the same servers.
//!
//! - `roster`: who takes part; `cell`: what is measured
//! - `toolchain`: programs are built; `child`: one of them runs; `process`: both are ended; `own`: truename as such a program
//! - `trust`: programs verify certificates; `report`: from lines to tables
//!
//! What stays true: the program under test measures itself, truename like all others; a toolchain that is not installed is a
//! row that says so; a row in which a run has no number or a call failed is flawed, and so is the whole comparison.

mod cell;
mod child;
pub(crate) mod own;
mod process;
mod report;
mod roster;
mod toolchain;
mod trust;

use std::collections::{HashMap, HashSet};
use std::env;
use std::time::Duration;

use serde::Serialize;

use self::cell::Cell;
pub(crate) use self::cell::Reads;
use self::child::{Job, Line};
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
    turn: usize,
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

impl Setting<'_> {
    /// Whoever has a program that can be run.
    fn built(&self) -> impl Iterator<Item = (Contestant, &[String])> {
        self.contestants.iter().filter_map(|contestant| match self.programs.of(*contestant) {
            Program::Built(program) => Some((*contestant, program.as_slice())),
            Program::Missing(_) | Program::Failed(_) => None,
        })
    }
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
    all_take_part(&options.clients, &cells)?;
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
        window: Duration::from_secs_f64(options.window.unwrap_or(if options.quick { 1.0 } else { 1.2 })),
    };
    let entries = compare(&cells, &setting, &mut Records::open(&options.results)?)?;
    report::print_summary(&cells, &setting.contestants, &setting.missing, &entries);
    // Numbers decide nothing here, only whether they are all there and stand for calls that all succeeded.
    let flaws = entries.flaws();
    if flaws.is_empty() {
        return Ok(());
    }
    Err(Failure::new(format!("flawed: {}; the tables say why", flaws.join(", "))))
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

/// Whoever is named has to be in a cell.
fn all_take_part(named: &[Contestant], cells: &[Cell]) -> Result<(), Failure> {
    match named.iter().find(|contestant| !cells.iter().any(|cell| contestant.takes(cell.callers))) {
        None => Ok(()),
        Some(absent) => Err(Failure::new(format!("{absent} takes part in none of the cells that are left"))),
    }
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
        let distrusted = if tls { trust::distrusted(setting.built(), &target)? } else { HashMap::new() };
        let place = Place { servers: &servers, target: &target, machine: &machine, distrusted };
        for cell in of_site {
            rounds(cell, setting, &place, records, &mut entries)?;
            report::print_cell(cell, &setting.contestants, &setting.missing, &entries);
        }
    }
    println!("\nEvery run is in {}.", records.path.display());
    Ok(entries)
}

/// The servers of some cells.
struct Place<'a> {
    servers: &'a Servers,
    target: &'a Target,
    machine: &'a Machine,
    /// Those who are not measured here, and why.
    distrusted: HashMap<Contestant, Failure>,
}

/// The order of one round: truename's rows at both ends, since every ratio is to them; the others forwards and backwards in
/// turn, so that nobody always runs behind the same one.
fn order(able: impl Iterator<Item = Contestant>, round: usize) -> Vec<Contestant> {
    let (ours, mut peers): (Vec<_>, Vec<_>) = able.partition(|contestant| contestant.language().is_none());
    if round % 2 == 1 {
        peers.reverse();
    }
    [ours.clone(), peers, ours.into_iter().rev().collect()].concat()
}

/// Every client in every round.
fn rounds(
    cell: Cell,
    setting: &Setting<'_>,
    place: &Place<'_>,
    records: &mut Records,
    entries: &mut Entries,
) -> Result<(), Failure> {
    for round in 0..setting.rounds {
        let able = setting.contestants.iter().copied().filter(|contestant| contestant.takes(cell.callers));
        for (turn, contestant) in order(able, round).into_iter().enumerate() {
            eprintln!("clients: {cell}, round {} of {}: {contestant}", round + 1, setting.rounds);
            let load = machine::load();
            let outcome = once(contestant, cell, setting, place);
            records.write(&Record {
                kind: "client",
                date: machine::today(),
                machine: place.machine,
                load: &load,
                cell: cell.to_string(),
                round,
                turn,
                client: contestant,
                warm_up: contestant.warm_up(cell.callers).as_secs_f64(),
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
    place: &Place<'_>,
) -> Result<Line, Failure> {
    if let Some(failure) = place.distrusted.get(&contestant) {
        return Err(failure.clone());
    }
    let program = match setting.programs.of(contestant) {
        Program::Built(program) => program,
        Program::Failed(failure) => return Err(failure.clone()),
        Program::Missing(reason) => return Err(Failure::new(reason.clone())),
    };
    let seed = place.target.seed()?;
    let ca = place.servers.lab.ca_pem_path();
    let warm_up = contestant.warm_up(cell.callers);
    child::run(program, Job { contestant, cell, seed, ca, warm_up, window: setting.window })
}

#[cfg(test)]
mod tests {
    use super::Contestant::{GoRedis, Lettuce, RedisPyThreads, Rueidis, TruenameCt, TruenameMt};
    use super::*;

    #[test]
    fn truename_is_at_both_ends_of_a_round_and_nobody_always_runs_behind_the_same() {
        let order = |round| order([TruenameCt, TruenameMt, Rueidis, GoRedis, Lettuce].into_iter(), round);
        let even = [TruenameCt, TruenameMt, Rueidis, GoRedis, Lettuce, TruenameMt, TruenameCt];
        let odd = [TruenameCt, TruenameMt, Lettuce, GoRedis, Rueidis, TruenameMt, TruenameCt];
        assert_eq!((order(0), order(1), order(2)), (even.to_vec(), odd.to_vec(), even.to_vec()));
    }

    #[test]
    fn whoever_is_named_has_to_be_in_a_cell() {
        let of = |callers| cell::all().into_iter().filter(|cell| cell.callers == callers).collect::<Vec<_>>();
        assert_eq!(all_take_part(&[RedisPyThreads, Rueidis], &of(64)), Ok(()));
        let failure = all_take_part(&[Rueidis, RedisPyThreads], &of(1024)).unwrap_err().to_string();
        assert!(failure.starts_with("redis-py-threads"), "{failure}");
    }
}
