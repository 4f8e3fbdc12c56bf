//! [`Engine`]: runs single commands, special ones included.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use truename::command::{Arg, Arguments};
use truename::error::RouteError;
use truename::topology::SlotMap;
use truename::{Client, Command, Config, Error, ReadFrom, Reply};

use super::failure::Failure;
use super::pin::{Pinned, WATCH_LIMIT};
use super::scan::{Place, Scans, unserved};
use super::scripts::Scripts;
use super::special::Special;
use super::spread::{Parts, Spread, To};

/// What the connections of one client know together.
#[derive(Default)]
pub(crate) struct Memory {
    scripts: Scripts,
    scans: Scans,
}

/// A client, and what was learnt through it.
#[derive(Clone)]
pub(crate) struct Engine {
    pub(super) client: Client,
    memory: Arc<Memory>,
    reads_from_replicas: bool,
    database: u32,
    /// For how long keys are watched on behalf of a handle.
    pub(super) watch_limit: Duration,
    /// How long a call may take, and a pipeline.
    pub(super) call_limit: Duration,
}

impl Engine {
    /// Over a client that was made with this configuration.
    pub(crate) fn of(client: Client, config: &Config, memory: Arc<Memory>) -> Self {
        let settings = config.settings();
        let reads_from_replicas = *settings.read_from() != ReadFrom::Primary;
        let (database, call_limit) = (settings.database(), settings.command_timeout());
        Self { client, memory, reads_from_replicas, database, watch_limit: WATCH_LIMIT, call_limit }
    }

    /// With another limit for how long keys are watched.
    pub(crate) fn with_watch_limit(self, limit: Option<Duration>) -> Self {
        Self { watch_limit: limit.unwrap_or(self.watch_limit), ..self }
    }

    pub(crate) fn database(&self) -> i64 {
        self.database.into()
    }

    pub(crate) fn reads_from_replicas(&self) -> bool {
        self.reads_from_replicas
    }

    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// The topology. A client that is to connect when it is first used does so now.
    pub(crate) async fn topology(&self) -> Result<Arc<SlotMap>, Failure> {
        let map = self.client.topology();
        if !map.nodes().is_empty() {
            return Ok(map);
        }
        self.client.execute::<Reply>(Command::new("PING").route_to_any()).await?;
        Ok(self.client.topology())
    }

    /// Runs a command about which something is special, on behalf of a handle. `limit` is what it was given, if that is less than
    /// the usual time.
    pub(crate) async fn run_special(
        &self,
        special: Special,
        command: Command<'_>,
        limit: Option<Duration>,
        pinned: &mut Pinned,
    ) -> Result<Reply, Failure> {
        match special {
            Special::Watch => self.watch(pinned, &command, limit).await,
            Special::Unwatch => Ok(self.unwatch(pinned, limit).await),
            Special::Scan => self.scan(command, limit).await,
            Special::ScriptLoad => self.load_script(command).await,
            Special::EvalSha => self.run_script(pinned, command).await,
            Special::Spread(spread) => self.spread(spread, command).await,
            Special::Alone => self.run_plain(pinned, command).await,
            Special::Placed => Ok(self.client.execute(command).await?),
            Special::AnyPrimary => Ok(self.client.execute(command.route_to_any()).await?),
            Special::Refused(why) => Err(Failure::Unsupported(why)),
        }
    }

    async fn spread(&self, spread: Spread, command: Command<'_>) -> Result<Reply, Failure> {
        let is_flush = |at, word| command.at(at).is_some_and(|argument| is(argument, word));
        if is_flush(0, b"SCRIPT") && is_flush(1, b"FLUSH") {
            self.memory.scripts.forget();
        }
        let parts = self.on_nodes(spread.to, &command).await?;
        spread.join.join(parts, spread.is_read)
    }

    /// Runs a command on several nodes; returns what each answered.
    pub(crate) async fn on_nodes(&self, to: To, command: &Command<'_>) -> Result<Parts, Failure> {
        Ok(match to {
            To::Primaries => self.client.on_primaries(command.clone()).await?,
            To::AllNodes => self.client.on_all_nodes(command.clone()).await?,
        })
    }

    /// `SCRIPT LOAD`, everywhere where scripts may be run. One that a node lacks, since it could not be reached, is sent to
    /// it when it is run there.
    async fn load_script(&self, command: Command<'_>) -> Result<Reply, Failure> {
        let command = command.repeatable(true);
        let mut digest = None;
        let mut unreachable = None;
        for (_, part) in self.on_nodes(To::Primaries, &command).await? {
            match part {
                Ok(reply) => digest = Some(reply),
                Err(error @ Error::Server(_)) => return Err(error.into()),
                Err(error) => unreachable = Some(error),
            }
        }
        let Some(digest) = digest else {
            return Err(unreachable.map_or(Failure::Misused("the topology has no nodes"), Failure::Native));
        };
        if let (Some(name), Some(body)) = (digest.as_bytes(), command.at(2)) {
            self.memory.scripts.remember(name, body);
        }
        Ok(digest)
    }

    /// The same script with its body, if we have it.
    pub(super) fn whole_script<'c>(&self, command: &Command<'_>) -> Option<Command<'c>> {
        Some(with_body(command, self.script_of(command)?, Arg::copied))
    }

    /// The body of the script that a command names, if we have it.
    pub(super) fn script_of(&self, command: &Command<'_>) -> Option<Bytes> {
        self.memory.scripts.body(command.at(1)?)
    }

    /// One step of a scan of the whole cluster.
    async fn scan(&self, command: Command<'_>, limit: Option<Duration>) -> Result<Reply, Failure> {
        const CURSOR: Failure = Failure::Misused("SCAN: a cursor is a number");
        let asked: u64 = command.at(1).and_then(number).ok_or(CURSOR)?;
        let map = self.topology().await?;
        let mut place = match asked {
            0 => Place::start(&map),
            _ => self.memory.scans.place(asked, Instant::now()).ok_or(Failure::Misused(
                "SCAN: no scan with this cursor is under way here; it is through, was left alone for too long, or \
                 belongs to another client: begin anew with 0",
            ))?,
        };
        let Some((node, cursor)) = place.next(&map) else {
            is_whole(&map)?;
            self.memory.scans.end(asked);
            return Ok(step(0, Reply::Array(Vec::new())));
        };
        let options = (2..command.len()).filter_map(|index| command.at(index));
        let mut part = Command::new("SCAN").arg(cursor).args(options).route_to(&node);
        if let Some(limit) = limit {
            part = part.timeout(limit);
        }
        let (next, keys): (u64, Reply) = self.client.execute(part).await?;
        place.advance(next).map_err(|error| Error::from(error.with_detail(format!("SCAN at {node}"))))?;
        let map = self.client.topology();
        if place.clone().next(&map).is_none() {
            is_whole(&map)?;
            self.memory.scans.end(asked);
            return Ok(step(0, keys));
        }
        Ok(step(self.memory.scans.go_on(asked, place, Instant::now()), keys))
    }
}

/// A script with its body instead of its digest.
pub(super) fn with_body<'c, 'r>(
    command: &'r Command<'_>,
    body: Bytes,
    arg: impl Fn(&'r [u8]) -> Arg<'c>,
) -> Command<'c> {
    let is_read_only = command.at(0).is_some_and(|name| is(name, b"EVALSHA_RO"));
    let rest = (2..command.len()).filter_map(|index| command.at(index));
    Command::new(if is_read_only { "EVAL_RO" } else { "EVAL" }).arg(body).args(rest.map(arg))
}

/// An error where a scan would end without the keys of slots that nobody serves. The step can be repeated once somebody does.
fn is_whole(map: &SlotMap) -> Result<(), Failure> {
    match unserved(map) {
        None => Ok(()),
        Some(slot) => Err(Error::Route(Box::new(RouteError::Unassigned { slot })).into()),
    }
}

fn number(text: &[u8]) -> Option<u64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// What `SCAN` answers.
fn step(cursor: u64, keys: Reply) -> Reply {
    Reply::Array(vec![Reply::Bulk(cursor.to_string().into()), keys])
}

fn is(argument: &[u8], word: &[u8]) -> bool {
    argument.eq_ignore_ascii_case(word)
}
