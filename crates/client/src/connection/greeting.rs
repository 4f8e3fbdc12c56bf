//! The first exchange on a connection: protocol, login, names, and who it is, in one round trip.
//!
//! `HELLO 3 [AUTH user password]`, `CLIENT SETINFO` twice, `[CLIENT SETNAME]`, `[READONLY]`, `CLUSTER MYID`,
//! `CLIENT INFO` go out together. Only the first one decides; servers that do not know the others answer errors that
//! are noted and tolerated: `CLIENT SETINFO` came with 7.2, `CLIENT INFO` with 6.2, and Redis Enterprise rejects
//! `CLUSTER MYID`. A server without `HELLO` (before 6.0, or `NOPROTO`) gets a second round trip with RESP2.

use std::borrow::Cow;

use truename_resp::{ErrorReply, Reply, Untrusted};

use super::io_cause::is_closed;
use super::wire::{Wire, WireError};
use crate::config::{Credentials, Protocol};
use crate::error::{Cause, Phase};
use crate::tls::classify_tls_error;
use tokio::io::{AsyncRead, AsyncWrite};

const LIBRARY: &[u8] = b"truename";
const VERSION: &[u8] = env!("CARGO_PKG_VERSION").as_bytes();

/// What to say first on a connection.
#[derive(Debug, Clone)]
pub(crate) struct Login {
    pub(crate) protocol: Protocol,
    pub(crate) credentials: Option<Credentials>,
    pub(crate) client_name: Option<String>,
    /// Asks for leave to read from the node while it is a replica.
    pub(crate) readonly: bool,
}

/// What the server said of itself, as it came: print it through [`Untrusted`].
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
    /// The node id, from `CLUSTER MYID`; `None` where the server rejects the command.
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
) -> Result<Greeting, (Phase, Cause)> {
    if login.protocol == Protocol::Resp2 {
        return exchange_resp2(wire, login).await;
    }
    let user = login.credentials.as_ref().and_then(Credentials::user_name).unwrap_or("default");
    let mut hello: Vec<&[u8]> = vec![b"HELLO", b"3"];
    if let Some(credentials) = &login.credentials {
        hello.extend([b"AUTH".as_slice(), user.as_bytes(), credentials.secret().as_bytes()]);
    }
    let (first, rest) = ask(wire, &hello, login).await?;
    match &first {
        Reply::Error(error) if lacks_hello(error) => exchange_resp2(wire, login).await,
        Reply::Error(error) => Err(refusal(error)),
        _ => {
            let mut greeting = described(&first, 3);
            greeting.note(&rest, login);
            Ok(greeting)
        }
    }
}

async fn exchange_resp2<S: AsyncRead + AsyncWrite + Unpin>(
    wire: &mut Wire<S>,
    login: &Login,
) -> Result<Greeting, (Phase, Cause)> {
    let first: Vec<&[u8]> = match &login.credentials {
        None => vec![b"PING"],
        Some(credentials) => match credentials.user_name() {
            None => vec![b"AUTH", credentials.secret().as_bytes()],
            Some(user) => vec![b"AUTH", user.as_bytes(), credentials.secret().as_bytes()],
        },
    };
    let (first, rest) = ask(wire, &first, login).await?;
    if let Reply::Error(error) = &first {
        return Err(refusal(error));
    }
    let mut greeting = Greeting { protocol: 2, ..Greeting::default() };
    greeting.note(&rest, login);
    Ok(greeting)
}

/// Sends `first` with everything that is optional; gives the reply to it and the replies to the others, which are
/// not waited for after a refusal.
async fn ask<S: AsyncRead + AsyncWrite + Unpin>(
    wire: &mut Wire<S>,
    first: &[&[u8]],
    login: &Login,
) -> Result<(Reply, Vec<Reply>), (Phase, Cause)> {
    let name = login.client_name.as_deref().unwrap_or_default().as_bytes();
    let set_name: [&[u8]; 3] = [b"CLIENT", b"SETNAME", name];
    let mut commands: Vec<&[&[u8]]> = vec![
        first,
        &[b"CLIENT", b"SETINFO", b"LIB-NAME", LIBRARY],
        &[b"CLIENT", b"SETINFO", b"LIB-VER", VERSION],
    ];
    if !name.is_empty() {
        commands.push(&set_name);
    }
    if login.readonly {
        commands.push(&[b"READONLY"]);
    }
    commands.push(&[b"CLUSTER", b"MYID"]);
    commands.push(&[b"CLIENT", b"INFO"]);
    let first = wire.ask(&commands).await.map_err(broken)?;
    if first.as_error().is_some_and(|error| !lacks_hello(error)) {
        return Ok((first, Vec::new()));
    }
    let mut replies = wire.rest(first, commands.len()).await.map_err(broken)?.into_iter();
    let first = replies.next().unwrap_or(Reply::Nil);
    Ok((first, replies.collect()))
}

fn described(hello: &Reply, protocol: u8) -> Greeting {
    let text =
        |key| hello.lookup(key).and_then(Reply::as_str).filter(|text| !text.is_empty()).map(str::to_owned);
    Greeting {
        protocol,
        server: text("server"),
        version: text("version"),
        mode: text("mode"),
        availability_zone: text("availability_zone"),
        ..Greeting::default()
    }
}

fn lacks_hello(error: &ErrorReply) -> bool {
    error.code() == "NOPROTO" || (error.code() == "ERR" && mentions(error, "unknown command"))
}

fn mentions(error: &ErrorReply, what: &str) -> bool {
    error.message().to_ascii_lowercase().contains(what)
}

/// What an error reply to the login means. The server's words never repeat the password.
pub(crate) fn refusal(error: &ErrorReply) -> (Phase, Cause) {
    match error.code() {
        "WRONGPASS" => (Phase::Auth, Cause::WrongCredentials),
        "NOAUTH" => (Phase::Auth, Cause::AuthRequired),
        "NOPERM" => (Phase::Auth, Cause::NoPermission(error.message().to_owned())),
        "LOADING" => (Phase::Hello, Cause::Loading),
        // Before 6.0, and for the one-argument form.
        "ERR" if mentions(error, "invalid password") => (Phase::Auth, Cause::WrongCredentials),
        "ERR" if mentions(error, "without any password configured") => {
            (Phase::Auth, Cause::ServerRefused("a password was given, but the server has none".to_owned()))
        }
        _ => (Phase::Hello, Cause::ServerRefused(error.message().to_owned())),
    }
}

/// What a broken round trip of the handshake means. With TLS 1.3 a missing client certificate shows only here.
pub(crate) fn broken(error: WireError) -> (Phase, Cause) {
    match error {
        WireError::Closed => (Phase::Hello, Cause::ClosedByPeer),
        WireError::Decode(error) => (Phase::Hello, Cause::NotRedis(error.to_string())),
        WireError::Io(error) => match classify_tls_error(&error) {
            Some((cause, _)) => (Phase::Tls, cause),
            None if is_closed(&error) => (Phase::Hello, Cause::ClosedByPeer),
            None => (Phase::Hello, Cause::Io(error.to_string())),
        },
    }
}

impl Greeting {
    /// Notes the replies to what was asked last: `[READONLY]`, `CLUSTER MYID`, `CLIENT INFO`.
    fn note(&mut self, rest: &[Reply], login: &Login) {
        let mut backwards = rest.iter().rev();
        if let Some(info) = backwards.next().and_then(Reply::as_str) {
            let field = |name| info.split_ascii_whitespace().find_map(|field| field.strip_prefix(name));
            self.client_id = field("id=").and_then(|id| id.parse().ok());
            self.client_address = field("addr=").map(str::to_owned);
            self.user = field("user=").map(str::to_owned);
        }
        let id = backwards.next().filter(|reply| reply.as_error().is_none());
        self.node_id = id.and_then(Reply::as_str).filter(|id| !id.is_empty()).map(str::to_owned);
        self.is_readonly = login.readonly && backwards.next().is_some_and(|reply| reply.as_error().is_none());
    }

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
