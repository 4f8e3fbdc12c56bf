//! `truename demo`: the product in a minute, against real servers.
//!
//! - [`script`]: the acts, in order
//! - [`trap`]: what happens to a client that trusts the announced address
//! - [`proof`]: which name each node was verified by
//! - [`workload`]: tasks that write and read; [`truename_lab::history`] judges what they get back, [`tally`] counts
//! - [`live`]: what is shown meanwhile
//! - [`summary`]: the result
//!
//! What stays true: whatever ends the demo, servers and files are gone with it; it succeeds only if no answer was
//! wrong, nothing was executed twice, nothing acknowledged was lost, and the client recovered.

mod live;
mod proof;
mod script;
mod summary;
mod tally;
mod trap;
mod workload;

use std::time::Instant;

use truename_lab::Lab;

use super::signals::Signals;
use crate::args::lab::DemoArgs;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::render::{Output, human};

/// Runs the demo.
pub(crate) async fn run(args: &DemoArgs, output: &mut Output) -> Result<Exit, Failure> {
    let mut signals = Signals::listen()?;
    output.page(|page| {
        page.line(page.paint().heading(format!("1. A cluster that behaves like {}'s", args.profile)))
    })?;
    let started = Instant::now();
    let mut lab = tokio::select! {
        lab = Lab::builder(args.profile).start() => lab?,
        () = signals.next() => return Ok(Exit::Signal),
    };
    let (host, port) = lab.seed();
    let servers = lab.nodes().len();
    output.page(|page| {
        page.indented(format!(
            "{servers} real servers in {}: {}",
            human::duration(started.elapsed()),
            args.profile.describe()
        ))?;
        page.indented(format!("seed {host}:{port}"))
    })?;
    let played = tokio::select! {
        played = script::play(&mut lab, args, output) => played,
        () = signals.next() => Ok(Exit::Signal),
    };
    lab.shutdown().await;
    played
}
