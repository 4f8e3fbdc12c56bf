//! [`Json`]: text that is JSON, as replies and as arguments.

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use truename_resp::Reply;

use crate::command::Arg;
use crate::error::TypeError;
use crate::from_reply::FromReply;

/// A value that is kept as JSON: what `serde_json` reads from a reply, and writes as an argument. Needs the feature `json`.
///
/// A reply must be text that is JSON for a `T`. A key that does not exist is nil, for which there is `Option<Json<T>>`;
/// the JSON `null` is for `Json<Option<T>>`. A [`TypeError`] says where the text differs, and shows none of it.
///
/// # Examples
/// ```no_run
/// use serde::{Deserialize, Serialize};
/// use truename::{Client, Json, cmd};
///
/// #[derive(Serialize, Deserialize)]
/// struct Profile {
///     name: String,
///     visits: u64,
/// }
///
/// async fn visit(client: &Client, key: &str) -> Result<u64, Box<dyn std::error::Error>> {
///     let found: Option<Json<Profile>> = client.execute(cmd("GET").arg(key)).await?;
///     let mut profile = found.map_or_else(|| Profile { name: "new".into(), visits: 0 }, |Json(found)| found);
///     profile.visits += 1;
///     client.run(cmd("SET").arg(key).arg(Json(&profile).to_arg()?)).await?;
///     Ok(profile.visits)
/// }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Json<T>(
    /// The value.
    pub T,
);

impl<T: Serialize> Json<T> {
    /// The value as an argument. See the [example](Json#examples).
    ///
    /// # Errors
    /// The value has no JSON, as a map whose keys are not text has none, or its own `Serialize` fails.
    pub fn to_arg(&self) -> Result<Arg<'static>, serde_json::Error> {
        serde_json::to_vec(&self.0).map(|json| Arg::shared(Bytes::from(json)))
    }
}

impl<T: DeserializeOwned> FromReply for Json<T> {
    fn from_reply(reply: Reply) -> Result<Self, TypeError> {
        let text = reply.as_bytes().ok_or_else(|| TypeError::new("JSON text", reply.kind()))?;
        serde_json::from_slice(text).map(Self).map_err(|error| {
            // What serde says may hold the text itself: the place must do.
            let place =
                format!("line {}, column {}: {:?} error", error.line(), error.column(), error.classify());
            TypeError::new("JSON text", reply.kind()).with_detail(place)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::cmd;
    use crate::command::Arguments;

    #[test]
    fn values_are_read_and_written() {
        let map = BTreeMap::from([("a".to_owned(), vec![1, 2])]);
        let arg = Json(&map).to_arg().expect("JSON");
        let command = cmd("SET").arg("k").arg(arg);
        assert_eq!(command.at(2), Some(br#"{"a":[1,2]}"#.as_slice()));
        let reply = Reply::Bulk(Bytes::copy_from_slice(command.at(2).expect("there")));
        assert_eq!(Json::from_reply(reply), Ok(Json(map)));
        assert_eq!(Option::<Json<u8>>::from_reply(Reply::Nil), Ok(None));
        assert_eq!(Json::<Option<u8>>::from_reply(Reply::Bulk("null".into())), Ok(Json(None)));
        assert!(Json(BTreeMap::from([((1, 2), 3)])).to_arg().is_err());
    }

    #[test]
    fn an_error_says_where_and_shows_nothing() {
        for (text, said) in [
            ("[1,\"sesame\"]", "line 1, column 11: Data error"),
            ("[1,", "line 1, column 3: Eof error"),
            ("sesame", "Syntax error"),
        ] {
            let error = Json::<Vec<u8>>::from_reply(Reply::Bulk(text.into())).expect_err(text).to_string();
            assert!(error.contains(said) && !error.contains("sesame"), "{error}");
        }
        assert!(Json::<u8>::from_reply(Reply::Integer(1)).is_err());
    }
}
