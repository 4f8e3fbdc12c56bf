//! The life of a hosted client's thread: connect, serve, close, complete what is left.
//!
//! Invariants: no thread is left when the start fails; however the thread ends, every request that was taken in is
//! completed, and the end is reported.

use std::sync::Arc;
use std::sync::mpsc;
use std::thread::{Builder, JoinHandle};

use tokio::runtime::{self, Runtime};

use super::call::{Call, complete};
use super::inbox::Inbox;
use super::outbox::Outbox;
use super::turns::{Callback, Turns};
use crate::api::Client;
use crate::config::Config;
use crate::error::Error;
use crate::panics;

/// The client's thread. Linux shows fifteen characters of a name.
const CLIENT: &str = "truename-client";
/// Its helpers for what blocks, such as name lookups.
const BLOCKING: &str = "truename-block";

/// The two ends that the thread works between.
pub(super) struct Ends<T> {
    pub(super) inbox: Arc<Inbox>,
    pub(super) outbox: Arc<Outbox<T>>,
}

/// Starts the thread; returns once its client is connected.
pub(super) fn start<T: Call>(
    config: &Config,
    ends: Ends<T>,
    callback: Callback,
) -> Result<(Client, JoinHandle<()>), Error> {
    let config = config.clone();
    let (report, reported) = mpsc::sync_channel(1);
    let life = move || match connect(&config) {
        Ok((runtime, client)) => {
            // Whoever started this thread waits for the report.
            let _ = report.send(Ok(client.clone()));
            serve(runtime, &client, &ends, callback);
        }
        Err(error) => drop(report.send(Err(error))),
    };
    let thread = Builder::new()
        .name(CLIENT.to_owned())
        .spawn(life)
        .map_err(|error| Error::config(format!("no thread for the client: {error}")))?;
    let connected =
        reported.recv().unwrap_or_else(|_| Err(Error::config("the client's thread panicked as it started")));
    match connected {
        Ok(client) => Ok((client, thread)),
        Err(error) => {
            // It has nothing to do any more, or has panicked.
            let _ = thread.join();
            Err(error)
        }
    }
}

fn connect(config: &Config) -> Result<(Runtime, Client), Error> {
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .thread_name(BLOCKING)
        .build()
        .map_err(|error| Error::config(format!("no runtime for the client: {error}")))?;
    match runtime.block_on(Client::connect(config)) {
        Ok(client) => Ok((runtime, client)),
        Err(error) => {
            runtime.shutdown_background();
            Err(error)
        }
    }
}

fn serve<T: Call>(runtime: Runtime, client: &Client, ends: &Ends<T>, callback: Callback) {
    let mut turns = Turns::new(&ends.inbox, &ends.outbox, callback, |request| complete::<T>(client, request));
    // What can panic is the end of a value that the user's `FromReply` made, if nobody takes it.
    if let Err(panicked) = panics::catch("a hosted client's thread", || runtime.block_on(turns.run())) {
        tracing::error!("{panicked}; the client ends");
    }
    client.close();
    // Connections that have nothing left to do say goodbye.
    runtime.block_on(tokio::task::yield_now());
    // A name lookup that hangs must not hold up the end.
    runtime.shutdown_background();
    turns.finish();
}
