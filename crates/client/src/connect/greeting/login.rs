//! How to introduce oneself.

use crate::config::{Credentials, Protocol};

/// What to say first on a connection.
#[derive(Debug, Clone, Default)]
pub(crate) struct Login {
    pub(crate) protocol: Protocol,
    pub(crate) credentials: Option<Credentials>,
    pub(crate) client_name: Option<String>,
    /// The database to select: 0 is where a connection begins.
    pub(crate) database: u32,
    /// Asks for permission to read from the node while it is a replica.
    pub(crate) readonly: bool,
}
