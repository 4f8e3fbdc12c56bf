//! The command lines of the lab and the demo.

use std::time::Duration;

use clap::{Args, Subcommand};
use truename_lab::LabProfile;

use super::connect::PasswordArgs;
use super::value;

pub(crate) const DEMO_EXAMPLES: &str = "Examples:
  truename demo
  truename demo --seconds 20
  truename demo --profile per-node-certs --json";

const UP_EXAMPLES: &str = "Examples:
  truename lab up
  truename lab up --profile nat --shards 3 --replicas 0
  LAB_PASSWORD=secret truename lab up --password-env LAB_PASSWORD --for 10m
  truename lab up --json --until-eof

While it runs, type: redeploy, kill N, restart N, stop N, cont N, failover N, status, help, quit";

const PROFILES_EXAMPLES: &str = "Examples:
  truename lab profiles
  truename lab profiles --json";

/// `truename lab`
#[derive(Debug, Subcommand)]
pub(crate) enum LabCommand {
    /// Start a cluster, print how to connect to it, and run it until Ctrl-C
    #[command(after_help = UP_EXAMPLES)]
    Up(UpArgs),
    /// List what the lab can imitate
    #[command(after_help = PROFILES_EXAMPLES)]
    Profiles,
}

/// `truename lab up`
#[derive(Debug, Args)]
pub(crate) struct UpArgs {
    /// Which provider to imitate; see `truename lab profiles`
    #[arg(long, value_name = "NAME", default_value = "azure", value_parser = value::lab_profile)]
    pub(crate) profile: LabProfile,
    /// How many primaries
    #[arg(long, value_name = "N", default_value_t = 3)]
    pub(crate) shards: usize,
    /// How many replicas each primary has
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) replicas: usize,
    /// Use TLS, whatever the profile's default is
    #[arg(long, conflicts_with = "plain")]
    pub(crate) tls: bool,
    /// Use plaintext, whatever the profile's default is
    #[arg(long)]
    pub(crate) plain: bool,
    #[command(flatten)]
    pub(crate) password: PasswordArgs,
    /// End after this time
    #[arg(long = "for", value_name = "TIME", value_parser = value::duration)]
    pub(crate) duration: Option<Duration>,
    /// End when standard input ends
    #[arg(long)]
    pub(crate) until_eof: bool,
}

/// `truename demo`
#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// How long the workload runs, not counting the redeploy in its middle
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u64).range(2..=3600))]
    pub(crate) seconds: u64,
    /// Which provider to imitate; see `truename lab profiles`
    #[arg(long, value_name = "NAME", default_value = "azure", value_parser = value::lab_profile)]
    pub(crate) profile: LabProfile,
}
