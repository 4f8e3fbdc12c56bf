//! Where the timeout of a blocking command is among its arguments.

/// Where a command states how long it may wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wait {
    Never,
    /// Seconds, with a fraction, in the last argument.
    SecondsLast,
    /// Seconds, with a fraction, in that argument.
    SecondsAt(usize),
    /// Milliseconds in the last argument.
    MillisLast,
    /// Milliseconds after the option `BLOCK`; without it, the command does not wait.
    MillisOption,
}
