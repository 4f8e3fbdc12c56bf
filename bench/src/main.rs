//! truename and its peers side by side. See `README.md` for the method.
//!
//! - `subjects`: the clients, each behind the same calls; `target`, `keyspace`: the servers that they are given, and the keys
//! - `cell`: the matrix; `run`: one client, one cell, one window; `compare`: interleaved rounds
//! - `profile`: one client at one cell, for a profiler
//! - `usage`, `allocations`, `latency`, `statistics`: what is measured, and how numbers become one
//! - `recovery`: the same clients while nodes fail; `scan`: a scan of all keys beside raw loops
//! - `clients`: clients of other languages beside truename, each a program of its own; `blocking`: clients without `async`
//! - `connecting`: from nothing to one reply of every shard
//! - `table`, `record`, `machine`: what is reported; `args`, `failure`: the command line, and the one error
//!
//! What stays true: while a client is measured, nothing else works in this process; ratios are only ever taken between
//! runs of one round; nothing fails because of a measured time.

mod allocations;
mod args;
mod blocking;
mod cell;
mod clients;
mod compare;
mod connecting;
mod failure;
mod keyspace;
mod latency;
mod machine;
mod profile;
mod record;
mod recovery;
mod run;
mod scan;
mod statistics;
mod subjects;
mod table;
mod target;
mod usage;

use std::process::ExitCode;

use clap::Parser as _;

use args::{Cli, Command};
use compare::Extent;

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Quick(options) => compare::run(Extent::Quick, &options),
        Command::Full(options) => compare::run(Extent::Full, &options),
        Command::Recovery(options) => recovery::run(&options),
        Command::Scan(options) => scan::run(&options),
        Command::Clients(options) => clients::run(&options),
        Command::Client(options) => clients::own::run(&options),
        Command::Blocking(options) => blocking::run(&options),
        Command::Connecting(options) => connecting::run(&options),
        Command::Profile(options) => profile::run(&options),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("truename-bench: {failure}");
            ExitCode::FAILURE
        }
    }
}
