//! [`Instead`]: what does the work of a command that a plain call refuses, and the table of these commands.
//!
//! What must stay true: every command that the table of commands refuses without a node has a remedy here or the general one of
//! its refusal (`command::spec::refusal_tests` compares the two tables).

use super::Remedy;
use super::setting::{Call, Setting, Spelling, spelled};

/// What does the work of a command that a plain call refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Instead {
    /// A transaction, or an atomic batch.
    Transaction,
    /// A transaction, or keys that are watched by hand.
    Watch,
    /// The end of a batch, or a connection of the caller's own.
    EndOfBatch,
    /// A scan of the whole cluster.
    Scan,
    /// A monitor.
    Monitor,
    /// A connection of the caller's own.
    Dedicated,
    /// Nothing yet: subscriptions.
    Subscriptions,
    /// Nothing yet: client-side caching.
    Caching,
    /// The configured login.
    Login,
    /// The configured database.
    Database,
    /// The configured protocol, login and name.
    Greeting,
    /// The configured name of connections.
    ConnectionName,
    /// Nothing: each connection says it when it is made.
    Handshake,
    /// Nothing: what the configuration says about reads.
    ReadMode,
    /// Nothing: redirects are followed.
    Redirects,
    /// A call without a value, or a batch.
    Replies,
    /// The end of the client.
    Shutdown,
    /// Nothing: servers speak like this with each other.
    Servers,
    /// Another program: a debugger.
    Debugger,
}

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
pub(in crate::error) fn instead_of(command: &str) -> Option<&'static Remedy> {
    let has = |names: &[&str]| names.iter().any(|name| name.eq_ignore_ascii_case(command));
    TABLE.iter().find(|(_, names)| has(names)).map(|(remedy, _)| remedy)
}

/// The commands of the table.
#[cfg(test)]
pub(crate) fn commands() -> impl Iterator<Item = &'static str> {
    TABLE.iter().flat_map(|(_, names)| *names).copied()
}

impl Instead {
    pub(super) fn sentence(self, spelling: Spelling) -> String {
        let set = |setting: Setting| spelled(setting, spelling);
        let call = |call: Call| spelled(Setting::Call(call), spelling);
        match self {
            Self::Transaction => format!(
                "give the commands to {}, or, where values are read before they are written, to {}",
                call(Call::AtomicBatch),
                call(Call::Transaction)
            ),
            Self::Watch => format!(
                "{} watches keys, and starts over if another client changed them first; {} does it step by step",
                call(Call::Transaction),
                call(Call::Watch)
            ),
            Self::EndOfBatch => format!(
                "it goes at the end of {}, behind writes of one node, or on {}, behind writes on the same connection",
                call(Call::Batch),
                call(Call::Dedicated)
            ),
            Self::Scan => format!(
                "{} returns the keys of all nodes; for those of one node, say which one with {}",
                call(Call::Scan),
                set(Setting::NodeChoice)
            ),
            Self::Monitor => format!("{} shows what a node executes", call(Call::Monitor)),
            Self::Dedicated => format!("{} gives a connection that nobody shares", call(Call::Dedicated)),
            Self::Subscriptions => {
                "this client has no subscriptions yet (no pub/sub): receive messages with another library; \
                 PUBLISH and SPUBLISH are plain calls"
                    .to_owned()
            }
            Self::Caching => format!(
                "this client has no client-side caching yet; {} gives a connection for it",
                call(Call::Dedicated)
            ),
            Self::Login => format!(
                "every connection logs in as {} says; for another user, make another client",
                set(Setting::Password)
            ),
            Self::Database => format!("choose one for all connections with {}", set(Setting::Database)),
            Self::Greeting => format!(
                "every connection begins with it, as {}, {} and {} say",
                set(Setting::Protocol),
                set(Setting::User),
                set(Setting::ConnectionName)
            ),
            Self::ConnectionName => format!("name all connections with {}", set(Setting::ConnectionName)),
            Self::Handshake => "every connection says it when it is made".to_owned(),
            Self::ReadMode => format!(
                "reads go to replicas with {}, and connections are told what they need to know",
                set(Setting::PreferReplica)
            ),
            Self::Redirects => "redirects are followed by the client, which sends ASKING itself".to_owned(),
            Self::Replies => format!(
                "every call has its reply: {} is for those whose value does not matter, {} waits once for many",
                call(Call::Run),
                call(Call::Batch)
            ),
            Self::Shutdown => format!("{} ends all connections of the client", call(Call::Shutdown)),
            Self::Servers => "servers say it to each other: no call does it".to_owned(),
            Self::Debugger => "redis-cli and valkey-cli have the debugger for it".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
