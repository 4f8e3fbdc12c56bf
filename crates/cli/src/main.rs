//! `truename`: look at a Redis or Valkey cluster, talk to it, and try it out.
//!
//! The exit contract: every way out is an [`exit::Exit`], and its table is what `truename --help` shows. A reader
//! who closes our output early has what it wanted, so that is success.
//!
//! - `args`: the command line as types; `context`: what it means, with files read
//! - `commands`: one module per command
//! - `render`: results for people and for programs; `logging`: the library's diagnostics
//! - `failure`, `exit`: why a command failed, and the exit code for it; `spelling`: the options that advice names

mod args;
mod commands;
mod context;
mod environment;
mod exit;
mod failure;
mod logging;
mod render;
mod spelling;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    match args::Cli::try_parse() {
        Ok(cli) => commands::run(cli).into(),
        Err(answer) => exit::of_parser(answer).into(),
    }
}
