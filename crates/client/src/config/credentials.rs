//! The client's credentials. A password never appears in `Debug`, errors or logs.

use std::fmt;

/// A user name and password, or a password alone for the default user.
///
/// # Examples
/// ```
/// use truename::Credentials;
///
/// assert_eq!(Credentials::password("secret").user_name(), None);
/// let of_a_user = Credentials::user("checkout", "secret");
/// assert_eq!(of_a_user.user_name(), Some("checkout"));
/// assert!(!format!("{of_a_user:?}").contains("secret"));
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    user: Option<String>,
    password: String,
}

impl Credentials {
    /// The user that logs in with a password alone.
    pub(crate) const DEFAULT_USER: &'static str = "default";

    /// The default user's password. See the [example](Credentials#examples).
    pub fn password(password: impl Into<String>) -> Self {
        Self { user: None, password: password.into() }
    }

    /// An ACL user (server 6.0 and later). See the [example](Credentials#examples).
    pub fn user(user: impl Into<String>, password: impl Into<String>) -> Self {
        Self { user: Some(user.into()), password: password.into() }
    }

    /// The user name; `None` for the default user. See the [example](Credentials#examples).
    pub fn user_name(&self) -> Option<&str> {
        self.user.as_deref()
    }

    pub(crate) fn secret(&self) -> &str {
        &self.password
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("user", &self.user).field("password", &"[hidden]").finish()
    }
}
