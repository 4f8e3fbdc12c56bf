//! Diagnostics of the library on standard error, when they are asked for.

use std::io;

use tracing_subscriber::EnvFilter;

use crate::render::Harmless;

/// Begins to log: `-v` says what happens, `-vv` why, `-vvv` everything. Without any of them `RUST_LOG` decides.
pub(crate) fn start(verbose: u8, colour: bool) {
    let filter = match verbose {
        0 => match EnvFilter::try_from_default_env() {
            Ok(filter) => filter,
            Err(_) => return,
        },
        1 => EnvFilter::new("truename=info,truename_lab=info"),
        2 => EnvFilter::new("truename=debug,truename_lab=debug"),
        _ => EnvFilter::new("trace"),
    };
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(move || Harmless::new(io::stderr(), colour))
        .with_ansi(colour)
        .init();
}
