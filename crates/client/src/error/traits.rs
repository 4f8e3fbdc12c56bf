//! What is known about each [`Cause`]: one row each, in one table, which does not compile without a row for every cause. What to
//! print and to advise, what to put first and what may pass is decided here and nowhere else.
//!
//! What must stay true: codes are for programs, and none is ever changed or used for something else.

use std::fmt;

use super::advice;
use super::case::Case;
use super::cause::Cause;
use super::kind::CauseKind;
use super::phase::Phase;
use super::remedy::{Check, Remedy};
use super::text::Text;

/// What is known about a cause.
struct Traits<'a> {
    /// A stable identifier.
    code: &'static str,
    /// How programs tell it from others.
    kind: CauseKind,
    transience: Transience,
    domain: FaultDomain,
    text: Text<'a>,
    advice: Advice,
}

/// Whether the same attempt may succeed a moment later without anybody changing a configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Transience {
    /// It may.
    Passes,
    /// It does not.
    Stays,
}

/// Where the cause lies, as far as it matters to what follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FaultDomain {
    /// What is announced is out of scope. That is what to fix, whatever became of a detour in its place.
    Scope,
    /// Within this process and its configuration.
    Here,
    /// Nothing is there, or nothing answers. While a TCP connection is opened that means: the node cannot be reached.
    Silence,
    /// Another fault of the network, or of what it leads to.
    Network,
    /// The TLS handshake, but not the server's certificate.
    Tls,
    /// The server's certificate.
    Certificate,
    /// The server said so: whatever it said, it is alive.
    Reply,
    /// A node other than the announced one answered, or one that does not prove that it is the announced one.
    Stranger,
}

/// What to advise.
enum Advice {
    /// Nothing better than the cause can be said.
    Nothing,
    /// This, whatever else is known.
    Say(Remedy),
    /// It depends on the attempt.
    Ask(fn(&Case<'_>) -> Option<Remedy>),
}

fn say(check: Check) -> Advice {
    Advice::Say(Remedy::Check(check))
}

fn row<'a>(
    code: &'static str,
    kind: CauseKind,
    transience: Transience,
    domain: FaultDomain,
    text: Text<'a>,
    advice: Advice,
) -> Traits<'a> {
    Traits { code, kind, transience, domain, text, advice }
}

impl Cause {
    /// The table.
    #[rustfmt::skip]
    fn traits(&self) -> Traits<'_> {
        use Advice::{Ask, Nothing, Say};
        use CauseKind as Kind;
        use FaultDomain::{Certificate, Here, Network, Reply, Scope, Silence, Stranger, Tls};
        use Transience::{Passes, Stays};
        let plain = Text::plain;
        match self {
            Self::Unplannable(why) => row("unplannable", Kind::Configuration, Stays, Here,
                Text::with("no address to dial: {}", why), Nothing),
            Self::OutOfScope(name) => row("out-of-scope", Kind::OutOfScope, Stays, Scope,
                Text::with("the cluster announces {}, which is out of scope: neither a seed nor under a seed's parent \
                            domain, and not trusted", name), Ask(advice::trust)),
            Self::NameNotFound(why) => row("name-not-found", Kind::NameNotFound, Passes, Network,
                Text::with("the host name does not resolve ({})", why), Ask(advice::lookup)),
            Self::Refused => row("refused", Kind::Refused, Passes, Silence,
                plain("connection refused"), Ask(advice::no_connection)),
            Self::Unreachable(why) => row("unreachable", Kind::Unreachable, Passes, Silence,
                Text::with("no route to the address ({})", why), Ask(advice::no_connection)),
            Self::NoLocalAddress(why) => row("no-local-address", Kind::Network, Passes, Here,
                Text::with("no local address or port to dial from ({})", why), say(Check::LocalPorts)),
            Self::TimedOut => row("timed-out", Kind::TimedOut, Passes, Silence,
                plain("no answer in time"), Ask(advice::silence)),
            Self::ClosedByPeer => row("closed-by-peer", Kind::ClosedByPeer, Passes, Network,
                plain("the peer closed the connection"), Ask(advice::hangup)),
            Self::PlaintextPort => row("plaintext-port", Kind::PlaintextPort, Stays, Tls,
                plain("the port speaks plaintext Redis, not TLS"), Say(Remedy::TlsPort)),
            Self::TlsPort => row("tls-port", Kind::TlsPort, Stays, Tls,
                plain("the port speaks TLS, not plaintext"), Say(Remedy::Tls)),
            Self::TlsFailed(why) => row("tls-failed", Kind::TlsFailed, Stays, Tls,
                Text::with("the TLS handshake failed: {}", why), Nothing),
            // It was a text of `TlsFailed`, and programs know it by that code.
            Self::NotTls => row("tls-failed", Kind::TlsFailed, Stays, Tls,
                plain("the TLS handshake failed: the peer answered with something that is not TLS"), say(Check::Port)),
            Self::UnknownIssuer => row("unknown-issuer", Kind::UnknownIssuer, Stays, Certificate,
                plain("no trusted root signed the certificate, or an intermediate is missing"),
                Ask(advice::unknown_issuer)),
            Self::CertificateExpired => row("certificate-expired", Kind::CertificateExpired, Stays, Certificate,
                plain("the certificate has expired"), say(Check::Renewal)),
            Self::CertificateNotYetValid => row("certificate-not-yet-valid", Kind::CertificateNotYetValid, Stays,
                Certificate, plain("the certificate is not valid yet, or this machine's clock is wrong"),
                say(Check::Clock)),
            Self::NameMismatch => row("name-mismatch", Kind::NameMismatch, Stays, Certificate,
                plain("the certificate is valid for none of the acceptable names"), Ask(advice::name_mismatch)),
            Self::CertificateRejected(why) => row("certificate-rejected", Kind::CertificateRejected, Stays, Certificate,
                Text::with("the certificate was rejected: {}", why), Nothing),
            Self::ClientCertificateRequired => row("client-certificate-required", Kind::ClientCertificateRequired, Stays,
                Tls, plain("the server asks for a client certificate"), Say(Remedy::ClientCertificate)),
            Self::ClientCertificateRejected(why) => row("client-certificate-rejected", Kind::ClientCertificateRejected,
                Stays, Tls, Text::with("the server refused the client certificate: {}", why),
                say(Check::ClientCertificate)),
            Self::AuthRequired => row("auth-required", Kind::AuthRequired, Stays, Reply,
                plain("the server asks for a password and none was given"), Say(Remedy::Password)),
            Self::WrongCredentials => row("wrong-credentials", Kind::WrongCredentials, Stays, Reply,
                plain("the server refused the user name or password"), Say(Remedy::Login)),
            Self::NoPermission { command, reply } => row("no-permission", Kind::NoPermission, Stays, Reply,
                Text::with_both("the user may not run {} ({})", command, reply),
                Say(Remedy::Allow { command })),
            Self::NoDatabase(why) => row("no-database", Kind::Configuration, Stays, Reply,
                Text::with("the database cannot be used: {}", why), Say(Remedy::Database)),
            Self::OtherDatabase { wanted, actual } => row("other-database", Kind::Configuration, Stays, Reply,
                Text::with_both("the connection is in database {}, not in {}", actual, wanted),
                say(Check::ResetConnections)),
            Self::NoResp3(why) => row("no-resp3", Kind::Configuration, Stays, Reply,
                Text::with("the server does not speak RESP3 ({})", why), Say(Remedy::OlderProtocol)),
            Self::NotRedis(what) => row("not-redis", Kind::NotRedis, Passes, Network,
                Text::with("the peer does not speak RESP: {}", what), say(Check::Port)),
            Self::ServerRefused(what) => row("server-refused", Kind::ServerRefused, Passes, Reply,
                Text::with("the server refused the handshake: {}", what), refusal(what)),
            Self::Loading => row("loading", Kind::Loading, Passes, Reply,
                plain("the server is loading its data set"), Nothing),
            Self::WrongNode { announced, answered: Some(answered) } => row("wrong-node", Kind::WrongNode, Passes, Stranger,
                Text::with_both("node {} answered where node {} was announced", answered, announced),
                Ask(advice::wrong_node)),
            Self::WrongNode { announced, answered: None } => row("wrong-node", Kind::WrongNode, Passes, Stranger,
                Text::with("the peer did not prove that it is the announced node {}", announced),
                Ask(advice::silent_node)),
            Self::BadTopology(why) => row("bad-topology", Kind::BadTopology, Passes, Reply,
                Text::with("the reported topology cannot be used: {}", why), Nothing),
            Self::Io(why) => row("io", Kind::Network, Passes, Network,
                Text::with("{}", why), Nothing),
            Self::TooManyDials => row("too-many-dials", Kind::Internal, Passes, Here,
                plain("too many other connections are being made at the same time"), say(Check::OtherDials)),
            Self::PlaintextCredentials { provider } => row("plaintext-credentials", Kind::Configuration, Stays, Here,
                Text::with("the password is not sent in plaintext to {}, which speaks TLS", provider),
                Say(Remedy::TlsOrNoPassword)),
            Self::CertificateRevoked => row("certificate-revoked", Kind::CertificateRevoked, Stays, Certificate,
                plain("the certificate has been revoked"), say(Check::Revocation)),
            Self::RevocationUnknown => row("revocation-unknown", Kind::RevocationUnknown, Stays, Certificate,
                plain("none of the given revocation lists covers the certificate's issuer"),
                Ask(advice::revocation_unknown)),
            Self::PinMismatch { presented } => row("pin-mismatch", Kind::PinMismatch, Stays, Certificate,
                Text::with("the certificate's public key, {}, is not one of the pinned keys", presented),
                Say(Remedy::Pin { presented: *presented })),
            Self::NoCommonTlsVersion => row("no-common-tls-version", Kind::NoCommonTlsVersion, Stays, Tls,
                plain("client and server have no TLS version in common"), Say(Remedy::OlderTls)),
            Self::Panicked(what) => row("panicked", Kind::Internal, Passes, Here,
                Text::with("{}", what), Nothing),
        }
    }

    /// A stable identifier. See the [example](Cause#examples).
    pub fn code(&self) -> &'static str {
        self.traits().code
    }

    /// What kind of cause it is: for a program with an answer of its own to each. See the [example](Cause#examples).
    pub fn kind(&self) -> CauseKind {
        self.traits().kind
    }

    /// Whether the same attempt may succeed a moment later without anybody changing a configuration. See the
    /// [example](Cause#examples).
    pub fn is_transient(&self) -> bool {
        self.traits().transience == Transience::Passes
    }

    /// Whether the certificate is at fault. See the [example](Cause#examples).
    pub fn is_certificate(&self) -> bool {
        self.traits().domain == FaultDomain::Certificate
    }

    /// Whether an attempt that ended with this in that phase found nobody at the address: the node is down, or the address
    /// leads nowhere. See the [example](Cause#examples).
    pub fn is_unreachable(&self, phase: Phase) -> bool {
        phase == Phase::Tcp && self.traits().domain == FaultDomain::Silence
    }

    /// Whether a node other than the announced one answered, or one that does not prove that it is the announced one.
    pub(crate) fn is_wrong_node(&self) -> bool {
        self.traits().domain == FaultDomain::Stranger
    }

    /// Whether it is a reply of the node itself.
    pub(crate) fn is_reply(&self) -> bool {
        self.traits().domain == FaultDomain::Reply
    }

    /// Whether it is what to fix first, however far other attempts got.
    pub(crate) fn decides(&self) -> bool {
        self.traits().domain == FaultDomain::Scope
    }

    /// What would fix it.
    pub(super) fn remedy(&self, case: &Case<'_>) -> Option<Remedy> {
        match self.traits().advice {
            Advice::Nothing => None,
            Advice::Say(remedy) => Some(remedy),
            Advice::Ask(advise) => advise(case),
        }
    }
}

/// Whether the text of a cause has as many places as words.
#[cfg(test)]
pub(super) fn is_complete(cause: &Cause) -> bool {
    cause.traits().text.is_complete()
}

/// What to advise if the server's words say it.
fn refusal(words: &str) -> Advice {
    if words.contains("max number of clients") { say(Check::Maxclients) } else { Advice::Nothing }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.traits().text.fmt(f)
    }
}
