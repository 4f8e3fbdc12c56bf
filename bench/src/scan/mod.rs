//! A scan of the whole cluster beside raw `SCAN` loops over the same servers, in interleaved rounds: time, processor time,
//! and how much memory it takes, also while its reader is slow.

mod raw;

use std::fs;
use std::time::{Duration, Instant};

use serde::Serialize;
use truename::{Client, cmd};
use truename_lab::{Lab, LabProfile};

use crate::args::Scan;
use crate::cell::Runtime;
use crate::failure::Failure;
use crate::keyspace::bystander;
use crate::machine::{self, Machine};
use crate::record::Records;
use crate::statistics::shown;
use crate::target::{Servers, Target};
use crate::{run, table, usage};

const SHARDS: usize = 3;
/// Keys that are written together.
const BATCH: usize = 10_000;
/// A slow reader rests this long after so many keys.
const REST: (Duration, usize) = (Duration::from_millis(1), 1000);

/// Who scans.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Subject {
    Raw,
    Truename,
    TruenameSlowReader,
}

impl Subject {
    const ALL: [Self; 3] = [Self::Raw, Self::Truename, Self::TruenameSlowReader];

    const fn name(self) -> &'static str {
        match self {
            Self::Raw => "raw loops",
            Self::Truename => "truename",
            Self::TruenameSlowReader => "truename, slow reader",
        }
    }
}

/// One scan.
#[derive(Debug, Clone, Serialize)]
struct Measurement {
    subject: Subject,
    round: usize,
    seconds: f64,
    client_seconds: f64,
    /// How far the resident memory of this process rose above what it was before.
    grown_mib: f64,
}

#[derive(Serialize)]
struct Record<'a> {
    kind: &'static str,
    date: String,
    machine: &'a Machine,
    load: String,
    keys: usize,
    count: u32,
    measurement: &'a Measurement,
}

/// Fills a cluster, scans it in rounds, and prints a table.
pub(crate) fn run(options: &Scan) -> Result<(), Failure> {
    let servers = Servers::launch(
        Lab::builder(LabProfile::Plain).shards(SHARDS).replicas(0).tls(false).password(None),
    )?;
    let machine = servers.runtime.block_on(Machine::look(&servers.lab));
    let target = Target::of(&servers.lab, true)?;
    table::print_machine(&machine);
    let runtime = run::build(Runtime::CurrentThread)?;
    let client = runtime.block_on(async {
        let client = bystander(&target).await?;
        fill(&client, options.keys).await?;
        Ok::<_, Failure>(client)
    })?;
    let mut records = Records::open(&options.results)?;
    let mut all = Vec::new();
    for round in 0..options.rounds {
        // The order changes, so that nobody is always first.
        for at in 0..Subject::ALL.len() {
            let subject = Subject::ALL[(at + round) % Subject::ALL.len()];
            let measurement = runtime.block_on(measure(subject, round, &client, &target, options))?;
            records.write(&Record {
                kind: "scan",
                date: machine::today(),
                machine: &machine,
                load: machine::load(),
                keys: options.keys,
                count: options.count,
                measurement: &measurement,
            })?;
            all.push(measurement);
        }
    }
    print(options, &all);
    println!("\nEvery run is in {}.", records.path.display());
    Ok(())
}

async fn fill(client: &Client, keys: usize) -> Result<(), Failure> {
    for first in (0..keys).step_by(BATCH) {
        let mut batch = client.batch();
        batch.extend(
            (first..keys.min(first + BATCH)).map(|n| cmd("SET").arg(format!("key:{n:012}")).arg("value")),
        );
        batch.execute::<()>().await.into_iter().collect::<Result<Vec<()>, _>>()?;
    }
    Ok(())
}

async fn measure(
    subject: Subject,
    round: usize,
    client: &Client,
    target: &Target,
    options: &Scan,
) -> Result<Measurement, Failure> {
    let before = Memory::begin()?;
    let (began, used) = (Instant::now(), usage::own());
    let (keys, length) = match subject {
        Subject::Raw => raw::scan(&target.primaries, options.count).await?,
        Subject::Truename => scan(client, options.count, None).await?,
        Subject::TruenameSlowReader => scan(client, options.count, Some(REST)).await?,
    };
    let (seconds, used) = (began.elapsed().as_secs_f64(), usage::own() - used);
    if (keys, length) != (options.keys, options.keys * "key:000000000000".len()) {
        return Err(Failure::new(format!("{}: {keys} keys of {length} bytes", subject.name())));
    }
    let grown_mib = before.grown()?;
    Ok(Measurement { subject, round, seconds, client_seconds: used.as_secs_f64(), grown_mib })
}

async fn scan(
    client: &Client,
    count: u32,
    rest: Option<(Duration, usize)>,
) -> Result<(usize, usize), Failure> {
    let (mut keys, mut length) = (0, 0);
    let mut scan = client.scan().count(count).keys();
    while let Some(key) = scan.next().await {
        keys += 1;
        length += key?.len();
        if let Some((pause, _)) = rest.filter(|(_, every)| keys % every == 0) {
            tokio::time::sleep(pause).await;
        }
    }
    if scan.is_complete() { Ok((keys, length)) } else { Err(Failure::new("the scan is not complete")) }
}

/// The resident memory of this process before something.
struct Memory(f64);

impl Memory {
    /// From now on the highest value is that since now (`proc(5)`, clear_refs).
    fn begin() -> Result<Self, Failure> {
        fs::write("/proc/self/clear_refs", "5")?;
        Ok(Self(status("VmRSS:")?))
    }

    fn grown(self) -> Result<f64, Failure> {
        Ok((status("VmHWM:")? - self.0).max(0.0))
    }
}

/// A field of this process's status, in MiB.
fn status(field: &str) -> Result<f64, Failure> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix(field));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<f64>().ok());
    Ok(kib.ok_or_else(|| Failure::new(format!("the system does not say {field}")))? / 1024.0)
}

fn print(options: &Scan, all: &[Measurement]) {
    println!("\n### scan of {} keys, {SHARDS} shards, COUNT {}, tcp, ct\n", options.keys, options.count);
    println!("| | s | times raw | client s | memory grown MiB |");
    println!("|---|---|---|---|---|");
    for subject in Subject::ALL {
        let own = || all.iter().filter(move |one| one.subject == subject);
        let spread = |of: fn(&Measurement) -> f64| shown(own().map(of));
        let raw = |round| all.iter().find(move |one| one.subject == Subject::Raw && one.round == round);
        let ratios = own().filter_map(|one| Some(one.seconds / raw(one.round)?.seconds));
        let ratio = shown(ratios);
        let columns =
            [spread(|one| one.seconds), ratio, spread(|one| one.client_seconds), spread(|one| one.grown_mib)];
        println!("| {} | {} |", subject.name(), columns.join(" | "));
    }
}
