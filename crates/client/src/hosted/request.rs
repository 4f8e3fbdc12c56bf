//! What goes into a hosted client, and what comes out.

use std::fmt;

use truename_resp::Reply;

use crate::command::Command;
use crate::error::Error;

/// A command, and the number that its completion will have.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Request {
    /// Comes back with the completion. The client does not look at it: two requests may have the same.
    pub token: u64,
    /// What to execute.
    pub command: Command<'static>,
}

impl Request {
    /// A request to execute a command. What the command borrows is copied.
    ///
    /// # Examples
    /// ```
    /// use truename::cmd;
    /// use truename::hosted::Request;
    ///
    /// let key = String::from("city");
    /// let request = Request::new(7, cmd("GET").arg(&key));
    /// drop(key);
    /// assert_eq!((request.token, request.command.name()), (7, "GET"));
    /// ```
    pub fn new(token: u64, command: Command<'_>) -> Self {
        Self { token, command: command.into_owned() }
    }
}

/// What became of a request.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Completion<T = Reply> {
    /// The number that the request came with.
    pub token: u64,
    /// What [`Client::execute`](crate::Client::execute) would have returned.
    pub outcome: Result<T, Error>,
}

/// Requests that were not taken, in their order. None of them was sent, and none will be completed.
///
/// # Examples
/// ```no_run
/// # fn example(hosted: truename::hosted::HostedClient, requests: Vec<truename::hosted::Request>) {
/// use truename::hosted::Refused;
///
/// match hosted.submit(requests) {
///     Ok(()) => {}
///     // There is room again when completions were taken.
///     Err(Refused::Full(later)) => println!("{} requests have to wait", later.len()),
///     Err(Refused::Closed(never)) => println!("{} requests came too late", never.len()),
///     Err(other) => eprintln!("{other}"),
/// }
/// # }
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Refused {
    /// [`CAPACITY`](super::CAPACITY) requests are outstanding. Those of the batch that come before these were taken.
    Full(Vec<Request>),
    /// The client was closed. These are the whole batch.
    Closed(Vec<Request>),
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full(requests) => {
                write!(f, "there is no room for {} requests until completions are taken", requests.len())
            }
            Self::Closed(requests) => {
                write!(f, "the client is closed, and {} requests were not sent", requests.len())
            }
        }
    }
}

impl std::error::Error for Refused {}
