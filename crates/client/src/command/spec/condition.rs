//! Under which conditions a command may be sent again; `repeat` says which commands have which.

/// Under which condition a command is repeatable.
#[derive(Debug, Clone, Copy)]
pub(super) enum RepeatCondition {
    /// Under none.
    Never,
    /// Under any.
    Always,
    /// From that argument on there is nothing but these options.
    Plain(usize, Options),
    /// The same, and `REPLACE` is one of them.
    Replacing(usize, Options),
    /// Argument 2, a time to live, is above zero, and after it there is nothing but these options.
    Lasting(Options),
    /// The first key is named once, so that no key is both source and destination.
    Apart,
    /// There is one key, so nothing is stored.
    OneKey,
    /// No argument is `$`, which means "from now on" and is a later now the second time.
    Anchored,
}

/// Option words with the number of their operands.
pub(super) type Options = &'static [(&'static str, usize)];
