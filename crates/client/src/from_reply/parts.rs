//! What the parts of a command answered, as values: when some nodes failed, what the others said is not lost.

use super::FromReply;
use crate::error::{Error, PartOutcome};

impl PartOutcome {
    /// Its reply as a value, decoded as [`Client::execute`](crate::Client::execute) decodes one. See the
    /// [example](crate::error::PartialError#examples).
    ///
    /// # Errors
    /// Why the part failed, and [`Error::Type`] where its reply does not become `T`.
    pub fn value<T: FromReply>(&self) -> Result<T, Error> {
        Ok(T::from_reply(self.outcome.clone()?)?)
    }
}

#[cfg(test)]
mod tests {
    use truename_resp::Reply;

    use super::*;

    #[test]
    fn a_part_is_a_value_or_says_why_it_is_not() {
        let part = |outcome| PartOutcome::new(None, None, Vec::new(), outcome);
        let values = part(Ok(Reply::Array(vec![Reply::Bulk("1".into()), Reply::Nil])));
        assert_eq!(values.value::<Vec<Option<i64>>>().expect("values"), [Some(1), None]);
        assert!(matches!(values.value::<i64>(), Err(Error::Type(_))));
        assert!(matches!(part(Err(Error::Closed)).value::<i64>(), Err(Error::Closed)));
    }
}
