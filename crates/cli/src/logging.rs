//! Diagnostics of the library on standard error, when they are asked for.

use std::io;

use tracing_subscriber::EnvFilter;

use crate::render::Harmless;

/// Begins to log: `-v` says what the client and the lab do, `-vv` what servers push as well, `-vvv` what the libraries underneath
/// do. Without any of them `RUST_LOG` decides.
pub(crate) fn start(verbose: u8, colour: bool) {
    let filter = match verbose {
        0 => match EnvFilter::try_from_default_env() {
            Ok(filter) => filter,
            Err(_) => return,
        },
        1 => EnvFilter::new("truename=debug,truename_lab=debug"),
        2 => EnvFilter::new("truename=trace,truename_lab=trace"),
        _ => EnvFilter::new("trace"),
    };
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(move || Harmless::new(io::stderr(), colour))
        .with_ansi(colour)
        .init();
}
