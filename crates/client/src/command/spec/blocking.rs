//! Commands that may wait on the server, and for how long.

use super::row::row_of;
use super::wait::Wait;
use super::{Flags, Spec};
use crate::command::keys::Arguments;
use std::time::Duration;

/// How long the server may hold back the reply of a blocking command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BlockTime {
    /// No limit: the timeout argument is 0.
    Forever,
    /// At most this long.
    AtMost(Duration),
}

/// All commands with the server's `blocking` flag.
const COMMANDS: &[(Wait, &[&str])] = &[
    (Wait::SecondsLast, &["BLMOVE", "BLPOP", "BRPOP", "BRPOPLPUSH", "BZPOPMAX", "BZPOPMIN"]),
    (Wait::SecondsAt(1), &["BLMPOP", "BZMPOP"]),
    // Options may follow it.
    (Wait::SecondsAt(4), &["BZMOVE"]),
    (Wait::SecondsAt(5), &["BLMOVEM"]),
    (Wait::MillisLast, &["WAIT", "WAITAOF"]),
    (Wait::MillisOption, &["XREAD", "XREADGROUP"]),
];

/// Notes where each blocking command has its timeout. The build fails if the table has one that is not listed.
pub(super) const fn mark(table: &mut [Spec]) {
    let mut group = 0;
    while group < COMMANDS.len() {
        let (wait, names) = COMMANDS[group];
        let mut i = 0;
        while i < names.len() {
            table[row_of(table, names[i])].wait = wait;
            i += 1;
        }
        group += 1;
    }
    let mut row = 0;
    while row < table.len() {
        let listed = !matches!(table[row].wait, Wait::Never);
        assert!(listed == table[row].flags.contains(Flags::BLOCKING), "where is its timeout?");
        row += 1;
    }
}

impl Spec {
    /// Whether the command with these arguments may wait on the server, so that it must not share a connection.
    /// See the [example](Spec#examples).
    pub fn blocks<A: Arguments + ?Sized>(&self, args: &A) -> bool {
        match self.wait {
            Wait::Never => false,
            Wait::MillisOption => block_option(args).is_some(),
            Wait::SecondsLast | Wait::SecondsAt(_) | Wait::MillisLast => true,
        }
    }

    /// How long the command with these arguments may wait on the server. `None` if it does not wait, and if the
    /// timeout is not a valid number: then the server answers with an error at once. See the [example](Spec#examples).
    pub fn block_time<A: Arguments + ?Sized>(&self, args: &A) -> Option<BlockTime> {
        let last = || args.at(args.len().checked_sub(1)?);
        let time = match self.wait {
            Wait::Never => return None,
            Wait::SecondsLast => seconds(last()?)?,
            Wait::SecondsAt(index) => seconds(args.at(index)?)?,
            Wait::MillisLast => millis(last()?)?,
            Wait::MillisOption => millis(block_option(args)?)?,
        };
        Some(if time.is_zero() { BlockTime::Forever } else { BlockTime::AtMost(time) })
    }
}

/// The operand of `BLOCK` in `XREAD` and `XREADGROUP`, where groups, consumers and streams may have that name too.
fn block_option<A: Arguments + ?Sized>(args: &A) -> Option<&[u8]> {
    let mut index = 1;
    loop {
        let word = args.at(index)?;
        let is = |option: &str| word.eq_ignore_ascii_case(option.as_bytes());
        if is("BLOCK") {
            return args.at(index + 1);
        } else if is("STREAMS") {
            return None;
        }
        let operands = if is("GROUP") { 2 } else { usize::from(is("COUNT")) };
        index += 1 + operands;
    }
}

fn seconds(argument: &[u8]) -> Option<Duration> {
    let number: f64 = str::from_utf8(argument).ok()?.parse().ok()?;
    Duration::try_from_secs_f64(number).ok()
}

fn millis(argument: &[u8]) -> Option<Duration> {
    str::from_utf8(argument).ok()?.parse().ok().map(Duration::from_millis)
}
