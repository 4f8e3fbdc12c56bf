//! From a request to its completion.
//!
//! [`Call`] is the only part of a hosted client that knows what kind of reply its requests are completed with.
//!
//! Invariant: a request is completed even if its call panics, which the user's [`FromReply`] may make it do.

use std::any::Any;
use std::future::Future;
use std::panic::AssertUnwindSafe;

use futures_util::FutureExt;
use truename_resp::RawFrame;

use super::request::{Completion, Request};
use crate::api::Client;
use crate::command::Command;
use crate::error::{Error, TypeError};
use crate::from_reply::FromReply;
use crate::panics::Panicked;

/// A kind of reply, and how the client gets one.
pub(super) trait Call: Sized + Send + 'static {
    /// Runs a command. It is submitted at the future's first poll.
    fn call(client: &Client, command: Command<'static>) -> impl Future<Output = Result<Self, Error>>;
}

impl<T: FromReply + Send + 'static> Call for T {
    fn call(client: &Client, command: Command<'static>) -> impl Future<Output = Result<Self, Error>> {
        client.execute(command)
    }
}

impl Call for RawFrame {
    fn call(client: &Client, command: Command<'static>) -> impl Future<Output = Result<Self, Error>> {
        client.execute_raw(command)
    }
}

/// Runs a request. Made of combinators: an `async` block around a call would hold it twice.
pub(super) fn complete<T: Call>(
    client: &Client,
    Request { token, command }: Request,
) -> impl Future<Output = Completion<T>> {
    // The call is not polled again after a panic, and shares nothing with others that it may have left half done: locks
    // are not held where the user's code runs.
    let call = AssertUnwindSafe(T::call(client, command)).catch_unwind();
    call.map(move |caught| Completion {
        token,
        outcome: caught.unwrap_or_else(|payload| Err(panicked(&*payload))),
    })
}

/// By then the command may have been executed, and most probably was.
#[cold]
fn panicked(payload: &(dyn Any + Send)) -> Error {
    let what = Panicked::new("the call", payload).to_string();
    TypeError::new("what was asked for", "unreadable").with_detail(what).into()
}
