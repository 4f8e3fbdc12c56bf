//! What the parts of a command answered, as values: when some nodes failed, what the others said is not lost.

use super::FromReply;
use super::forms::one_for_each;
use crate::error::{Error, PartOutcome, PartialError, TypeError};

impl PartialError {
    /// The values of a command that has one for each key (`MGET`), in the order of its keys: what came, and for each key of a
    /// part that failed, why.
    ///
    /// As many as the command has keys: none for one without keys (`DBSIZE`).
    ///
    /// ```no_run
    /// # async fn example(client: truename::Client) -> Result<(), truename::Error> {
    /// use truename::{Error, cmd};
    ///
    /// let keys = ["visits:ada", "visits:grace", "visits:barbara"];
    /// // `None`: nobody knows. `Some(None)`: there is no such key.
    /// let visits: Vec<Option<Option<i64>>> = match client.execute::<Vec<_>>(cmd("MGET").args(keys)).await {
    ///     Ok(all) => all.into_iter().map(Some).collect(),
    ///     Err(Error::Partial(partial)) => partial.values_in_order().into_iter().map(Result::ok).collect(),
    ///     Err(other) => return Err(other),
    /// };
    /// for (key, visits) in keys.iter().zip(visits) {
    ///     println!("{key}: {visits:?}");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// In the place of a value: why its part failed; [`Error::Type`] where it does not become `T`, and for every key of a part
    /// whose reply does not have one value for each key (`MSET`, `DEL`).
    pub fn values_in_order<T: FromReply>(&self) -> Vec<Result<T, Error>> {
        let placed = self.parts.iter().flat_map(|part| part.places.iter().zip(self.values_of(part)));
        let mut values: Vec<_> = placed.collect();
        values.sort_by_key(|(place, _)| **place);
        values.into_iter().map(|(_, value)| value).collect()
    }

    /// A part's values, in the order of its keys.
    fn values_of<T: FromReply>(&self, part: &PartOutcome) -> Vec<Result<T, Error>> {
        let named =
            |error: TypeError| Error::from(error).in_reply_to(&self.command, part.node.as_ref(), part.slot);
        let count = part.places.len();
        match part.outcome.clone().and_then(|reply| one_for_each(reply, count).map_err(named)) {
            Ok(elements) => {
                elements.into_iter().map(|element| T::from_reply(element).map_err(named)).collect()
            }
            Err(error) => vec![error; count].into_iter().map(Err).collect(),
        }
    }
}

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

    fn part(outcome: Result<Reply, Error>) -> PartOutcome {
        PartOutcome::new(None, None, Vec::new(), outcome)
    }

    fn array(items: &[&'static str]) -> Result<Reply, Error> {
        Ok(Reply::Array(items.iter().map(|&item| Reply::Bulk(item.into())).collect()))
    }

    #[test]
    fn a_part_is_a_value_or_says_why_it_is_not() {
        let values = part(Ok(Reply::Array(vec![Reply::Bulk("1".into()), Reply::Nil])));
        assert_eq!(values.value::<Vec<Option<i64>>>().expect("values"), [Some(1), None]);
        assert!(matches!(values.value::<i64>(), Err(Error::Type(_))));
        assert!(matches!(part(Err(Error::Closed)).value::<i64>(), Err(Error::Closed)));
    }

    #[test]
    fn values_stand_where_their_keys_do() {
        let parts = vec![
            part(array(&["50", "20"])).at(&[5, 2]),
            part(Err(Error::Closed)).at(&[1, 4]),
            part(array(&["x", "0"])).at(&[3, 0]),
            // One value too few: whose they are is not known.
            part(array(&["60"])).at(&[6, 7]),
            part(Ok(Reply::Integer(1))).at(&[8]),
        ];
        let Error::Partial(partial) = Error::partial("MGET", parts, true) else { unreachable!() };
        let shown = |value: Result<i64, Error>| match value {
            Ok(value) => value.to_string(),
            Err(Error::Closed) => "closed".to_owned(),
            Err(Error::Type(error)) => format!("not of {}", error.command().unwrap_or_default()),
            Err(error) => panic!("{error}"),
        };
        let values: Vec<_> = partial.values_in_order().into_iter().map(shown).collect();
        let wrong = "not of MGET";
        assert_eq!(values, ["0", "closed", "20", wrong, "closed", "50", wrong, wrong, wrong]);

        let Error::Partial(partial) = Error::partial("DBSIZE", vec![part(Ok(Reply::Integer(1)))], true)
        else {
            unreachable!()
        };
        assert!(partial.values_in_order::<i64>().is_empty());
    }
}
