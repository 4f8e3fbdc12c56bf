//! The first exchange on a connection: protocol, login, names, and who it is, in one round trip.
//!
//! The commands go out together; what they are and how each reply is read is in [`steps`]. Only the login decides;
//! servers that do not know the others answer errors that are tolerated: `CLIENT SETINFO` came with 7.2, `CLIENT INFO`
//! with 6.2, and Redis Enterprise rejects `CLUSTER MYID`. A server without `HELLO` (before 6.0, or `NOPROTO`) gets a
//! second round trip with RESP2. What an error means is in [`refusal`].
//!
//! Every step reads its own reply, in the order in which they were sent; a reply that its command cannot have, or one
//! reply too many, ends the connection. The last command's reply is recognised by its content; where it is an error, which
//! may be any command's, a `PING` shows whether another reply is still on its way.

mod refusal;
mod steps;

use std::borrow::Cow;

use tokio::io::{AsyncRead, AsyncWrite};
use truename_resp::Untrusted;

pub(crate) use self::refusal::{broken, refusal};
use self::refusal::{lacks_hello, without_secret};
pub(super) use self::steps::read_id;
use self::steps::{Step, ponged, steps};
use super::step::Attempted;
use super::wire::{Wire, WireError};
use crate::config::{Credentials, Protocol};
use crate::error::{Cause, Phase};

/// What to say first on a connection.
#[derive(Debug, Clone)]
pub(crate) struct Login {
    pub(crate) protocol: Protocol,
    pub(crate) credentials: Option<Credentials>,
    pub(crate) client_name: Option<String>,
    /// Asks for permission to read from the node while it is a replica.
    pub(crate) readonly: bool,
}

/// What the server said about itself, as it came: print it through [`Untrusted`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Greeting {
    /// 3 or 2.
    pub protocol: u8,
    /// `redis` or `valkey`, from `HELLO`.
    pub server: Option<String>,
    /// The server's version, from `HELLO`.
    pub version: Option<String>,
    /// `cluster`, `standalone` or `sentinel`, from `HELLO`.
    pub mode: Option<String>,
    /// The node id, from `CLUSTER MYID`, or where a check depends on it and the server rejects that command, from the
    /// `myself` line of `CLUSTER NODES`; `None` where the server reports neither.
    pub node_id: Option<String>,
    /// Whether the node took `READONLY`: asked only if replicas are read from.
    pub is_readonly: bool,
    /// The availability zone, from `HELLO` of Valkey 8.1 and later.
    pub availability_zone: Option<String>,
    /// The connection's id with the server, from `CLIENT INFO` (6.2 and later).
    pub client_id: Option<u64>,
    /// The address that the server sees the connection come from, from `CLIENT INFO`: behind NAT it is not ours.
    pub client_address: Option<String>,
    /// The user that the connection is logged in as, from `CLIENT INFO`.
    pub user: Option<String>,
}

/// Runs the exchange.
pub(super) async fn exchange<S: AsyncRead + AsyncWrite + Unpin>(
    wire: &mut Wire<S>,
    login: &Login,
) -> Attempted<Greeting> {
    let greeted = greet(wire, login).await;
    greeted.map_err(|(phase, cause)| (phase, without_secret(cause, login.credentials.as_ref())))
}

async fn greet<S: AsyncRead + AsyncWrite + Unpin>(wire: &mut Wire<S>, login: &Login) -> Attempted<Greeting> {
    if login.protocol == Protocol::Auto
        && let Some(greeting) = run(wire, &steps(login, 3)).await?
    {
        return Ok(greeting);
    }
    let greeting = run(wire, &steps(login, 2)).await?;
    greeting.ok_or_else(|| (Phase::Hello, Cause::ServerRefused("the login is an unknown command".to_owned())))
}

/// Sends all steps in one write and lets each read its reply. `None` when the server does not know `HELLO`.
///
/// After a refusal of the login the other replies are not waited for: a server that does not want the connection may
/// say nothing more.
async fn run<S: AsyncRead + AsyncWrite + Unpin>(
    wire: &mut Wire<S>,
    steps: &[Step<'_>],
) -> Attempted<Option<Greeting>> {
    let commands: Vec<&[&[u8]]> = steps.iter().map(|step| step.args.as_slice()).collect();
    let mut reply = wire.ask(&commands).await.map_err(broken)?;
    let is_known = !reply.as_error().is_some_and(lacks_hello);
    let mut greeting = Greeting::default();
    let mut rest = steps;
    while let Some((step, others)) = rest.split_first() {
        if is_known {
            (step.read)(&mut greeting, &reply)?;
        }
        rest = others;
        if !rest.is_empty() {
            reply = wire.reply().await.map_err(broken)?;
        }
    }
    if is_known && reply.as_error().is_some() {
        let pong = wire.ask(&[&[b"PING"]]).await.map_err(broken)?;
        ponged(&pong)?;
    }
    if wire.holds_more().map_err(broken)? {
        return Err(broken(WireError::Surplus));
    }
    Ok(is_known.then_some(greeting))
}

impl Greeting {
    /// The server and its version in one word, such as `redis/7.0.15`, fit to be printed.
    pub fn product(&self) -> Cow<'static, str> {
        match (&self.server, &self.version) {
            (Some(server), Some(version)) => {
                Cow::Owned(format!("{}/{}", Untrusted(server), Untrusted(version)))
            }
            (Some(server), None) => Cow::Owned(Untrusted(server).to_string()),
            _ => Cow::Borrowed("unknown"),
        }
    }
}
