//! What happened to some of a batch, and what they need next.

use std::sync::Arc;

use super::lanes::Part;
use super::member::{Member, Outcome};
use super::usual::{UsualPart, Values};
use crate::cluster::Node;
use crate::lane::CloseCause;
use crate::router::judge::Setback;

/// What a future of the batch brought about.
#[derive(Default)]
pub(super) struct Step<'r, 'a> {
    pub(super) values: Values,
    pub(super) settled: Vec<(usize, Outcome)>,
    pub(super) setbacks: Vec<(Member<'r, 'a>, Setback, Arc<Node>)>,
    pub(super) next: Next<'r, 'a>,
}

/// What the members of a future that are still to be sent need.
#[derive(Default)]
pub(super) enum Next<'r, 'a> {
    #[default]
    Nothing,
    /// The next unit of each.
    SendUsual(Vec<UsualPart<'r, 'a>>),
    /// The next unit.
    Send(Part<'r, 'a>),
    /// A pause for those that were not sent, which the others of the part wait for as well.
    Pause { unsent: Vec<Unsent<'r, 'a>>, part: Part<'r, 'a> },
    /// To be sorted by what is known now.
    Sort(Vec<Member<'r, 'a>>),
}

/// A member that was not sent, and why.
pub(super) type Unsent<'r, 'a> = (Member<'r, 'a>, Arc<CloseCause>);
