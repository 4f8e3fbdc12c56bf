//! What a [`PartialError`] says, and answers: a command that went to several nodes, of which not all gave a value.

use std::fmt;

use bytes::Bytes;
use truename_resp::{Reply, Untrusted};
use truename_topology::{Endpoint, Slot};

use super::remedy::{Remedy, Spelling, Tell, as_calls, tell_remedy};
use super::text::shown_key;
use super::{Error, PartOutcome, PartialError};

/// How many groups of failed parts a text tells of, and how many keys of each.
const TOLD: usize = 3;

impl PartOutcome {
    pub(crate) fn new(
        node: Option<Endpoint>,
        slot: Option<Slot>,
        keys: Vec<Bytes>,
        outcome: Result<Reply, Error>,
    ) -> Self {
        Self { node, slot, keys, outcome, places: Vec::new() }
    }

    /// Says which of the whole command's keys it has.
    pub(crate) fn at(mut self, places: &[usize]) -> Self {
        self.places = places.to_vec();
        self
    }
}

impl PartialError {
    /// The parts that failed.
    ///
    /// ```no_run
    /// # async fn example(client: truename::Client) {
    /// use truename::{Error, cmd};
    ///
    /// if let Err(Error::Partial(partial)) = client.execute::<u64>(cmd("DBSIZE")).await {
    ///     for (part, error) in partial.failed() {
    ///         println!("not counted: {:?}, {error}", part.node);
    ///     }
    /// }
    /// # }
    /// ```
    pub fn failed(&self) -> impl Iterator<Item = (&PartOutcome, &Error)> {
        self.parts.iter().filter_map(|part| Some((part, part.outcome.as_ref().err()?)))
    }

    pub(super) fn may_have_executed(&self) -> bool {
        self.parts.iter().any(|part| part.outcome.as_ref().map_or_else(Error::may_have_executed, |_| true))
    }

    pub(super) fn is_retryable(&self) -> bool {
        let has_no_effect = self.only_reads || self.parts.iter().all(|part| part.outcome.is_err());
        has_no_effect && self.failed().all(|(_, error)| error.is_retryable())
    }

    pub(super) fn first(&self) -> Option<(&PartOutcome, &Error)> {
        self.failed().next()
    }

    pub(super) fn remedy(&self) -> Option<&Remedy> {
        self.failed().find_map(|(_, error)| error.remedy())
    }

    pub(super) fn what(&self) -> String {
        What(self).to_string()
    }

    /// Failed parts by the node that they were for, and why the first one of each failed.
    fn by_node(&self) -> Vec<(Option<&Endpoint>, Vec<&PartOutcome>, &Error)> {
        let mut groups: Vec<(Option<&Endpoint>, Vec<&PartOutcome>, &Error)> = Vec::new();
        for (part, error) in self.failed() {
            match groups.iter_mut().find(|(node, ..)| *node == part.node.as_ref()) {
                Some((_, parts, _)) => parts.push(part),
                None => groups.push((part.node.as_ref(), vec![part], error)),
            }
        }
        groups
    }
}

/// What failed where, without what would help.
struct What<'e>(&'e PartialError);

impl fmt::Display for What<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(PartialError { command, parts, .. }) = self;
        let keys = parts.iter().map(|part| part.keys.len()).sum::<usize>();
        let failed_keys = self.0.failed().map(|(part, _)| part.keys.len()).sum::<usize>();
        write!(f, "{} failed ", Untrusted(command))?;
        match keys {
            0 => write!(f, "for {} of {} parts: ", self.0.failed().count(), parts.len())?,
            _ => write!(f, "for {failed_keys} of {keys} keys: ")?,
        }
        let groups = self.0.by_node();
        for (index, (node, parts, error)) in groups.iter().take(TOLD).enumerate() {
            f.write_str(if index > 0 { "; " } else { "" })?;
            let names: Vec<_> = parts.iter().flat_map(|part| &part.keys).collect();
            let told: Vec<_> = names.iter().take(TOLD).map(|key| shown_key(key)).collect();
            f.write_str(&told.join(", "))?;
            if names.len() > TOLD {
                write!(f, " and {} more", names.len() - TOLD)?;
            }
            if let Some(node) = node {
                write!(f, "{}{node}", if names.is_empty() { "" } else { " at " })?;
            }
            let has_place = node.is_some() || !names.is_empty();
            write!(f, "{}{}", if has_place { ": " } else { "" }, error.in_brief().0)?;
        }
        match groups.len().saturating_sub(TOLD) {
            0 => Ok(()),
            more => write!(f, "; and on {more} more"),
        }
    }
}

impl Tell for PartialError {
    fn tell(&self, f: &mut fmt::Formatter<'_>, spelling: Spelling) -> fmt::Result {
        write!(f, "{}", What(self))?;
        tell_remedy(f, self.remedy(), spelling)
    }
}

impl fmt::Display for PartialError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.tell(f, as_calls)
    }
}

/// Without keys and values.
impl fmt::Debug for PartialError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PartialError")
            .field("command", &self.command)
            .field("parts", &self.parts)
            .finish_non_exhaustive()
    }
}

/// Without keys and values.
impl fmt::Debug for PartOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PartOutcome")
            .field("node", &self.node)
            .field("slot", &self.slot)
            .field("keys", &self.keys.len())
            .field("outcome", &self.outcome.as_ref().map(Reply::kind))
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::super::{RouteError, TimeoutError};
    use bytes::Bytes;
    use truename_topology::Slot;

    use super::*;
    use crate::error::Execution;

    fn timed_out(execution: Execution) -> Error {
        Error::Timeout(Box::new(TimeoutError {
            after: std::time::Duration::from_secs(1),
            execution,
            node: None,
            slot: None,
            attempts: 1,
            last_cause: None,
            last_refusal: None,
            remedy: None,
        }))
    }

    fn part(node: &str, keys: &[&str], outcome: Result<Reply, Error>) -> PartOutcome {
        let keys = keys.iter().map(|key| Bytes::copy_from_slice(key.as_bytes())).collect();
        PartOutcome::new(Some(Endpoint::new(node, 1)), None, keys, outcome)
    }

    fn partial(parts: Vec<PartOutcome>, only_reads: bool) -> Error {
        Error::Partial(Box::new(PartialError { command: "MGET".to_owned(), parts, only_reads }))
    }

    #[test]
    fn the_text_says_which_keys_at_which_node_and_why() {
        let lost = || Err(Error::Route(Box::new(RouteError::Unassigned { slot: Slot::of_key(b"x") })));
        let error = partial(
            vec![
                part("a", &["k1", "k2"], Ok(Reply::Integer(1))),
                part("b", &["k3\u{1b}", "k4"], lost()),
                part("b", &["k5", "k6"], lost()),
                part("c", &["k7"], Err(timed_out(Execution::Possible))),
            ],
            true,
        );
        let slot = Slot::of_key(b"x");
        assert_eq!(
            error.to_string(),
            format!(
                "MGET failed for 5 of 7 keys: \"k3\\u{{1b}}\", \"k4\", \"k5\" and 1 more at b:1: no node serves slot {slot}; \
                 \"k7\" at c:1: no reply within 1000 ms; the command may have been executed"
            )
        );
        assert_eq!(error.node().map(Endpoint::host), Some("b"));
        let shown = format!("{error:#?}");
        assert!(
            shown.starts_with("Partial(") && !shown.contains("k4") && shown.contains("keys: 2"),
            "{shown}"
        );

        let error = partial(vec![part("a", &[], Ok(Reply::Nil)), part("b", &[], lost())], true);
        assert_eq!(
            error.to_string(),
            format!("MGET failed for 1 of 2 parts: b:1: no node serves slot {slot}")
        );
    }

    #[test]
    fn it_was_executed_where_a_part_was_and_is_repeated_only_without_effect() {
        let not_sent = || Err(timed_out(Execution::NotSent));
        let unknown = || Err(timed_out(Execution::Possible));
        let ok = || Ok(Reply::Integer(1));
        // Whether the command only reads; executed? Worth another try?
        let rows = [
            (vec![ok(), not_sent()], true, true, true),
            (vec![ok(), not_sent()], false, true, false),
            (vec![not_sent(), not_sent()], false, false, true),
            (vec![not_sent(), unknown()], false, true, false),
            (vec![not_sent(), Err(Error::Closed)], true, false, false),
        ];
        for (outcomes, only_reads, is_executed, is_retryable) in rows {
            let parts = outcomes.into_iter().map(|outcome| part("a", &["k"], outcome)).collect();
            let error = partial(parts, only_reads);
            assert_eq!(error.may_have_executed(), is_executed, "{error}");
            assert_eq!(error.is_retryable(), is_retryable, "{error}");
        }
    }
}
