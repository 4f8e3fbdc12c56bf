//! The same clients while nodes fail: each client in turn on a fresh cluster, the same load, the same fault.
//!
//! - `fault`: what is done to the servers
//! - `load`: workers on keys of their own; [`truename_lab::history`] says what replies give away about losses, duplicates
//!   and mix-ups
//! - `report`: from calls to numbers

mod fault;
mod load;
mod report;

use std::time::Duration;

use serde::Serialize;
use tokio::time::sleep;
use truename::topology::SlotMap;
use truename_lab::Lab;

pub(crate) use fault::Fault;

use self::load::{Load, Place};
use self::report::Report;
use crate::args::Recovery;
use crate::cell::Runtime;
use crate::failure::Failure;
use crate::keyspace::bystander;
use crate::machine::{self, Machine};
use crate::record::Records;
use crate::subjects::{Fred, Kind, RedisRs, Rustis, Settings, Subject, Truename, TruenameRedis};
use crate::target::{Key, Servers, Target};
use crate::{run, table};

const SHARDS: usize = 3;
const WORKERS_PER_SHARD: usize = 16;
/// Every client is told to give up on a call, or on connecting to a node, after this.
const TIMEOUT: Duration = Duration::from_secs(2);
/// Service before the fault, to compare with.
const BASELINE: Duration = Duration::from_secs(2);
/// A client that was well for this long has recovered.
const WELL: Duration = Duration::from_secs(3);
/// Then it did not recover.
const CAP: Duration = Duration::from_secs(40);

#[derive(Serialize)]
struct Record<'a> {
    kind: &'static str,
    date: String,
    machine: &'a Machine,
    load: String,
    fault: Fault,
    client: Kind,
    report: Option<&'a Report>,
    error: Option<String>,
}

/// Runs every fault against every client and prints a table for each fault.
pub(crate) fn run(options: &Recovery) -> Result<(), Failure> {
    let faults = if options.faults.is_empty() { Fault::ALL.to_vec() } else { options.faults.clone() };
    // The adapter recovers as the client below it does.
    let is_wanted = |client: &Kind| match options.clients.is_empty() {
        true => *client != Kind::TruenameRedis,
        false => options.clients.contains(client),
    };
    let clients = Kind::ALL.into_iter().filter(|client| *client != Kind::Raw && is_wanted(client));
    let clients: Vec<_> = clients.collect();
    let mut records = Records::open(&options.results)?;
    for (at, fault) in faults.into_iter().enumerate() {
        let turns = clients.iter().flat_map(|client| std::iter::repeat_n(client, options.rounds));
        for (turn, client) in turns.enumerate() {
            let mut servers = Servers::launch(fault.lab())?;
            let machine = servers.runtime.block_on(Machine::look(&servers.lab));
            if turn == 0 {
                print_head(fault, (at == 0).then_some(&machine));
            }
            let outcome = suffer(fault, *client, &mut servers);
            print(*client, &outcome);
            records.write(&Record {
                kind: "recovery",
                date: machine::today(),
                machine: &machine,
                load: machine::load(),
                fault,
                client: *client,
                report: outcome.as_ref().ok(),
                error: outcome.as_ref().err().map(Failure::to_string),
            })?;
        }
    }
    println!("\nEvery run is in {}.", records.path.display());
    Ok(())
}

fn print_head(fault: Fault, machine: Option<&Machine>) {
    if let Some(machine) = machine {
        table::print_machine(machine);
    }
    println!("\n### {}\n", fault.name());
    println!(
        "| client | recovered s | servers ready s | failed | duplicates | wrong | lost | longest ms | others succeeded | others p99 ms (before) |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|");
}

fn print(client: Kind, outcome: &Result<Report, Failure>) {
    match outcome {
        Ok(report) => {
            println!("| {} | {} |", client.name(), report.columns().join(" | "));
            for text in report.evidence.iter().chain(&report.failures).take(4) {
                println!("| | {} |", text.replace(['\n', '|'], " "));
            }
        }
        Err(failure) => println!("| {} | {failure} |", client.name()),
    }
}

/// The client has a runtime of its own, the lab lives on another.
fn suffer(fault: Fault, client: Kind, servers: &mut Servers) -> Result<Report, Failure> {
    let runtime = run::build(Runtime::MultiThread)?;
    let lab = &mut servers.lab;
    let lab_runtime = servers.runtime.handle();
    let outcome = runtime.block_on(async {
        match client {
            Kind::Truename => observe::<Truename>(fault, lab, lab_runtime).await,
            Kind::TruenameRedis => observe::<TruenameRedis>(fault, lab, lab_runtime).await,
            Kind::Redis => observe::<RedisRs>(fault, lab, lab_runtime).await,
            Kind::Fred => observe::<Fred>(fault, lab, lab_runtime).await,
            Kind::RedisSync => Err(Failure::new("redis-sync has no part in this")),
            Kind::Rustis => observe::<Rustis>(fault, lab, lab_runtime).await,
            Kind::Raw => Err(Failure::new("the floor does not recover from anything")),
        }
    });
    runtime.shutdown_timeout(Duration::from_secs(1));
    outcome
}

async fn observe<S: Subject>(
    fault: Fault,
    lab: &mut Lab,
    lab_runtime: &tokio::runtime::Handle,
) -> Result<Report, Failure> {
    let target = Target::of(lab, true)?;
    let map = bystander(&target).await?.topology();
    let places = places(&map, &target)?;
    let keys: Vec<_> = hurt_keys(fault, &places);
    let settings = Settings { deadline: Some(TIMEOUT), connect: Some(TIMEOUT) };
    let subject = tokio::time::timeout(CAP, S::connect(&target, &settings)).await??;
    let load = Load::start(&subject, places);
    sleep(BASELINE).await;
    if !fault.meets_client(lab) {
        return Err(Failure::new("does not dial the announced endpoints, and so goes past the fault"));
    }
    let began = load.elapsed();
    tokio::task::block_in_place(|| lab_runtime.block_on(fault.inflict(lab, &keys)))?;
    let servers_ready = load.elapsed() - began;
    while load.elapsed() < began + CAP
        && !(load.elapsed() > began + servers_ready + WELL && load.is_well_for(WELL))
    {
        sleep(Duration::from_millis(50)).await;
    }
    let end = load.elapsed();
    let history = load.finish().await;
    Ok(Report::of(history, |shard| fault.hurts(shard), began, servers_ready, end))
}

/// The same number of workers on every shard.
fn places(map: &SlotMap, target: &Target) -> Result<Vec<Place>, Failure> {
    let mut places: Vec<Place> = Vec::new();
    let mut number = 0_u32;
    while places.len() < SHARDS * WORKERS_PER_SHARD {
        number += 1;
        let key = |suffix: &str| Key::new(format!("{{w{number}}}:{suffix}"), map, target);
        let (counter, value) = (key("count")?, key("value")?);
        let shard = counter.shard;
        if places.iter().filter(|place| place.shard == shard).count() < WORKERS_PER_SHARD {
            places.push(Place { shard, counter, value });
        }
    }
    Ok(places)
}

fn hurt_keys(fault: Fault, places: &[Place]) -> Vec<String> {
    let hurt = places.iter().filter(|place| fault.hurts(place.shard));
    hurt.map(|place| place.counter.text.to_string()).collect()
}
