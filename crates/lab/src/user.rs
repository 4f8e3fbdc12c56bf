//! Users of the servers, besides the default one.

/// Who runs the lab's own commands where the default user may not.
pub(crate) const OPERATOR: &str = "operator";

/// A user of every server.
#[derive(Clone)]
pub(crate) struct User {
    pub(crate) name: String,
    /// `None` for one that needs none.
    pub(crate) password: Option<String>,
    /// As `ACL SETUSER` takes them.
    pub(crate) rules: String,
}

impl User {
    /// Why it cannot be written into a configuration.
    pub(crate) fn fault(&self) -> Option<String> {
        let Self { name, password, rules } = self;
        let is_word =
            !name.is_empty() && !name.contains(|c: char| c.is_whitespace() || c.is_control() || c == '"');
        let texts = [Some(rules), password.as_ref()];
        if ["default", OPERATOR].contains(&&**name) {
            Some(format!("the user {name:?} belongs to the lab"))
        } else if !is_word {
            Some(format!("{name:?} is no name for a user"))
        } else if texts.into_iter().flatten().any(|text| text.contains(char::is_control)) {
            Some(format!("the password or the rules of {name:?} run over the end of a line"))
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_fit_on_a_line_and_are_not_the_labs_own() {
        let rows = [
            ("app", None, "~* +@all", None),
            ("app", Some("p w\"d"), "", None),
            ("", None, "", Some("no name")),
            ("a b", None, "", Some("no name")),
            ("default", None, "", Some("belongs to the lab")),
            (OPERATOR, None, "", Some("belongs to the lab")),
            ("app", None, "~*\nrequirepass x", Some("end of a line")),
            ("app", Some("a\nb"), "~*", Some("end of a line")),
        ];
        for (name, password, rules, expected) in rows {
            let user = User {
                name: name.to_owned(),
                password: password.map(str::to_owned),
                rules: rules.to_owned(),
            };
            let fault = user.fault().unwrap_or_default();
            assert_eq!(fault.is_empty(), expected.is_none(), "{name:?}: {fault}");
            assert!(fault.contains(expected.unwrap_or_default()), "{name:?}: {fault}");
            assert!(password.is_none_or(|password| !fault.contains(password)), "{fault}");
        }
    }
}
