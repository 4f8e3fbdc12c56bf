//! The commands, a module each, and how one of them is run. `signals` is for those that run until they are ended.

mod completions;
mod demo;
mod doctor;
mod exec;
mod lab;
mod ping;
mod signals;

use std::future::Future;

use tokio::runtime::Runtime;

use crate::args::connect::ConnectArgs;
use crate::args::lab::LabCommand;
use crate::args::{Cli, Command};
use crate::context::Target;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::logging;
use crate::render::Output;

/// Runs what was typed and returns how it ended.
pub(crate) fn run(cli: Cli) -> Exit {
    let mut output = Output::new(&cli.output);
    logging::start(cli.output.verbose, output.paint_errors().is_enabled());
    dispatch(&cli.command, &mut output).unwrap_or_else(|failure| {
        output.fail(&failure);
        failure.exit()
    })
}

fn dispatch(command: &Command, output: &mut Output) -> Result<Exit, Failure> {
    match command {
        Command::Ping(args) => block_on(ping::run(&target(&args.connect, output)?, output)),
        Command::Exec(args) => block_on(exec::run(&target(&args.connect, output)?, args, output)),
        Command::Doctor(args) => block_on(doctor::run(&target(&args.connect, output)?, output)),
        Command::Lab(LabCommand::Up(args)) => block_on(lab::up(args, output)),
        Command::Lab(LabCommand::Profiles) => lab::profiles(output),
        Command::Demo(args) => block_on(demo::run(args, output)),
        Command::Completions(args) => completions::run(args, output),
    }
}

fn target(args: &ConnectArgs, output: &Output) -> Result<Target, Failure> {
    let target = Target::resolve(args)?;
    target.warnings.iter().for_each(|warning| output.warn(warning));
    Ok(target)
}

fn block_on<F: Future<Output = Result<Exit, Failure>>>(command: F) -> Result<Exit, Failure> {
    let runtime = Runtime::new().map_err(|error| Failure::System { what: "start the runtime", error })?;
    runtime.block_on(command)
}
