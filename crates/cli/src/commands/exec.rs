//! `truename exec`: one command, and its reply as `redis-cli` would show it.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use truename::{Client, Command, Error, Reply, cmd};

use crate::args::ExecArgs;
use crate::context::Target;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::render::{Output, json, reply};

/// Runs the command on the node that its key belongs to.
pub(crate) async fn run(target: &Target, args: &ExecArgs, output: &mut Output) -> Result<Exit, Failure> {
    let client = Client::connect(&target.config).await?;
    let started = Instant::now();
    match client.execute::<Reply>(command(args)).await {
        Ok(found) if output.is_json() => output.document(&document(&found, started.elapsed()))?,
        Ok(found) if args.no_raw || (output.is_terminal() && !args.raw) => {
            output.bytes(reply::typed(&found).as_bytes())?;
        }
        Ok(found) => output.bytes(&reply::raw(&found))?,
        Err(Error::Server(error)) if !output.is_json() => {
            // As `redis-cli` puts it, which does not name the node.
            output.progress(&format!("(error) {} (from {})", error.reply, error.node));
            return Ok(Exit::Problem);
        }
        Err(error) => return Err(error.into()),
    }
    client.close();
    Ok(Exit::Ok)
}

fn command(args: &ExecArgs) -> Command<'_> {
    let mut words = args.command.iter().map(|word| word.as_encoded_bytes());
    // The parser requires at least one word; an empty command is refused by the client.
    let command = cmd(words.next().unwrap_or_default()).args(words);
    match &args.node_of {
        Some(key) => command.route_by_key(key.as_encoded_bytes()),
        None if args.any_node => command.route_to_any(),
        None => command,
    }
}

fn document(found: &Reply, elapsed: Duration) -> Value {
    json!({ "reply": reply::json(found), "type": found.bare().kind(), "elapsed_ms": json::ms(elapsed), "exit_code": 0 })
}
