//! Clients without `async`, side by side: GET of 64 bytes from three shards, one thread by default.

use std::time::Duration;

use redis::cluster::ClusterConnection;
use truename::blocking;

use crate::args::Blocking;
use crate::cell::{Site, Workload};
use crate::failure::Failure;
use crate::keyspace::Keyspace;
use crate::machine::Machine;
use crate::record::Entry;
use crate::run::Window;
use crate::run::threads::Threads;
use crate::subjects::{Kind, Sockets};
use crate::table;
use crate::target::{Servers, Target};

const WARM_UP: Duration = Duration::from_millis(200);

/// Runs every client in every round and prints a table.
pub(crate) fn run(options: &Blocking) -> Result<(), Failure> {
    let servers = Servers::start(Site { shards: 3, tls: options.tls })?;
    let machine = servers.runtime.block_on(Machine::look(&servers.lab));
    table::print_machine(&machine);
    let target = Target::of(&servers.lab, true)?;
    let keyspace = servers.runtime.block_on(Keyspace::fill(&target, Workload::Get64))?;
    let threads = Threads {
        target,
        keyspace,
        workload: Workload::Get64,
        window: Window::open(WARM_UP, Duration::from_millis(options.window)),
        threads: options.threads.max(1),
        pause: Duration::from_micros(options.pause),
        servers: servers.processes(),
    };
    let mut clients = vec![Kind::Truename, Kind::Redis];
    if !options.tls {
        clients.push(Kind::Raw);
    }
    let mut entries = Vec::new();
    for round in 0..options.rounds {
        for turn in 0..clients.len() {
            let client = clients[(round + turn) % clients.len()];
            let outcome = match client {
                Kind::Redis => threads.run::<ClusterConnection>(),
                Kind::Raw => threads.run::<Sockets>(),
                _ => threads.run::<blocking::Client>(),
            };
            entries.push(Entry { client, round, outcome });
        }
    }
    let transport = if options.tls { "tls" } else { "tcp" };
    let title =
        format!("get64 3-shards {transport} blocking c={} pause={}us", threads.threads, options.pause);
    table::print_cell(&title, &entries);
    Ok(())
}
