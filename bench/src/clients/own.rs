//! truename as a program like the others: the same arguments, the same line, a process of its own. It is connected to all
//! nodes before its warm-up begins.

use std::fs;
use std::io;
use std::process;
use std::thread;
use std::time::Duration;

use super::cell::Reads;
use super::child::Line;
use crate::args::Client as Options;
use crate::cell::{Cell, Site, Workload};
use crate::failure::Failure;
use crate::keyspace::Keyspace;
use crate::run::{Edges, Measurement, Plan, Window};
use crate::subjects::{Settings, Truename};
use crate::target::Target;

/// Does what the arguments say and prints the line.
pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    end_with_parent();
    let line = line(measure(options)?)?;
    println!("{}", serde_json::to_string(&line)?);
    Ok(())
}

/// The parent holds the other end of standard input; it is gone when this ends.
fn end_with_parent() {
    thread::spawn(|| {
        let _ = io::copy(&mut io::stdin(), &mut io::sink());
        process::exit(1);
    });
}

fn measure(options: &Options) -> Result<Measurement, Failure> {
    plan(options)?.run_as::<Truename>()
}

/// A call that never ended loses the run, as it does in every program.
fn line(measured: Measurement) -> Result<Line, Failure> {
    let Measurement { commands, seconds, client_us, latency, failed, stuck, first_failure, .. } = measured;
    if stuck > 0 {
        return Err(Failure::new(format!("{stuck} calls did not end")));
    }
    Ok(Line {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        runtime: env!("TRUENAME_BENCH_COMPILER").to_owned(),
        commands,
        seconds,
        cpu_us: client_us,
        p50_us: latency.p50,
        p99_us: latency.p99,
        missed: latency.missed,
        connections_opened: None,
        failed,
        first_failure,
    })
}

fn plan(options: &Options) -> Result<Plan, Failure> {
    let runtime = options
        .client
        .runtime()
        .ok_or_else(|| Failure::new(format!("{} is not this program", options.client)))?;
    let ca_pem = options.ca.as_ref().map(fs::read_to_string).transpose()?;
    let workload = match options.workload {
        Reads::Get64 => Workload::Get64,
        Reads::Mget100 => Workload::Mget100,
        Reads::Pipeline100 => Workload::Pipeline100,
    };
    // Both take batches of keys of one slot.
    let keys = if workload == Workload::Mget100 { Workload::Pipeline100 } else { workload };
    Ok(Plan {
        cell: Cell {
            site: Site { shards: 3, tls: ca_pem.is_some() },
            runtime,
            workload,
            tasks: options.callers,
            rate: None,
        },
        target: Target {
            seeds: vec![(options.host.clone(), options.port)],
            is_cluster: true,
            primaries: Vec::new(),
            ca_pem,
        },
        keyspace: Keyspace::written(keys),
        settings: Settings::default(),
        window: Window {
            warm_up: Duration::from_secs_f64(options.warm_up),
            length: Duration::from_secs_f64(options.window),
            edges: Edges::Closed,
        },
        servers: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::super::roster::Contestant;
    use super::*;
    use crate::target::Servers;

    #[test]
    fn truename_runs_every_workload_as_the_other_programs_do() {
        for tls in [false, true] {
            let servers = Servers::start(Site { shards: 3, tls }).unwrap();
            let target = Target::of(&servers.lab, true).unwrap();
            for workload in [Workload::Get64, Workload::Pipeline100] {
                servers.runtime.block_on(Keyspace::fill(&target, workload)).unwrap();
            }
            for (workload, client) in Reads::ALL.into_iter().zip([
                Contestant::TruenameCt,
                Contestant::TruenameMt,
                Contestant::TruenameCt,
            ]) {
                let (host, port) = target.seeds[0].clone();
                let ca = servers.lab.ca_pem_path().map(PathBuf::from);
                let options =
                    Options { client, host, port, ca, workload, callers: 64, warm_up: 0.1, window: 0.1 };
                let measured = measure(&options).unwrap();
                let stuck = Measurement { stuck: 1, ..measured.clone() };
                assert_eq!(line(stuck).unwrap_err().to_string(), "1 calls did not end");
                let line = line(measured).unwrap();
                assert_eq!((line.failed, &line.first_failure), (0, &None), "{workload}");
                assert!(line.commands > 0 && line.cpu_us > 0.0, "{workload}: {line:?}");
            }
        }
    }
}
