//! How to introduce oneself.

use crate::config::{Credentials, Protocol};

/// What to say first on a connection.
#[derive(Debug, Clone)]
pub(crate) struct Login {
    pub(crate) protocol: Protocol,
    pub(crate) credentials: Option<Credentials>,
    pub(crate) client_name: Option<String>,
    /// Asks for permission to read from the node while it is a replica.
    pub(crate) readonly: bool,
}
