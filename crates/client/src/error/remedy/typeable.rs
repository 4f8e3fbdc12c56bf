//! What peers chose and people are to type: only names and addresses, in our own spelling, since anything else may mean
//! something to a shell.

use truename_topology::IdentityName;

/// The name, or a placeholder where what was announced is none.
pub(super) fn typeable(name: Option<&IdentityName>) -> String {
    name.map_or_else(|| "NAME".to_owned(), ToString::to_string)
}

/// The same as a dial rule has it.
pub(super) fn host_in_rule(name: Option<&IdentityName>) -> String {
    let host = typeable(name);
    if host.contains(':') { format!("[{host}]") } else { host }
}
