//! `truename exec`: one command, and its reply as `redis-cli` would show it; or that of each node.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use truename::topology::Endpoint;
use truename::{Client, Command, Error, Reply, cmd};

use crate::args::ExecArgs;
use crate::context::Target;
use crate::exit::{Exit, of_several};
use crate::failure::Failure;
use crate::render::{Output, json, reply};
use crate::spelling::as_options;

/// Runs the command on the node that its key belongs to, or where the options say.
pub(crate) async fn run(target: &Target, args: &ExecArgs, output: &mut Output) -> Result<Exit, Failure> {
    let client = Client::connect(&target.config).await?;
    let started = Instant::now();
    let exit = match (args.all_primaries, args.all_nodes) {
        (false, false) => show_one(client.execute(command(args)).await, args, started, output)?,
        (true, _) => show_each(&client.on_primaries(command(args)).await?, args, started, output)?,
        (_, true) => show_each(&client.on_all_nodes(command(args)).await?, args, started, output)?,
    };
    client.close();
    Ok(exit)
}

fn show_one(
    outcome: Result<Reply, Error>,
    args: &ExecArgs,
    started: Instant,
    output: &mut Output,
) -> Result<Exit, Failure> {
    match outcome {
        Ok(found) if output.is_json() => output.document(&document(&found, started.elapsed()))?,
        Ok(found) => show_reply(&found, args, output)?,
        Err(Error::Server(error)) if !output.is_json() => {
            // As `redis-cli` puts it, which does not name the node.
            output.progress(&format!("(error) {} (from {})", error.reply, error.node));
            return Ok(Exit::Problem);
        }
        Err(error) => return Err(error.into()),
    }
    Ok(Exit::Ok)
}

/// Each node's reply, below its address.
fn show_each(
    outcomes: &[(Endpoint, Result<Reply, Error>)],
    args: &ExecArgs,
    started: Instant,
    output: &mut Output,
) -> Result<Exit, Failure> {
    let exit = of_several(outcomes.iter().filter_map(|(_, outcome)| outcome.as_ref().err()));
    if output.is_json() {
        let nodes: Vec<_> = outcomes.iter().map(|(node, outcome)| node_document(node, outcome)).collect();
        let elapsed = json::ms(started.elapsed());
        output.document(&json!({ "nodes": nodes, "elapsed_ms": elapsed, "exit_code": exit.code() }))?;
        return Ok(exit);
    }
    for (node, outcome) in outcomes {
        match outcome {
            Ok(found) => {
                output.bytes(format!("# {node}\n").as_bytes())?;
                show_reply(found, args, output)?;
            }
            Err(Error::Server(error)) => output.progress(&format!("(error) {} (from {node})", error.reply)),
            Err(error) => output.progress(&format!("(error) {} (from {node})", error.spelled(as_options))),
        }
    }
    Ok(exit)
}

fn show_reply(found: &Reply, args: &ExecArgs, output: &mut Output) -> Result<(), Failure> {
    match args.no_raw || (output.is_terminal() && !args.raw) {
        true => output.bytes(reply::typed(found).as_bytes()),
        false => output.bytes(&reply::raw(found)),
    }
}

fn command(args: &ExecArgs) -> Command<'_> {
    let mut words = args.command.iter().map(|word| word.as_encoded_bytes());
    // The parser requires at least one word; an empty command is refused by the client.
    let command = cmd(words.next().unwrap_or_default()).args(words);
    match (&args.node_of, &args.node) {
        (Some(key), _) => command.route_by_key(key.as_encoded_bytes()),
        (_, Some(node)) => command.route_to(node),
        _ if args.any_node => command.route_to_any(),
        _ => command,
    }
}

fn document(found: &Reply, elapsed: Duration) -> Value {
    json!({ "reply": reply::json(found), "type": found.bare().kind(), "elapsed_ms": json::ms(elapsed), "exit_code": 0 })
}

fn node_document(node: &Endpoint, outcome: &Result<Reply, Error>) -> Value {
    let reply = outcome.as_ref().map(reply::json).ok();
    let kind = outcome.as_ref().map(|found| found.bare().kind()).ok();
    let error = outcome.as_ref().err().map(json::error);
    json!({ "node": node.to_string(), "reply": reply, "type": kind, "error": error })
}
