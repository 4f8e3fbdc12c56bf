//! What is known about the execution of a command that ended in an error. It is decided once, where the outcome is judged,
//! and travels with the error: a text cannot be asked again, as a script can answer with any.

/// Whether a command that ended in an error was executed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Execution {
    /// It never left whole.
    NotSent,
    /// A server refused it, as it was not the right one or not ready: the same call may succeed later.
    RefusedForNow,
    /// A server refused it, and will do so again.
    Refused,
    /// It may have been executed.
    Possible,
}

impl Execution {
    /// Whether the command may have had an effect. `false` is proved.
    pub fn may_have_happened(self) -> bool {
        self == Self::Possible
    }

    /// Whether the same call may succeed later, and repeating it is safe.
    pub fn is_retryable(self) -> bool {
        matches!(self, Self::NotSent | Self::RefusedForNow)
    }
}
