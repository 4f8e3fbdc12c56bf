//! One step of an attempt, and of what is asked on a connection before anybody shares it.

use crate::error::{Cause, Phase};

/// A step's result, or how far it got and why it ended there.
pub(super) type StepResult<T> = Result<T, (Phase, Cause)>;
