//! What was typed: the command line as types. No file is read and nothing is resolved here; `context` does that.
//!
//! - [`Cli`] and [`Command`]: the commands with their help and examples
//! - [`OutputArgs`]: how to show results, for every command
//! - [`connect`]: how to reach a cluster, for every command that connects
//! - [`lab`]: the lab and the demo
//! - [`typed`]: what an error may repeat of the command line
//! - [`value`]: the readers of single values, with what a wrong one should have looked like

pub(crate) mod connect;
pub(crate) mod lab;
pub(crate) mod typed;
pub(crate) mod value;

use std::ffi::OsString;

use clap::{Args, Parser, Subcommand, ValueEnum};
use truename::topology::Endpoint;

use crate::exit;
use connect::ConnectArgs;
use lab::{DemoArgs, LabCommand};

/// Connects to Redis and Valkey clusters with full TLS verification, whatever address they announce
#[derive(Debug, Parser)]
#[command(
    name = "truename",
    version,
    arg_required_else_help = true,
    after_help = "Try it without a cluster: truename demo\nLook at yours:            truename doctor HOST:PORT",
    after_long_help = exit::help()
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) output: OutputArgs,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// How results are shown.
#[derive(Debug, Clone, Args)]
pub(crate) struct OutputArgs {
    /// Print results as JSON with stable keys
    #[arg(long, global = true, help_heading = "Output")]
    pub(crate) json: bool,
    /// When to use colours; NO_COLOR is respected
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto", help_heading = "Output")]
    pub(crate) color: ColorWhen,
    /// Log connections, topologies and refreshes to standard error; -vv: pushes too; -vvv: the libraries underneath too
    #[arg(short, long, global = true, action = clap::ArgAction::Count, help_heading = "Output")]
    pub(crate) verbose: u8,
}

/// When to use colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ColorWhen {
    /// On a terminal
    Auto,
    /// Also in files and pipes
    Always,
    /// Not at all
    Never,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Connect as an application would, and PING every primary
    #[command(after_help = PING_EXAMPLES)]
    Ping(PingArgs),
    /// Run one command on the node that its key belongs to
    #[command(after_help = EXEC_EXAMPLES)]
    Exec(ExecArgs),
    /// Probe every node (address, certificate, names, login), and say what is wrong and what would fix it
    #[command(after_help = DOCTOR_EXAMPLES)]
    Doctor(DoctorArgs),
    /// Real clusters on this machine that behave like the cloud providers'
    #[command(subcommand)]
    Lab(LabCommand),
    /// See it work against real servers, in a minute
    #[command(after_help = lab::DEMO_EXAMPLES)]
    Demo(DemoArgs),
    /// Print a completion script for a shell
    #[command(after_help = COMPLETIONS_EXAMPLES)]
    Completions(CompletionsArgs),
}

const PING_EXAMPLES: &str = "Examples:
  truename ping cache.example.net:10000 --password-env REDIS_PASSWORD
  truename ping localhost:6379 --plain
  truename ping rediss://a.example.net:6379,b.example.net:6379 --cacert ca.pem";

const EXEC_EXAMPLES: &str = "Examples:
  truename exec cache.example.net:10000 --password-env REDIS_PASSWORD -- SET city Oslo
  truename exec cache.example.net:10000 --password-env REDIS_PASSWORD -- GET city
  truename exec localhost:6379 --plain --json -- HGETALL user:1
  truename exec localhost:6379 --plain --any-node -- INFO server
  truename exec localhost:6379 --plain --node 10.0.0.4:8501 -- CLIENT LIST
  truename exec localhost:6379 --plain --all-primaries -- MEMORY STATS
  truename exec localhost:6379 --plain -- DBSIZE";

const DOCTOR_EXAMPLES: &str = "Examples:
  truename doctor my-redis.westus3.redis.azure.net --password-env REDIS_PASSWORD
  truename doctor 10.128.0.9:6379 --cacert server-ca.pem --json
  truename doctor cache.example.net:6379 --map 'ip=seed' --resolve cache.example.net:127.0.0.1";

const COMPLETIONS_EXAMPLES: &str = "Examples:
  truename completions bash > ~/.local/share/bash-completion/completions/truename
  truename completions zsh > ~/.zfunc/_truename
  truename completions fish > ~/.config/fish/completions/truename.fish";

/// `truename ping`
#[derive(Debug, Args)]
pub(crate) struct PingArgs {
    #[command(flatten)]
    pub(crate) connect: ConnectArgs,
}

/// `truename exec`
#[derive(Debug, Args)]
pub(crate) struct ExecArgs {
    #[command(flatten)]
    pub(crate) connect: ConnectArgs,
    /// Print replies without decoration, as to a pipe
    #[arg(long, conflicts_with = "no_raw")]
    pub(crate) raw: bool,
    /// Print replies with their types, as on a terminal
    #[arg(long)]
    pub(crate) no_raw: bool,
    /// Send it to the node that serves this key, for commands that need a node to be chosen
    #[arg(long, value_name = "KEY", group = "route")]
    pub(crate) node_of: Option<OsString>,
    /// Send it to any primary, for commands that need a node to be chosen
    #[arg(long, group = "route")]
    pub(crate) any_node: bool,
    /// Send it to this node, by its address as `doctor` shows it, and to no other
    #[arg(long, value_name = "ADDR", group = "route", value_parser = value::endpoint)]
    pub(crate) node: Option<Endpoint>,
    /// Send it to every primary, and print each one's reply
    #[arg(long, group = "route")]
    pub(crate) all_primaries: bool,
    /// Send it to every node, replicas too, and print each one's reply
    #[arg(long, group = "route")]
    pub(crate) all_nodes: bool,
    /// The command and its arguments, after `--`
    #[arg(last = true, required = true, value_name = "COMMAND")]
    pub(crate) command: Vec<OsString>,
}

/// `truename doctor`
#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    #[command(flatten)]
    pub(crate) connect: ConnectArgs,
}

/// `truename completions`
#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// The shell
    #[arg(value_name = "SHELL")]
    pub(crate) shell: clap_complete::Shell,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definition_is_consistent() {
        Cli::command().debug_assert();
    }

    /// Nothing said which options of a URL have no other form.
    #[test]
    fn the_help_says_which_options_only_a_url_has() {
        let cli = Cli::command();
        let ping = cli.find_subcommand("ping").unwrap();
        let host = ping.get_arguments().find(|arg| arg.get_id() == "host").unwrap();
        let help = host.get_long_help().unwrap().to_string().replace(" and ", ", ");
        let listed = |intro: &str| {
            let list = help.split_once(intro).unwrap().1.split('.').next().unwrap();
            list.split(',').map(|name| name.trim().to_owned()).collect::<Vec<_>>()
        };
        let has_option = |name: &String| {
            let long = name.replace('_', "-");
            ping.get_arguments().any(|arg| arg.get_long() == Some(long.as_str()))
        };
        let without: Vec<_> =
            listed("Its options are").into_iter().filter(|name| !has_option(name)).collect();
        assert_eq!(listed("no option of their own here:"), without);
    }

    #[test]
    fn every_command_has_examples() {
        fn check(command: &clap::Command) {
            for sub in command.get_subcommands().filter(|sub| sub.get_name() != "help") {
                if sub.has_subcommands() {
                    check(sub);
                } else {
                    let help = sub.get_after_help().map(ToString::to_string).unwrap_or_default();
                    assert!(help.starts_with("Examples:\n  truename "), "{}", sub.get_name());
                }
            }
        }
        check(&Cli::command());
    }
}
