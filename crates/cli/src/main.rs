//! `truename`: look at a Redis or Valkey cluster, talk to it, and try it out.
//!
//! The exit contract: every way out is an [`exit::Exit`], and its table is what `truename --help` shows. A reader
//! who closes our output early has what it wanted, so that is success.

mod args;
mod commands;
mod context;
mod exit;
mod failure;
mod logging;
mod render;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    match args::Cli::try_parse() {
        Ok(cli) => commands::run(cli).into(),
        Err(answer) => exit::of_parser(answer).into(),
    }
}
