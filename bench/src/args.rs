//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::clients::{Contestant, Reads};
use crate::subjects::Kind;

/// truename and its peers side by side, against real clusters on loopback.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// A subset that takes about two minutes.
    Quick(Bench),
    /// The whole matrix; takes about half an hour.
    Full(Bench),
    /// What becomes of calls while nodes are killed, frozen, promoted, resharded and replaced.
    Recovery(Recovery),
    /// A scan of the whole cluster beside raw SCAN loops: time and memory.
    Scan(Scan),
    /// truename beside clients of other languages.
    Clients(Clients),
    /// truename as one of the programs that `clients` runs; `tools/clients/README.md` says what it does.
    #[command(hide = true)]
    Client(Client),
    /// Clients without `async`: GET from three shards, on one thread or several.
    Blocking(Blocking),
    /// Clients connect: from nothing to one reply of every shard.
    Connecting(Connecting),
    /// One client runs one cell for a given number of operations, for a profiler to look at.
    Profile(Profile),
}

#[derive(Debug, Args)]
pub(crate) struct Bench {
    /// Run only the cells whose name contains every one of these words, e.g. `get64 tls c=64 ct`.
    #[arg(long, value_name = "WORDS")]
    pub(crate) filter: Option<String>,
    /// The clients to compare; truename is always among them.
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    pub(crate) clients: Vec<Kind>,
    /// How often every client runs every cell.
    #[arg(long)]
    pub(crate) rounds: Option<usize>,
    /// Take the cells of the whole matrix, all 234 of them, instead of a choice.
    #[arg(long)]
    pub(crate) all_cells: bool,
    /// Give every client the same deadline per command, instead of its own default (which may be none).
    #[arg(long)]
    pub(crate) same_deadline: bool,
    /// Only list the cells.
    #[arg(long)]
    pub(crate) list: bool,
    /// Where results are appended as JSON lines.
    #[arg(long, value_name = "DIRECTORY", default_value = DEFAULT_RESULTS)]
    pub(crate) results: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Recovery {
    /// The faults to try; all of them by default.
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    pub(crate) faults: Vec<crate::recovery::Fault>,
    /// The clients to compare.
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    pub(crate) clients: Vec<Kind>,
    /// How often each client meets each fault.
    #[arg(long, default_value_t = 1)]
    pub(crate) rounds: usize,
    /// Where results are appended as JSON lines.
    #[arg(long, value_name = "DIRECTORY", default_value = DEFAULT_RESULTS)]
    pub(crate) results: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Scan {
    /// How many keys there are.
    #[arg(long, default_value_t = 1_000_000)]
    pub(crate) keys: usize,
    /// How many keys a server looks at for a page.
    #[arg(long, default_value_t = 1000)]
    pub(crate) count: u32,
    /// How often each of them scans.
    #[arg(long, default_value_t = 5)]
    pub(crate) rounds: usize,
    /// Where results are appended as JSON lines.
    #[arg(long, value_name = "DIRECTORY", default_value = DEFAULT_RESULTS)]
    pub(crate) results: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Connecting {
    /// Without TLS.
    #[arg(long)]
    pub(crate) tcp: bool,
    /// The clients to compare; all that can by default.
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    pub(crate) clients: Vec<Kind>,
    /// How often each of them connects.
    #[arg(long, default_value_t = 20)]
    pub(crate) rounds: usize,
    /// Where results are appended as JSON lines.
    #[arg(long, value_name = "DIRECTORY", default_value = DEFAULT_RESULTS)]
    pub(crate) results: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Clients {
    /// A subset that takes about three minutes.
    #[arg(long)]
    pub(crate) quick: bool,
    /// Take the cells of the whole matrix, all 18 of them, instead of a choice.
    #[arg(long, conflicts_with = "quick")]
    pub(crate) all_cells: bool,
    /// Run only the cells whose name contains every one of these words, e.g. `get64 tls c=64`.
    #[arg(long, value_name = "WORDS")]
    pub(crate) filter: Option<String>,
    /// The clients to compare; truename is always among them.
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    pub(crate) clients: Vec<Contestant>,
    /// How often every client runs every cell.
    #[arg(long)]
    pub(crate) rounds: Option<usize>,
    /// For how many seconds each run counts.
    #[arg(long, value_name = "SECONDS")]
    pub(crate) window: Option<f64>,
    /// Only list the cells.
    #[arg(long)]
    pub(crate) list: bool,
    /// Where results are appended as JSON lines.
    #[arg(long, value_name = "DIRECTORY", default_value = DEFAULT_RESULTS)]
    pub(crate) results: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Client {
    #[arg(long)]
    pub(crate) client: Contestant,
    #[arg(long)]
    pub(crate) host: String,
    #[arg(long)]
    pub(crate) port: u16,
    #[arg(long)]
    pub(crate) ca: Option<PathBuf>,
    #[arg(long)]
    pub(crate) workload: Reads,
    #[arg(long)]
    pub(crate) callers: usize,
    #[arg(long)]
    pub(crate) warm_up: f64,
    #[arg(long)]
    pub(crate) window: f64,
}

#[derive(Debug, Args)]
pub(crate) struct Blocking {
    /// How many threads call.
    #[arg(long, default_value_t = 1)]
    pub(crate) threads: usize,
    /// How long a thread waits between a reply and its next call, in microseconds.
    #[arg(long, default_value_t = 0)]
    pub(crate) pause: u64,
    /// Over TLS.
    #[arg(long)]
    pub(crate) tls: bool,
    /// How often every client runs.
    #[arg(long, default_value_t = 5)]
    pub(crate) rounds: usize,
    /// How long each is looked at, in milliseconds.
    #[arg(long, default_value_t = 500)]
    pub(crate) window: u64,
}

#[derive(Debug, Args)]
pub(crate) struct Profile {
    /// The cell, by its exact name; `quick --list` and `full --all-cells --list` show them.
    #[arg(long, value_name = "NAME")]
    pub(crate) cell: String,
    /// The client.
    #[arg(long, default_value = "truename")]
    pub(crate) client: Kind,
    /// For how many operations; a profiler's two runs of different length cancel the start-up.
    #[arg(long, default_value_t = 100_000)]
    pub(crate) operations: u64,
}

/// In the harness's directory, wherever it is started from.
const DEFAULT_RESULTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/results");
