//! Tables of results, in Markdown.

use std::fmt;

use crate::machine::{self, Machine};
use crate::record::Entry;
use crate::run::Measurement;
use crate::statistics::{Spread, short, shown};
use crate::subjects::Kind;

/// What every table was measured on.
pub(crate) fn print_machine(machine: &Machine) {
    let clients: Vec<_> = machine.clients.iter().map(|(name, version)| format!("{name} {version}")).collect();
    println!("{}: {}; server: {}", machine::today(), clients.join(", "), machine.server);
    println!(
        "{} x {}, Linux {}, load {}; medians over rounds [least-most]; µs are processor time per command",
        machine.processors,
        machine.processor,
        machine.kernel,
        machine::load()
    );
    if !Kind::Rustis.speaks_tls() {
        println!("rustis runs without TLS only (see bench/README.md)");
    }
}

/// One row per client. Ratios are to truename within the same round: above 1 is in truename's favour.
pub(crate) fn print_cell(cell: &impl fmt::Display, entries: &[Entry]) {
    println!("\n### {cell}\n");
    println!(
        "| client | client µs | ratio | server µs | ratio | k/s | allocs | bytes | p50 µs | p99 µs | p99.9 µs | fair | failed |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|---|---|");
    let mut clients: Vec<_> = entries.iter().map(|entry| entry.client).collect();
    clients.sort_by_key(|client| Kind::ALL.iter().position(|known| known == client));
    clients.dedup();
    for client in clients {
        println!("{}", row(client, entries));
        for failure in failures(client, entries) {
            println!("| | {failure} |");
        }
    }
}

fn row(client: Kind, entries: &[Entry]) -> String {
    let column = |of: fn(&Measurement) -> f64| {
        Spread::of(measured(client, entries).map(|(_, measurement)| of(measurement)))
            .map_or_else(|| "-".to_owned(), |spread| format!("{spread:#}"))
    };
    let spread = |of: fn(&Measurement) -> f64| {
        shown(measured(client, entries).map(|(_, measurement)| of(measurement)))
    };
    let columns = [
        client.name().to_owned(),
        spread(Measurement::client_us_per_command),
        ratio(client, entries, Measurement::client_us_per_command),
        column(Measurement::server_us_per_command),
        ratio(client, entries, Measurement::server_us_per_command),
        column(|measurement| measurement.commands_per_second() / 1000.0),
        column(Measurement::allocations_per_command),
        column(Measurement::bytes_per_command),
        column(|measurement| measurement.latency.p50),
        column(|measurement| measurement.latency.p99),
        column(|measurement| measurement.latency.p999),
        column(|measurement| measurement.fairness.unwrap_or(f64::NAN)),
        failed(client, entries),
    ];
    format!("| {} |", columns.join(" | "))
}

fn measured(client: Kind, entries: &[Entry]) -> impl Iterator<Item = (usize, &Measurement)> {
    let of_client = entries.iter().filter(move |entry| entry.client == client);
    of_client.filter_map(|entry| Some((entry.round, entry.outcome.as_ref().ok()?)))
}

/// The client's number over truename's, round by round.
fn ratio(client: Kind, entries: &[Entry], of: fn(&Measurement) -> f64) -> String {
    if client == Kind::Truename {
        return "1".to_owned();
    }
    let pairs = measured(client, entries).filter_map(|(round, theirs)| {
        let (_, ours) = measured(Kind::Truename, entries).find(|(other, _)| *other == round)?;
        Some(of(theirs) / of(ours))
    });
    shown(pairs)
}

/// The share of calls that failed in all rounds.
fn failed(client: Kind, entries: &[Entry]) -> String {
    let (failed, commands) = measured(client, entries)
        .fold((0, 0), |(failed, commands), (_, run)| (failed + run.failed, commands + run.commands));
    match (failed, commands) {
        (0, 0) => "all".to_owned(),
        (0, _) => "0".to_owned(),
        _ => format!("{failed} ({} %)", short(100.0 * failed as f64 / (failed + commands) as f64)),
    }
}

/// What went wrong, once per text.
fn failures(client: Kind, entries: &[Entry]) -> Vec<String> {
    let of_client = entries.iter().filter(|entry| entry.client == client);
    let mut texts: Vec<_> = of_client
        .filter_map(|entry| match &entry.outcome {
            Ok(measurement) => measurement.first_failure.clone(),
            Err(failure) => Some(failure.to_string()),
        })
        .map(|text| text.replace(['\n', '|'], " "))
        .collect();
    texts.dedup();
    texts
}
