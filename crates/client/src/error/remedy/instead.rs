//! [`Instead`]: what does the work of a command that a plain call refuses, as data, and the sentence that says so. Which command
//! has which, `error::refused` says.

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
