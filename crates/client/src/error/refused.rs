//! The table of commands that a plain call refuses, by what does their work.
//!
//! What must stay true: every command that the table of commands refuses without a node has a remedy here or the general one of
//! its refusal (`command::spec::refusal_tests` compares the two tables).

use super::remedy::{Instead, Remedy};

/// Commands that a plain call refuses, by what does their work. What is not here has the general remedy of its refusal.
const TABLE: &[(Remedy, &[&str])] = &[
    (Remedy::Instead(Instead::Transaction), &["MULTI", "EXEC", "DISCARD"]),
    (Remedy::Instead(Instead::Watch), &["WATCH", "UNWATCH"]),
    (Remedy::Instead(Instead::EndOfBatch), &["WAIT", "WAITAOF"]),
    (Remedy::Instead(Instead::Scan), &["SCAN"]),
    (Remedy::Instead(Instead::Monitor), &["MONITOR"]),
    (
        Remedy::Instead(Instead::Subscriptions),
        &["SUBSCRIBE", "PSUBSCRIBE", "SSUBSCRIBE", "UNSUBSCRIBE", "PUNSUBSCRIBE", "SUNSUBSCRIBE"],
    ),
    (Remedy::Instead(Instead::Caching), &["CLIENT TRACKING", "CLIENT CACHING"]),
    (Remedy::Instead(Instead::Login), &["AUTH"]),
    (Remedy::Instead(Instead::Database), &["SELECT"]),
    (Remedy::Instead(Instead::Greeting), &["HELLO"]),
    (Remedy::Instead(Instead::ConnectionName), &["CLIENT SETNAME"]),
    (Remedy::Instead(Instead::Handshake), &["CLIENT SETINFO"]),
    (Remedy::Instead(Instead::ReadMode), &["READONLY", "READWRITE"]),
    (Remedy::Instead(Instead::Redirects), &["ASKING"]),
    (Remedy::Instead(Instead::Replies), &["CLIENT REPLY"]),
    (Remedy::Instead(Instead::Shutdown), &["QUIT"]),
    (Remedy::Instead(Instead::Servers), &["SYNC", "PSYNC", "REPLCONF", "CLUSTER SYNCSLOTS"]),
    (Remedy::Instead(Instead::Debugger), &["SCRIPT DEBUG"]),
    (
        Remedy::AllPrimaries,
        &[
            "FLUSHALL",
            "FLUSHDB",
            "FUNCTION DELETE",
            "FUNCTION FLUSH",
            "FUNCTION KILL",
            "FUNCTION RESTORE",
            "MEMORY PURGE",
            "SCRIPT KILL",
        ],
    ),
    (
        Remedy::EveryNode,
        &[
            "ACL DELROLE",
            "ACL DELUSER",
            "ACL GETUSER",
            "ACL LIST",
            "ACL LOAD",
            "ACL LOG",
            "ACL SAVE",
            "ACL SETROLE",
            "ACL SETUSER",
            "ACL USERS",
            "BGREWRITEAOF",
            "BGSAVE",
            "CLIENT KILL",
            "CLIENT LIST",
            "CLIENT PAUSE",
            "CLIENT UNPAUSE",
            "COMMANDLOG GET",
            "COMMANDLOG RESET",
            "CONFIG GET",
            "CONFIG RESETSTAT",
            "CONFIG REWRITE",
            "CONFIG SET",
            "LATENCY DOCTOR",
            "LATENCY GRAPH",
            "LATENCY HISTOGRAM",
            "LATENCY HISTORY",
            "LATENCY LATEST",
            "LATENCY RESET",
            "MODULE LIST",
            "MODULE LOAD",
            "MODULE LOADEX",
            "MODULE UNLOAD",
            "SAVE",
            "SCRIPT FLUSH",
            "SLOWLOG GET",
            "SLOWLOG RESET",
        ],
    ),
];

/// What does the work of the command with this name, if a call that refuses it is not all that can be said.
pub(super) fn instead_of(command: &str) -> Option<&'static Remedy> {
    let has = |names: &[&str]| names.iter().any(|name| name.eq_ignore_ascii_case(command));
    TABLE.iter().find(|(_, names)| has(names)).map(|(remedy, _)| remedy)
}

/// The commands of the table.
#[cfg(test)]
pub(crate) fn commands() -> impl Iterator<Item = &'static str> {
    TABLE.iter().flat_map(|(_, names)| *names).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Setting;

    /// Nothing is in the table twice.
    #[test]
    fn each_command_has_one_remedy() {
        let mut names: Vec<_> = commands().collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }

    /// Every call that a sentence names is one, whatever its words.
    #[test]
    fn each_sentence_names_what_does_the_work() {
        let rows: [(&str, &[&str]); 20] = [
            ("MULTI", &["Client::batch().atomic()", "Client::transaction"]),
            ("unwatch", &["Client::transaction", "Client::watch"]),
            ("WAITAOF", &["Client::batch", "Client::dedicated"]),
            ("SCAN", &["Client::scan", "Command::route_to"]),
            ("MONITOR", &["Client::monitor"]),
            ("PSUBSCRIBE", &["no subscriptions yet"]),
            ("CLIENT TRACKING", &["no client-side caching yet"]),
            ("AUTH", &["Config::credentials"]),
            ("SELECT", &["Config::database"]),
            ("HELLO", &["Config::protocol", "Config::credentials", "Config::client_name"]),
            ("CLIENT SETNAME", &["Config::client_name"]),
            ("CLIENT SETINFO", &["when it is made"]),
            ("READONLY", &["Config::read_from(ReadFrom::PreferReplica)"]),
            ("ASKING", &["redirects are followed"]),
            ("CLIENT REPLY", &["Client::run", "Client::batch"]),
            ("QUIT", &["Client::shutdown"]),
            ("PSYNC", &["to each other"]),
            ("SCRIPT DEBUG", &["redis-cli"]),
            ("FLUSHALL", &["Client::on_primaries", "Command::route_to"]),
            ("CONFIG SET", &["Client::on_all_nodes", "Command::route_to"]),
        ];
        for (command, parts) in rows {
            let told = instead_of(command).expect("a remedy").to_string();
            assert!(parts.iter().all(|part| told.contains(part)), "{command}: {told}");
        }
        assert_eq!(instead_of("GET"), None);
        let mine = |setting: &Setting, f: &mut std::fmt::Formatter<'_>| write!(f, "<{setting:?}>");
        for (remedy, _) in TABLE {
            let told = remedy.spelled(mine).to_string();
            assert!(!told.contains("Client::") && !told.contains("Config::"), "{told}");
        }
    }
}
