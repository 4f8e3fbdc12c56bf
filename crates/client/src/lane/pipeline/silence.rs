//! How long a server may be silent while it owes a reply: one decision, and what it is made of.
//!
//! | the oldest command | outlook |
//! |---|---|
//! | has patience left | nothing to do |
//! | has little patience left | ask on another connection; an answer there counts as a sign of life |
//! | has none left, and no connection answered | the connection is given up |
//! | has been past its deadline for the stall time | the connection is given up, whatever was heard |
//!
//! A server that is paused or busy with a script is silent on one connection and answers on another; a frozen one is
//! silent on all. The last row ends what the rows before it do not: a reply that trickles in, and a connection
//! that died alone. Commands submitted with the oldest one have had the usual time by then.

use std::time::Duration;

use tokio::time::Instant;

/// What a lane takes for granted about time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Habit {
    /// How long a server may be silent when no command asks for more.
    pub(crate) stall: Duration,
    /// How long a command takes at most when it does not say.
    pub(crate) usual: Duration,
}

impl Habit {
    /// How long before its patience is over another connection is asked.
    pub(crate) fn lead(&self) -> Duration {
        self.stall / 2
    }
}

/// A server that owes a reply.
#[derive(Debug, Clone, Copy)]
pub(super) struct Silence {
    /// When it was last heard on this connection, or else when the oldest command was submitted.
    pub(super) since: Instant,
    /// When it last answered on another connection.
    pub(super) answered: Option<Instant>,
    /// When another connection was first asked.
    pub(super) asked: Option<Instant>,
    /// How long the oldest command lets it be silent.
    pub(super) patience: Duration,
    /// By when the oldest command, or one that was submitted with it, must be answered.
    pub(super) deadline: Instant,
    pub(super) habit: Habit,
}

/// What to do about a silence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outlook {
    /// Nothing before then.
    Bearable(Instant),
    /// Another connection is to be asked, or is being asked since `asked`; decide anew at `until`.
    Ask { asked: Instant, until: Instant },
    /// It was silent for this long on every connection.
    Stalled(Duration),
    /// A reply has been overdue for this long.
    Overdue(Duration),
}

/// What a check found out about the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Concern {
    /// It has been silent for so long that another connection should be asked whether it answers there.
    Ask,
    /// It has been silent on every connection for this long, which is longer than it may.
    Stalled(Duration),
    /// The oldest reply has been overdue for this long.
    Overdue(Duration),
}

impl Silence {
    pub(super) fn outlook(&self, now: Instant) -> Outlook {
        let overdue_at = self.deadline + self.habit.stall;
        if overdue_at <= now {
            return Outlook::Overdue(now - self.deadline);
        }
        let counts_from = self.answered.map_or(self.since, |answered| answered.max(self.since));
        let ask_at = counts_from + self.patience.saturating_sub(self.habit.lead());
        if now < ask_at {
            return Outlook::Bearable(ask_at.min(overdue_at));
        }
        let asked = self.asked.filter(|at| *at >= counts_from).unwrap_or(now);
        let until = (counts_from + self.patience).max(asked + self.habit.lead());
        if until <= now {
            return Outlook::Stalled(now - self.since);
        }
        Outlook::Ask { asked, until: until.min(overdue_at) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_of_the_table() {
        let start = Instant::now();
        let ms = Duration::from_millis;
        let at = |time| start + ms(time);
        let habit = Habit { stall: ms(2000), usual: ms(5000) };
        let plain = Silence {
            since: start,
            answered: None,
            asked: None,
            patience: ms(2000),
            deadline: at(5000),
            habit,
        };
        let asked = |time| Silence { asked: Some(at(time)), ..plain };
        let answered = |time| Silence { answered: Some(at(time)), ..asked(1000) };
        let patient = Silence { patience: ms(30_000), deadline: at(30_000), ..plain };
        let ask = |asked, until| Outlook::Ask { asked: at(asked), until: at(until) };
        let rows = [
            ("has time", plain, 999, Outlook::Bearable(at(1000))),
            ("is asked for", plain, 1000, ask(1000, 2000)),
            ("is being asked for", asked(1000), 1500, ask(1000, 2000)),
            ("nobody answered", asked(1000), 2000, Outlook::Stalled(ms(2000))),
            ("nobody had time to answer", plain, 3000, ask(3000, 4000)),
            ("nobody had time to answer", asked(3000), 4000, Outlook::Stalled(ms(4000))),
            ("answered elsewhere", answered(1100), 2000, Outlook::Bearable(at(2100))),
            ("is asked for again", answered(1100), 2100, ask(2100, 3100)),
            ("no longer answers elsewhere", Silence { asked: Some(at(2100)), ..answered(1100) }, 3100, {
                Outlook::Stalled(ms(3100))
            }),
            ("answers elsewhere for ever", answered(6900), 6999, Outlook::Bearable(at(7000))),
            ("answers elsewhere for ever", answered(6900), 7000, Outlook::Overdue(ms(2000))),
            ("drips", Silence { since: at(6900), ..plain }, 7000, Outlook::Overdue(ms(2000))),
            ("is patient", patient, 28_999, Outlook::Bearable(at(29_000))),
            ("is patient", patient, 29_000, ask(29_000, 30_000)),
            ("has no patience", Silence { patience: Duration::ZERO, ..plain }, 0, ask(0, 1000)),
        ];
        for (what, silence, now, outlook) in rows {
            assert_eq!(silence.outlook(at(now)), outlook, "a server that {what}, after {now} ms");
        }
    }
}
