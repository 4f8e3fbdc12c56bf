//! [`Profile`]: what is known about a provider.
//!
//! Profiles are data. They change defaults only: whatever a profile says can be said by the user, and the
//! user is asked first.

use super::{DialRule, IdentityPolicy};

/// A provider, or a way to run a cluster, that needs settings of its own.
///
/// # Examples
/// ```
/// use truename_topology::Profile;
///
/// let profile = Profile::detect("my-redis.westus3.redis.azure.net").expect("the ending is known");
/// assert_eq!((profile.name, profile.default_seed_port), ("azure-managed", Some(10_000)));
/// assert!(Profile::named("Azure-Managed").is_some_and(|named| named.title == profile.title));
/// for profile in Profile::all() {
///     println!("{}: {}", profile.name, profile.title);
/// }
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct Profile {
    /// The name to choose it by, such as `azure-managed`.
    pub name: &'static str,
    /// The product's name, for people.
    pub title: &'static str,
    /// How its seeds are recognised. With a leading dot: names with this ending, in which `*` stands for one label.
    /// Without: exactly this host. Empty where a seed does not give the provider away.
    pub seed_suffixes: &'static [&'static str],
    /// The port of a seed that has none; `None` where the provider assigns a port to each database.
    pub default_seed_port: Option<u16>,
    /// Whether the provider's servers speak TLS. Then a plaintext client does not log in there.
    pub tls_default: bool,
    /// Where nodes are dialled.
    pub dial: &'static [DialRule],
    /// Which names will do.
    pub identity: IdentityPolicy,
    /// Known differences from an open-source server.
    pub traits: ProfileTraits,
    /// What a person should know, a sentence each.
    pub hints: &'static [&'static str],
    /// Whether only the seed's own name counts of what lies under its parent domain, since other customers have
    /// certificates there.
    pub narrows_scope: bool,
    /// The names of the nodes of a seed's cluster where they do not lie under its parent domain, or not alone there:
    /// a pattern in which `#` stands for a number. `None` for a seed that gives none.
    pub siblings: Option<fn(&str) -> Option<String>>,
}

/// Known differences of a provider's servers from open-source ones. The default is none: whatever is not
/// set has to be found out by asking.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ProfileTraits {
    /// `CLUSTER MYID` is an error, so that nodes cannot be distinguished by their ids.
    pub rejects_cluster_myid: bool,
    /// `READONLY` and `READWRITE` are errors.
    pub rejects_readonly: bool,
    /// `ASKING` is an error.
    pub rejects_asking: bool,
    /// `CLUSTER SHARDS` is unknown: a server before 7.0.
    pub rejects_cluster_shards: bool,
    /// RESP3 is known to be spoken.
    pub resp3: bool,
    /// The certificates are signed by a private authority, so the system's roots never suffice.
    pub private_ca: bool,
}
