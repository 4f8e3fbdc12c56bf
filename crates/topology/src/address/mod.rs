//! Where is a node dialled, and who must answer there?
//!
//! Two independent questions, both answered by [`AddressPolicy`] and nowhere else: for seeds, for the
//! nodes of a slot map and for the targets of `MOVED` and `ASK` alike. The answer is a [`NodePlan`].
//!
//! | module | part |
//! |---|---|
//! | `dial` | [`DialAddress`], an address to open a connection to |
//! | `rule` | [`DialRule`]: which nodes, and where they are dialled |
//! | `text` | rules as text, `MATCH=TARGET` |
//! | `identity` | [`IdentityName`] and [`IdentityPolicy`]: the names a node may prove |
//! | `pin` | [`Pin`]: a public key that has to be presented |
//! | `plan` | [`NodePlan`] and the [`PlanError`]s |
//! | `policy` | [`AddressPolicy`], which makes plans |
//! | `profile`, `providers` | what is known about providers, as data |
//!
//! # Dialling
//!
//! 1. The closure of [`AddressPolicy::with_map`], if there is one, is asked first.
//! 2. Then the rules in order; the first one that matches the announced endpoint wins. A table that does not
//!    list the endpoint does not match.
//! 3. Otherwise [`DialPlan::Auto`]: the announced address, with the seed's host and the announced port beside it.
//!
//! Seeds go through the same steps, as nodes announced under the seed's own address. Only the target `seed`
//! leaves them alone: it means the address the user gave, and a seed *is* that address.
//!
//! # Identity
//!
//! A peer has to prove, by a certificate that chains to a trusted root, at least one of the plan's identities.
//! Which ones those are:
//!
//! | policy | identities of a node, in this order | of a seed |
//! |---|---|---|
//! | `AnyOf` | announced host or IP, `hostname` metadata, seed host | seed host |
//! | `Announced` | announced host or IP, `hostname` metadata | seed host |
//! | `Seed` | seed host | seed host |
//! | `Fixed(name)` | the name; announced host if it is a name, `hostname` metadata | the name; seed host if it is a name |
//! | `Custom` | whatever the closure returns | the same, for the seed as a node |
//!
//! - *`AnyOf` is sound* because a peer that proves the seed's name is exactly the authority the user chose to
//!   trust for the topology. The seed is the configured one, never "whichever node answered last".
//! - *A fixed name is added, it overrides nothing.* Clusters with one certificate per node announce the names in
//!   them; a single name forced on all nodes breaks those (OpenCTI#17694). A fixed name does replace IP addresses:
//!   who sets one says that the certificates do not carry them.
//! - *A seed's configured host counts as announced by the user.* So an IP seed has to prove that IP, unless a fixed
//!   name takes its place.
//! - *The dialled address is never an identity.* Tunnels and NAT change where one connects, not who must answer.
//! - *The `ip` metadata is no identity.* Who announces a name is to prove a name.
//!
//! SNI is the first DNS name among the identities; where there is none, among announced host, `hostname` metadata
//! and seed host. Acceptable names come first because a server that picks its certificate by SNI should pick
//! one that will be accepted. There is no SNI only where no name is known at all.

mod dial;
mod identity;
mod pin;
mod plan;
mod policy;
mod profile;
mod providers;
mod rule;
mod text;

pub use dial::DialAddress;
pub use identity::{CustomIdentity, Identity, IdentityError, IdentityName, IdentityPolicy, IdentitySource};
pub use pin::{Pin, PinError};
pub use plan::{DialPlan, NodePlan, PlanError};
pub use policy::{AddressPolicy, DialMap};
pub use profile::{Profile, ProfileTraits};
pub use rule::{DialRule, DialTo, HostMatch, PortRule};
pub use text::{RuleError, RuleProblem};
