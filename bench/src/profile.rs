//! One client at one cell for a fixed number of commands: the difference between two lengths under `callgrind` or
//! `strace -c` is what the commands cost, without the start-up.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::args::Profile;
use crate::cell;
use crate::compare;
use crate::failure::Failure;
use crate::run::{Caller, Plan, build};
use crate::statistics::short;
use crate::subjects::{Fred, Kind, Raw, RedisRs, Rustis, Subject, Truename, TruenameRedis};
use crate::target::Servers;
use crate::usage;

/// Does what the options say and prints what it cost.
pub(crate) fn run(options: &Profile) -> Result<(), Failure> {
    let cell = cell::all()
        .into_iter()
        .find(|cell| cell.to_string() == options.cell && cell.rate.is_none())
        .ok_or_else(|| {
        Failure::new("no closed-loop cell of that name; `full --all-cells --list` shows all")
    })?;
    let servers = Servers::start(cell.site)?;
    let plan = compare::plan(&cell, &servers, Duration::ZERO, false)?;
    let runtime = build(cell.runtime)?;
    let batches = options.operations / cell.workload.batch() as u64;
    // Not `usage::own`: what that reads is not there under valgrind.
    let used = || usage::of(&[std::process::id()]);
    let before = (Instant::now(), used());
    runtime.block_on(async {
        match options.client {
            Kind::Truename => exhaust::<Truename>(&plan, batches).await,
            Kind::TruenameRedis => exhaust::<TruenameRedis>(&plan, batches).await,
            Kind::Redis => exhaust::<RedisRs>(&plan, batches).await,
            Kind::Fred => exhaust::<Fred>(&plan, batches).await,
            Kind::Rustis => exhaust::<Rustis>(&plan, batches).await,
            Kind::Raw => exhaust::<Raw>(&plan, batches).await,
            Kind::RedisSync => Err(Failure::new("redis-sync has no tasks to profile")),
        }
    })?;
    let per_command = |time: Duration| short(time.as_secs_f64() * 1e6 / options.operations as f64);
    let (wall, own) = (before.0.elapsed(), used() - before.1);
    println!(
        "{} at {cell}: {} µs processor, {} µs wall per command",
        options.client.name(),
        per_command(own),
        per_command(wall)
    );
    Ok(())
}

async fn exhaust<S: Subject>(plan: &Plan, calls: u64) -> Result<(), Failure> {
    let subject = S::connect(&plan.target, &plan.settings).await?;
    let left = Arc::new(AtomicU64::new(calls));
    let take = |left: &AtomicU64| {
        left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
    };
    let tasks: Vec<_> = (0..plan.cell.tasks)
        .map(|task| {
            let (mut caller, left) = (Caller::new(plan, &subject, task), Arc::clone(&left));
            tokio::spawn(async move {
                while take(&left) {
                    caller.call().await?;
                }
                Ok::<_, Failure>(())
            })
        })
        .collect();
    for task in tasks {
        task.await??;
    }
    Ok(())
}
