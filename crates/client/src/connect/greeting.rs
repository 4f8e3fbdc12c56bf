//! The first exchange on a connection: protocol, login, names, and who it is, in one round trip.
//!
//! The commands go out together; what they are and how each reply is read is in [`steps`](mod@steps). Only the login decides;
//! servers that do not know the others answer errors that are tolerated: `CLIENT SETINFO` came with 7.2, `CLIENT INFO`
//! with 6.2, and Redis Enterprise rejects `CLUSTER MYID`. A server without `HELLO` (before 6.0, or `NOPROTO`) gets a
//! second round trip with RESP2, unless RESP3 was asked for. What an error means is in [`refusal`](mod@refusal); [`login`] is what it takes, and
//! [`said`] what comes of it.
//!
//! Every step reads its own reply, in the order in which they were sent; a reply that its command cannot have, or one
//! reply too many, ends the connection. The last command's reply is recognised by its content; where it is an error, which
//! may be any command's, a `PING` shows whether another reply is still on its way.

mod login;
mod refusal;
mod said;
mod steps;

use tokio::io::{AsyncRead, AsyncWrite};

pub(crate) use self::login::Login;
use self::refusal::lacks_hello;
pub(crate) use self::refusal::{handshake_cause, hide_secret, refusal, without_secret};
pub use self::said::Greeting;
pub(super) use self::steps::read_id;
use self::steps::{Step, ponged, steps};
use super::step::StepResult;
use super::wire::{Wire, WireError};
use crate::config::Protocol;
use crate::error::{Cause, Phase};

/// Runs the exchange. `is_for_reads`: whether to say `READONLY`, if the client does that at all.
pub(super) async fn exchange<S: AsyncRead + AsyncWrite + Unpin>(
    wire: &mut Wire<S>,
    login: &Login,
    is_for_reads: bool,
) -> StepResult<Greeting> {
    let greeted =
        greet(wire, login, is_for_reads).await.and_then(|greeting| in_its_database(greeting, login));
    let credentials = login.credentials.as_ref();
    let mut greeting = greeted.map_err(|(phase, cause)| (phase, without_secret(cause, credentials)))?;
    if let Some(text) = &mut greeting.readonly_refusal {
        hide_secret(text, credentials);
    }
    Ok(greeting)
}

/// A proxy that acknowledges `SELECT` and does nothing, or hands over a connection that somebody used before, would have
/// everything done in another database.
fn in_its_database(greeting: Greeting, login: &Login) -> StepResult<Greeting> {
    let wanted = login.database;
    match greeting.database {
        Some(actual) if actual != wanted => Err((Phase::Hello, Cause::OtherDatabase { wanted, actual })),
        _ => Ok(greeting),
    }
}

async fn greet<S: AsyncRead + AsyncWrite + Unpin>(
    wire: &mut Wire<S>,
    login: &Login,
    is_for_reads: bool,
) -> StepResult<Greeting> {
    let database = login.database.to_string();
    if login.protocol != Protocol::Resp2 {
        let refusal = match run(wire, &steps(login, &database, 3, is_for_reads)).await? {
            Ok(greeting) => return Ok(greeting),
            Err(refusal) => refusal,
        };
        if login.protocol == Protocol::Resp3 {
            return Err((Phase::Hello, Cause::NoResp3(refusal)));
        }
    }
    let greeting = run(wire, &steps(login, &database, 2, is_for_reads)).await?;
    greeting.map_err(|_| (Phase::Hello, Cause::ServerRefused("the login is an unknown command".to_owned())))
}

/// Sends all steps in one write and lets each read its reply. Where the server does not know `HELLO`, what it says to that.
///
/// After a refusal of the login the other replies are not waited for: a server that does not want the connection may
/// say nothing more.
async fn run<S: AsyncRead + AsyncWrite + Unpin>(
    wire: &mut Wire<S>,
    steps: &[Step<'_>],
) -> StepResult<Result<Greeting, String>> {
    let commands: Vec<&[&[u8]]> = steps.iter().map(|step| step.args.as_slice()).collect();
    let mut reply = wire.ask(&commands).await.map_err(handshake_cause)?;
    let unknown = reply.as_error().filter(|error| lacks_hello(error)).map(|error| error.message().to_owned());
    let is_known = unknown.is_none();
    let mut greeting = Greeting::default();
    let mut rest = steps;
    while let Some((step, others)) = rest.split_first() {
        if is_known {
            step.read(&mut greeting, &reply)?;
        }
        rest = others;
        if !rest.is_empty() {
            reply = wire.reply().await.map_err(handshake_cause)?;
        }
    }
    if is_known && reply.as_error().is_some() {
        let pong = wire.ask(&[&[b"PING"]]).await.map_err(handshake_cause)?;
        ponged(&pong)?;
    }
    if wire.holds_more().map_err(handshake_cause)? {
        return Err(handshake_cause(WireError::Surplus));
    }
    Ok(unknown.map_or(Ok(greeting), Err))
}
