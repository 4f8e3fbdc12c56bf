//! [`Setting`]: a part of the configuration or of a call that advice names, and how it is spelled: as calls of this library, or
//! as the options of a program that uses it.
//!
//! What must stay true: a text that a setting holds can be typed into a shell and into source code as it is. It is a name or an
//! address in our own spelling, a pin, or a placeholder in capitals.

use std::fmt;

/// A part of the configuration or of a call, with the value that it should have.
///
/// Exhaustive on purpose, like [`CauseKind`](crate::error::CauseKind): a program that has its own name for each learns from
/// the compiler which ones it lacks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Setting {
    /// A name or address that the cluster may announce, or `*.DOMAIN`.
    Trust(String),
    /// A rule that says where to dial, in its text form.
    DialRule(String),
    /// The address of this host.
    Resolve(String),
    /// A further name that is acceptable for every node.
    VerifyAs(String),
    /// The only acceptable name.
    VerifyOnly(String),
    /// Which names are acceptable.
    IdentityPolicy,
    /// The trusted authorities.
    AuthorityFile,
    /// A revocation list.
    RevocationListFile,
    /// A pinned public key, in its text form.
    Pin(String),
    /// TLS 1.2 as the oldest version.
    Tls12,
    /// The client certificate and its private key.
    ClientCertificate,
    /// The password.
    Password,
    /// The user's name.
    User,
    /// Plaintext instead of TLS.
    Plaintext,
    /// The password in plaintext, whatever the provider.
    PlaintextCredentials,
    /// TLS without verification.
    AcceptInvalidCertificates,
    /// The number of the database.
    Database,
    /// RESP3 where the server knows it, RESP2 otherwise.
    AnyProtocol,
    /// The time for connecting as a whole.
    ConnectTimeout,
    /// The time for a command as a whole.
    CommandTimeout,
    /// How long a server may be silent.
    StallTimeout,
    /// How many connections to a node may be for one call each.
    MaxExclusiveConnections,
    /// What a reply may hold.
    ReplyLimits,
    /// The node that a command is for, where it could be any.
    NodeChoice,
    /// All nodes as those that a command goes to.
    AllNodes,
    /// What shows the nodes of the topology.
    NodeList,
    /// Reads from replicas, and from the primary where no replica can serve them.
    PreferReplica,
    /// All primaries as those that a command goes to.
    AllPrimaries,
    /// All nodes, replicas too, as those that a command goes to.
    EveryNode,
    /// The name that connections have on their servers.
    ConnectionName,
    /// The version of the protocol.
    Protocol,
    /// A call of this library, in whose place a program may have nothing.
    Call(Call),
}

/// A call of this library that does what another one refuses. `Display` gives its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Call {
    /// `Client::batch`.
    Batch,
    /// `Client::batch().atomic()`.
    AtomicBatch,
    /// `Client::transaction`.
    Transaction,
    /// `Client::watch`.
    Watch,
    /// `Client::scan`.
    Scan,
    /// `Client::monitor`.
    Monitor,
    /// `Client::dedicated`.
    Dedicated,
    /// `Client::run`.
    Run,
    /// `Client::shutdown`.
    Shutdown,
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Batch => "Client::batch",
            Self::AtomicBatch => "Client::batch().atomic()",
            Self::Transaction => "Client::transaction",
            Self::Watch => "Client::watch",
            Self::Scan => "Client::scan",
            Self::Monitor => "Client::monitor",
            Self::Dedicated => "Client::dedicated",
            Self::Run => "Client::run",
            Self::Shutdown => "Client::shutdown",
        })
    }
}

/// How a program spells settings.
pub type Spelling = fn(&Setting, &mut fmt::Formatter<'_>) -> fmt::Result;

/// As calls of this library.
pub(in crate::error) fn as_calls(setting: &Setting, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match setting {
        Setting::Trust(name) => write!(f, "Config::trust(\"{name}\".parse()?)"),
        Setting::DialRule(rule) => write!(f, "Config::dial_rule(\"{rule}\")"),
        Setting::Resolve(host) => write!(f, "Config::resolve(\"{host}\", None, ADDR)"),
        Setting::VerifyAs(name) => write!(f, "Config::verify_as(\"{name}\".parse()?)"),
        Setting::VerifyOnly(name) => write!(f, "Config::identity(IdentityPolicy::Only(\"{name}\".parse()?))"),
        Setting::IdentityPolicy => f.write_str("Config::identity, or give it IdentityPolicy::AnyOf"),
        Setting::AuthorityFile => f.write_str("Tls::ca_file(FILE)"),
        Setting::RevocationListFile => f.write_str("Tls::crl_file(FILE)"),
        Setting::Pin(pin) => write!(f, "Tls::pin(\"{pin}\".parse()?)"),
        Setting::Tls12 => f.write_str("Tls::min_version(TlsVersion::Tls12)"),
        Setting::ClientCertificate => f.write_str("Tls::client_certificate_files(CERT, KEY)"),
        Setting::Password => f.write_str("Config::password or Config::credentials"),
        Setting::User => f.write_str("Config::credentials"),
        Setting::Plaintext => f.write_str("Config::plaintext"),
        Setting::PlaintextCredentials => f.write_str("Config::danger_plaintext_credentials"),
        Setting::AcceptInvalidCertificates => f.write_str("Tls::danger_accept_invalid_certificates"),
        Setting::Database => f.write_str("Config::database"),
        Setting::AnyProtocol => f.write_str("Config::protocol(Protocol::Auto)"),
        Setting::ConnectTimeout => f.write_str("Config::connect_timeout"),
        Setting::CommandTimeout => f.write_str("Command::timeout"),
        Setting::StallTimeout => f.write_str("Config::stall_timeout"),
        Setting::MaxExclusiveConnections => {
            f.write_str("Config::max_exclusive_connections (`max_exclusive=` in a URL)")
        }
        Setting::ReplyLimits => f.write_str("Config::reply_limits"),
        Setting::NodeChoice => {
            f.write_str("Command::route_to, Command::route_by_key or Command::route_to_any")
        }
        Setting::AllNodes => f.write_str("Client::on_primaries or Client::on_all_nodes"),
        Setting::NodeList => f.write_str("Client::nodes"),
        Setting::PreferReplica => f.write_str("Config::read_from(ReadFrom::PreferReplica)"),
        Setting::AllPrimaries => f.write_str("Client::on_primaries"),
        Setting::EveryNode => f.write_str("Client::on_all_nodes"),
        Setting::ConnectionName => f.write_str("Config::client_name"),
        Setting::Protocol => f.write_str("Config::protocol"),
        Setting::Call(call) => write!(f, "{call}"),
    }
}

/// A setting within a sentence.
pub(super) struct Spelled {
    setting: Setting,
    spelling: Spelling,
}

pub(super) fn spelled(setting: Setting, spelling: Spelling) -> Spelled {
    Spelled { setting, spelling }
}

impl fmt::Display for Spelled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (self.spelling)(&self.setting, f)
    }
}
