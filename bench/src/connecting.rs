//! Connecting side by side: three shards with a replica each over TLS, from nothing to one GET answered by each shard.
//!
//! Every client gets the same certificate authority as the same text, and a runtime of its own. The time is that of the caller,
//! the processor time that of the whole process: handshakes that a client makes on threads of its own count. What a client
//! leaves for later, such as connections to replicas, does not.

use std::time::{Duration, Instant};

use serde::Serialize;
use truename_lab::{Lab, LabProfile};

use crate::args::Connecting;
use crate::cell::{Runtime, Workload};
use crate::failure::Failure;
use crate::keyspace::Keyspace;
use crate::machine::{self, Machine};
use crate::record::Records;
use crate::statistics::shown;
use crate::subjects::{Fred, Kind, RedisRs, Rustis, Settings, Subject, Truename};
use crate::target::{Key, Servers, Target};
use crate::{run, table, usage};

const SHARDS: usize = 3;
const PATIENCE: Duration = Duration::from_secs(15);

/// One client that connected once.
#[derive(Debug, Clone, Serialize)]
struct Measurement {
    client: Kind,
    round: usize,
    ms: f64,
    client_ms: f64,
    server_ms: f64,
}

#[derive(Serialize)]
struct Record<'a> {
    kind: &'static str,
    date: String,
    machine: &'a Machine,
    load: String,
    tls: bool,
    measurement: &'a Measurement,
}

/// What all of them are given.
struct Plan {
    target: Target,
    /// One for each shard.
    keys: Vec<Key>,
    servers: Vec<u32>,
}

/// Every client connects once per round, in an order that rotates.
pub(crate) fn run(options: &Connecting) -> Result<(), Failure> {
    let servers = Servers::launch(
        Lab::builder(LabProfile::Plain).shards(SHARDS).replicas(1).tls(!options.tcp).password(None),
    )?;
    let machine = servers.runtime.block_on(Machine::look(&servers.lab));
    table::print_machine(&machine);
    let target = Target::of(&servers.lab, true)?;
    let keyspace = servers.runtime.block_on(Keyspace::fill(&target, Workload::Get64))?;
    let of_shard = |shard| keyspace.keys.iter().find(|key| key.shard == shard).cloned();
    let keys = (0..SHARDS).map(of_shard).collect::<Option<_>>();
    let keys = keys.ok_or_else(|| Failure::new("a shard has no key"))?;
    let plan = Plan { target, keys, servers: servers.processes() };
    let clients: Vec<_> = [Kind::Truename, Kind::Redis, Kind::Fred, Kind::Rustis]
        .into_iter()
        .filter(|client| options.tcp || client.speaks_tls())
        .filter(|client| options.clients.is_empty() || options.clients.contains(client))
        .collect();
    let mut records = Records::open(&options.results)?;
    let mut all = Vec::new();
    for round in 0..options.rounds {
        for turn in 0..clients.len() {
            let measurement = plan.measure(clients[(round + turn) % clients.len()], round)?;
            records.write(&Record {
                kind: "connecting",
                date: machine::today(),
                machine: &machine,
                load: machine::load(),
                tls: !options.tcp,
                measurement: &measurement,
            })?;
            all.push(measurement);
        }
    }
    print(options, &clients, &all);
    println!("\nEvery run is in {}.", records.path.display());
    Ok(())
}

impl Plan {
    fn measure(&self, client: Kind, round: usize) -> Result<Measurement, Failure> {
        match client {
            Kind::Truename => self.connect::<Truename>(client, round),
            Kind::Redis => self.connect::<RedisRs>(client, round),
            Kind::Fred => self.connect::<Fred>(client, round),
            Kind::Rustis => self.connect::<Rustis>(client, round),
            other => Err(Failure::new(format!("{} does not connect here", other.name()))),
        }
    }

    fn connect<S: Subject>(&self, client: Kind, round: usize) -> Result<Measurement, Failure> {
        let runtime = run::build(Runtime::CurrentThread)?;
        let before = (Instant::now(), usage::own(), usage::of(&self.servers));
        let outcome =
            runtime.block_on(async { tokio::time::timeout(PATIENCE, self.first_replies::<S>()).await });
        let after = (before.0.elapsed(), usage::own() - before.1, usage::of(&self.servers) - before.2);
        runtime.shutdown_timeout(Duration::from_secs(1));
        outcome??;
        let ms = |time: Duration| time.as_secs_f64() * 1e3;
        Ok(Measurement { client, round, ms: ms(after.0), client_ms: ms(after.1), server_ms: ms(after.2) })
    }

    async fn first_replies<S: Subject>(&self) -> Result<(), Failure> {
        let mut subject = S::connect(&self.target, &Settings::default()).await?;
        for key in &self.keys {
            subject.get(key).await?;
        }
        Ok(())
    }
}

fn print(options: &Connecting, clients: &[Kind], all: &[Measurement]) {
    let transport = if options.tcp { "tcp" } else { "tls" };
    println!(
        "\n### connecting to {SHARDS} shards with a replica each and one GET from each shard, {transport}, ct\n"
    );
    println!("| client | ms | ratio | client ms | ratio | server ms |");
    println!("|---|---|---|---|---|---|");
    for client in clients {
        let own = || all.iter().filter(move |one| one.client == *client);
        let spread = |of: fn(&Measurement) -> f64| shown(own().map(of));
        let ratio = |of: fn(&Measurement) -> f64| {
            let ours = |round| all.iter().find(move |one| one.client == Kind::Truename && one.round == round);
            shown(own().filter_map(|one| Some(of(one) / of(ours(one.round)?))))
        };
        let columns = [
            spread(|one| one.ms),
            ratio(|one| one.ms),
            spread(|one| one.client_ms),
            ratio(|one| one.client_ms),
            spread(|one| one.server_ms),
        ];
        println!("| {} | {} |", client.name(), columns.join(" | "));
    }
}
