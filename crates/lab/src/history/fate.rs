//! How a call ended. The lab knows no client: what an error of one proves is for its user to say.

/// How a call ended, as far as its caller knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate<T> {
    /// It was executed, and this is its reply.
    Acknowledged(T),
    /// It got this reply, which no call of its kind has.
    Foreign(String),
    /// It was not executed and never will be: the client vouches for that.
    Refused,
    /// It may have been executed, or not.
    Unknown,
}

impl Fate<String> {
    /// The reply to a `SET` is `OK`, and any other one belongs to another call.
    #[must_use]
    pub fn ok(self) -> Fate<()> {
        match self {
            Self::Acknowledged(reply) if reply == "OK" => Fate::Acknowledged(()),
            Self::Acknowledged(reply) | Self::Foreign(reply) => Fate::Foreign(reply),
            Self::Refused => Fate::Refused,
            Self::Unknown => Fate::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_ok_acknowledges_a_set() {
        fn foreign<T>(text: &str) -> Fate<T> {
            Fate::Foreign(text.to_owned())
        }
        for (reply, fate) in [
            (Fate::Acknowledged("OK".to_owned()), Fate::Acknowledged(())),
            (Fate::Acknowledged("ok".to_owned()), foreign("ok")),
            (foreign("an array"), foreign("an array")),
            (Fate::Refused, Fate::Refused),
            (Fate::Unknown, Fate::Unknown),
        ] {
            assert_eq!(reply.clone().ok(), fate, "{reply:?}");
        }
    }
}
