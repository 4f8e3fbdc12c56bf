//! What is known about the execution of a command that ended in an error. It is decided once, where the outcome is judged,
//! and travels with the error: it cannot be derived from the text again, since a script can answer with any text.

/// Whether a command that ended in an error was executed.
///
/// # Examples
/// ```
/// use truename::error::Execution;
///
/// // Certainly not executed, and worth another try.
/// assert!(!Execution::NotSent.may_have_happened() && Execution::NotSent.is_retryable());
/// // Certainly not executed, and no use trying again.
/// assert!(!Execution::Refused.may_have_happened() && !Execution::Refused.is_retryable());
/// // Nobody knows.
/// assert!(Execution::Possible.may_have_happened() && !Execution::Possible.is_retryable());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Execution {
    /// It was not sent completely, so it was not executed.
    NotSent,
    /// A server refused it because it was not the right one or not ready: the same call may succeed later.
    RefusedForNow,
    /// A server refused it, and will do so again.
    Refused,
    /// It may have been executed.
    Possible,
}

impl Execution {
    /// Whether the command may have had an effect. `false` is certain. See the [example](Execution#examples).
    pub fn may_have_happened(self) -> bool {
        self == Self::Possible
    }

    /// Whether the same call may succeed later, and repeating it is safe. See the [example](Execution#examples).
    pub fn is_retryable(self) -> bool {
        matches!(self, Self::NotSent | Self::RefusedForNow)
    }
}
