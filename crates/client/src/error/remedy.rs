//! What would fix a failure, as data: what to do, with the names, addresses and keys that it concerns.
//!
//! The sentence follows from the data. Where it names a part of the configuration it takes the words of whoever prints it:
//! [`setting`] has those parts, and how this library spells them. [`dialling`], [`proving`] and [`calling`] have the sentences,
//! [`instead`] what does the work of commands that are refused, [`check`] what is not in anybody's configuration, [`typeable`] what may be offered for typing, [`told`] a text in a spelling.
//!
//! What must stay true: no sentence names an option except as a [`Setting`]; nothing that a peer chose is offered for
//! typing, unless it is a name, an address or a pin in our own spelling.

mod calling;
mod check;
mod dialling;
mod instead;
mod proving;
mod setting;
mod told;
mod typeable;

use std::fmt;

use truename_topology::{DialAddress, Endpoint, HostMatch, IdentityName, Pin, RuledBy};

pub use check::Check;
pub use instead::Instead;
pub(super) use setting::as_calls;
pub use setting::{Call, Setting, Spelling};
pub(super) use told::{Tell, Told};

use super::text::shown;

/// What would fix a failure.
///
/// `Display` gives a sentence that names the calls of this library; [`Remedy::spelled`] the same one with a program's own
/// options. A name is `None` where what the peer sent is not one; in the sentence a placeholder stands for it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Remedy {
    /// Look at something outside of the configuration, or change it.
    Check(Check),
    /// Write the configuration as this text says, which is the same for everybody.
    Rewrite(String),

    /// Correct the seed's name, or give its address.
    ResolveSeed {
        /// The name that was looked up.
        name: Option<IdentityName>,
    },
    /// Give the address of an announced name that this machine cannot look up, or a rule for it.
    ResolveAnnounced {
        /// The announced name.
        name: Option<IdentityName>,
    },
    /// Correct the rule, the address map or the profile that leads to a name which this machine cannot look up, or give its
    /// address.
    ResolveRuled {
        /// The name that was looked up.
        name: Option<IdentityName>,
    },
    /// Give the address of a name, since DNS is silent.
    ResolveWithoutService {
        /// The name that was looked up.
        name: Option<IdentityName>,
    },
    /// Allow the cluster to announce a name that is out of scope, or dial another host in its place.
    Trust {
        /// The announced name.
        name: Option<IdentityName>,
    },
    /// Start the node if it alone fails; if all do, say where to dial.
    DownOrHidden {
        /// The node that cannot be reached.
        node: Endpoint,
        /// The announced hosts that a rule may be for.
        hosts: HostMatch,
        /// Whether they may be at the seed's host.
        is_at_seed: bool,
    },
    /// Start the node, or open its port: others of the cluster answer.
    Down {
        /// Its port.
        port: u16,
    },
    /// Start the node, or open its port: it could be reached before, so that its address is right.
    WentDown {
        /// Its port.
        port: u16,
    },
    /// Say where this node is: another one answers at its announced address.
    MapNode {
        /// The node.
        node: Endpoint,
    },
    /// Correct what leads to an address where nothing is, or start what should be there.
    RuledAddress {
        /// What leads there, if that is known.
        by: Option<RuledBy>,
        /// The address.
        dialled: DialAddress,
        /// Whether there was no answer. If not, the connection was refused, or there was no way to the address.
        is_silent: bool,
    },
    /// Correct the rule that leads to another node.
    FixRule {
        /// The node that the rule is for.
        node: Endpoint,
        /// Whether what answered reports its id. If not, it may be the right one.
        reports_id: bool,
    },
    /// Fix the failure of the announced address: what was tried after it was a guess.
    FixAnnounced {
        /// The node.
        node: Endpoint,
        /// Whether what answered reports its id. If not, it may be the right one.
        reports_id: bool,
        /// Whether TLS is spoken. If not, a rule is not enough for a node that does not report its id.
        is_tls: bool,
    },
    /// Allow more time to connect.
    MoreTime,

    /// Accept a name that the certificate has and the identity policy leaves out.
    WidenIdentity {
        /// The name.
        name: IdentityName,
        /// Whether it is the seed's, and not one that the cluster announces.
        is_seed: bool,
    },
    /// Allow the cluster to announce a name that the certificate has.
    TrustCovered {
        /// The name.
        name: IdentityName,
    },
    /// Connect by a name of the certificate, or accept it.
    VerifyAs {
        /// The name.
        name: Option<IdentityName>,
    },
    /// Connect by a name that a pattern of the certificate covers, or accept one.
    VerifyAsCovered {
        /// The pattern or address, as the certificate has it.
        pattern: String,
    },
    /// Issue a certificate with alternative names.
    Issue {
        /// A name that it should have.
        name: Option<IdentityName>,
    },
    /// Trust the authority that signed the certificate.
    TrustAuthority {
        /// The authority's name, as the certificate has it.
        authority: Option<String>,
    },
    /// Trust a certificate that signed itself.
    TrustCertificate {
        /// Its name.
        name: String,
    },
    /// Have the server send the intermediate certificate, or trust the root.
    SendIntermediate {
        /// Who signed the server's certificate.
        issuer: String,
    },
    /// Give the revocation list of an authority.
    AddRevocationList {
        /// The authority's name, as the certificate has it.
        issuer: Option<String>,
    },
    /// Pin a key, if it is the right one.
    Pin {
        /// The key that the server has.
        presented: Pin,
    },
    /// Allow TLS 1.2, or enable a newer version on the server.
    OlderTls,
    /// Supply a client certificate.
    ClientCertificate,

    /// Dial the server's TLS port, or use plaintext.
    TlsPort,
    /// Use TLS.
    Tls,
    /// Use TLS, or leave out what needs it.
    TlsOrWithout {
        /// What needs it.
        what: &'static str,
    },
    /// Use TLS, or send no password.
    TlsOrNoPassword,
    /// Accept a certain authority or name, instead of any.
    AcceptCertain,
    /// Give one setting of the two that say which names will do.
    OneIdentity,
    /// Supply a password.
    Password,
    /// Correct the user name or the password.
    Login,
    /// Allow the user a command.
    Allow {
        /// The command, such as `CLUSTER SLOTS`.
        command: &'static str,
    },
    /// Use a database that the servers have.
    Database,
    /// Allow RESP2 as well.
    OlderProtocol,
    /// Say which node a command is for.
    ChooseNode,
    /// Run a command on all nodes, or say which one it is for.
    AllOrOne,
    /// Run a command on all primaries, or say which one it is for.
    AllPrimaries,
    /// Run a command on all nodes, replicas too, or say which one it is for.
    EveryNode,
    /// Let another call, or the configuration, do the work of a command.
    Instead(Instead),
    /// Give keys that are used together one hash tag.
    HashTag,
    /// Name a node of the topology.
    NameNode,
    /// Let the primary serve reads where no replica can.
    PrimaryToo,
    /// Allow more connections for commands that need one of their own.
    MoreExclusive,
    /// Allow a command more time, or the server a longer silence.
    MorePatience,
    /// Allow replies to hold more.
    LargerReplies,
}

impl Remedy {
    /// The sentence with the settings as somebody else spells them, such as the options of a program.
    ///
    /// # Examples
    /// ```
    /// use truename::error::{Remedy, Setting};
    ///
    /// let remedy = Remedy::MoreTime;
    /// assert!(remedy.to_string().contains("allow more with Config::connect_timeout"));
    /// let mine = remedy.spelled(|setting, f| match setting {
    ///     Setting::ConnectTimeout => f.write_str("connect_timeout in my.toml"),
    ///     other => write!(f, "{other:?}"),
    /// });
    /// assert!(mine.to_string().contains("allow more with connect_timeout in my.toml"));
    /// ```
    pub fn spelled(&self, spelling: Spelling) -> impl fmt::Display + '_ {
        Told { what: self, spelling }
    }

    /// Whether it says what another one said of another node: the same rule for addresses that cannot be reached is for both.
    pub(super) fn repeats(&self, other: &Self) -> bool {
        let rule = |remedy: &Self| match remedy {
            Self::DownOrHidden { hosts, is_at_seed, .. } => Some((hosts.clone(), *is_at_seed)),
            _ => None,
        };
        self == other || (rule(self).is_some() && rule(self) == rule(other))
    }

    fn sentence(&self, spelling: Spelling) -> String {
        match self {
            Self::Check(check) => check.text().to_owned(),
            Self::Rewrite(text) => shown(text).to_string(),
            Self::ResolveSeed { name } => dialling::resolve_seed(name.as_ref(), spelling),
            Self::ResolveAnnounced { name } => dialling::resolve_announced(name.as_ref(), spelling),
            Self::ResolveRuled { name } => dialling::resolve_ruled(name.as_ref(), spelling),
            Self::ResolveWithoutService { name } => {
                dialling::resolve_without_service(name.as_ref(), spelling)
            }
            Self::Trust { name } => dialling::trust(name.as_ref(), spelling),
            Self::DownOrHidden { node, hosts, is_at_seed } => {
                dialling::down_or_hidden(node, hosts, *is_at_seed, spelling)
            }
            Self::Down { port } => dialling::down(*port),
            Self::WentDown { port } => dialling::went_down(*port),
            Self::MapNode { node } => dialling::map_node(node, spelling),
            Self::RuledAddress { by, dialled, is_silent } => {
                dialling::ruled_address(by.as_ref(), dialled, *is_silent, spelling)
            }
            Self::FixRule { node, reports_id } => dialling::fix_rule(node, *reports_id),
            Self::FixAnnounced { node, reports_id, is_tls } => {
                dialling::fix_announced(node, *reports_id, *is_tls, spelling)
            }
            Self::MoreTime => dialling::more_time(spelling),
            Self::WidenIdentity { name, is_seed } => proving::widen_identity(name, *is_seed, spelling),
            Self::TrustCovered { name } => proving::trust_covered(name, spelling),
            Self::VerifyAs { name } => proving::verify_as(name.as_ref(), spelling),
            Self::VerifyAsCovered { pattern } => proving::verify_as_covered(pattern, spelling),
            Self::Issue { name } => proving::issue(name.as_ref()),
            Self::TrustAuthority { authority } => proving::trust_authority(authority.as_deref(), spelling),
            Self::TrustCertificate { name } => proving::trust_certificate(name, spelling),
            Self::SendIntermediate { issuer } => proving::send_intermediate(issuer, spelling),
            Self::AddRevocationList { issuer } => proving::add_revocation_list(issuer.as_deref(), spelling),
            Self::Pin { presented } => proving::pin(*presented, spelling),
            Self::OlderTls => proving::older_tls(spelling),
            Self::ClientCertificate => proving::client_certificate(spelling),
            Self::TlsPort => proving::tls_port(spelling),
            Self::Tls => proving::tls(spelling),
            Self::TlsOrWithout { what } => proving::tls_or_without(what, spelling),
            Self::TlsOrNoPassword => proving::tls_or_no_password(spelling),
            Self::AcceptCertain => proving::accept_certain(spelling),
            Self::OneIdentity => proving::one_identity(spelling),
            Self::Password => proving::password(spelling),
            Self::Login => proving::login(spelling),
            Self::Allow { command } => proving::allow(command),
            Self::Database => dialling::database(spelling),
            Self::OlderProtocol => dialling::older_protocol(spelling),
            Self::ChooseNode => calling::choose_node(spelling),
            Self::AllOrOne => calling::all_or_one(spelling),
            Self::AllPrimaries => calling::all_primaries(spelling),
            Self::EveryNode => calling::every_node(spelling),
            Self::Instead(instead) => instead.sentence(spelling),
            Self::HashTag => calling::hash_tag(),
            Self::NameNode => calling::name_node(spelling),
            Self::PrimaryToo => calling::primary_too(spelling),
            Self::MoreExclusive => calling::more_exclusive(spelling),
            Self::MorePatience => calling::more_patience(spelling),
            Self::LargerReplies => calling::larger_replies(spelling),
        }
    }
}

/// What would help, after the text of an error.
pub(super) fn tell_remedy(
    f: &mut fmt::Formatter<'_>,
    remedy: Option<&Remedy>,
    spelling: Spelling,
) -> fmt::Result {
    match remedy {
        Some(remedy) => write!(f, "; {}", shown(&remedy.spelled(spelling).to_string())),
        None => Ok(()),
    }
}

impl Tell for Remedy {
    fn tell(&self, f: &mut fmt::Formatter<'_>, spelling: Spelling) -> fmt::Result {
        f.write_str(&self.sentence(spelling))
    }
}

impl fmt::Display for Remedy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.tell(f, as_calls)
    }
}

impl From<Check> for Remedy {
    fn from(check: Check) -> Self {
        Self::Check(check)
    }
}

impl From<&str> for Remedy {
    fn from(text: &str) -> Self {
        Self::Rewrite(text.to_owned())
    }
}

impl From<String> for Remedy {
    fn from(text: String) -> Self {
        Self::Rewrite(text)
    }
}
