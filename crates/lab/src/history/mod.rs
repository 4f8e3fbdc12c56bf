//! Histories of calls, and whether the answers in them fit together: one judge for whatever client is under test.
//!
//! - [`Fate`]: how a call ended, as far as its caller knows; callers map their client's errors to it
//! - [`Register`]: a key that is set to unique values and read; `marks` is what it remembers of doubtful writes
//! - [`Counter`]: a key that is incremented and read
//! - [`Findings`]: what was wrong, by [`Defect`]
//!
//! A key belongs to one task, which makes one call at a time and tells the key of each before it makes it and when it
//! has ended; a call whose end is never reported may have been executed. All rules follow from that: a call takes effect
//! in its turn, before any later call of its task is answered, or never. It does so once if it was acknowledged, at
//! most once if its fate is unknown, and not at all if it was refused.
//!
//! What stays true: a history that servers and client can have made by these rules is clean, and any other one is not
//! (`exhaustive_tests` compares both with a search through all explanations). Only a doubtful call may hide something:
//! an increment of unknown fate makes up for one that was lost. After a defect, what was found is what counts, so that
//! each is reported once. Memory does not grow with the number of calls.

mod counter;
#[cfg(test)]
mod exhaustive_tests;
mod fate;
mod findings;
mod marks;
mod register;

pub use counter::Counter;
pub use fate::Fate;
pub use findings::{Defect, Findings};
pub use register::Register;
