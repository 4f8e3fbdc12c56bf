//! Where is a node dialled, and who must answer there?
//!
//! Two independent questions, both answered by [`AddressPolicy`] and nowhere else: for seeds, for the
//! nodes of a slot map and for the targets of `MOVED` and `ASK` alike. The answer is a [`NodePlan`].
//!
//! # Dialling
//!
//! 1. The closure of [`AddressPolicy::with_map`], if there is one, is asked first; for seeds only if
//!    [`AddressPolicy::with_map_for_seeds`] says so.
//! 2. Then the rules in order; the first one that matches the announced endpoint wins. A table that does not
//!    list the endpoint does not match.
//! 3. Then the rules of the provider's profile, likewise.
//! 4. Otherwise [`DialPlan::Auto`]: the announced address, with the seed's host and the announced port as the fallback.
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
//! | `Only(name)` | the name | the name |
//! | `Custom` | whatever the closure returns | the same, for the seed as a node |
//!
//! The name of [`AddressPolicy::with_verify_as`] comes first in the first three of them.
//!
//! - *What is announced counts only in scope*, under every policy but a closure. Out of [`Scope`] a name is neither an
//!   identity, nor SNI, nor dialled; such metadata is ignored. The node may still be reached by a rule or a map of the
//!   user, by a profile's rule that leads elsewhere, or at the seed's host ([`DialPlan::Detour`]), and has to prove a
//!   name in scope there. If nothing leads to it, [`PlanError::OutOfScope`] says so. An address is dialled in any case,
//!   but out of scope it is not an identity: public authorities sign addresses too. A dial rule is consent to dial and
//!   never an identity.
//! - *`AnyOf` is sound* because a peer that proves the seed's name is exactly the authority the user chose to
//!   trust for the topology. The seed is the configured one, never "whichever node answered last". What that authority
//!   may announce besides its own name is what the scope bounds.
//! - *A name to verify is added, it overrides nothing.* Clusters with one certificate per node announce the names in
//!   them; a single name forced on all nodes breaks those (OpenCTI#17694). To accept one name alone, use `Only`.
//! - *A seed's configured host counts as announced by the user.* So an IP seed has to prove that IP, or another name
//!   that the user set.
//! - *The dialled address is never an identity.* Tunnels and NAT change where one connects, not who must answer.
//! - *The `ip` metadata is not an identity.* A node that announces a name has to prove a name.
//!
//! SNI is the first DNS name among the identities; where there is none, among announced host, `hostname` metadata
//! and seed host, if they are in scope. Acceptable names come first because a server that picks its certificate by SNI should pick
//! one that will be accepted. There is no SNI only where no name is known at all.

// | module | part |
// |---|---|
// | `dial` | [`DialAddress`], an address to open a connection to |
// | `rule` | [`DialRule`]: which nodes, and where they are dialled |
// | `text` | rules as text, `MATCH=TARGET` |
// | `identity` | [`IdentityName`] and [`Identity`]: a name that a certificate can prove |
// | `identity_policy` | [`IdentityPolicy`]: the names a node may prove |
// | `scope`, `boundary` | [`Scope`]: which announced names count; [`Boundary`]: whether that matters |
// | `trust` | [`Trust`]: what the user allows beyond that |
// | `pin` | [`Pin`]: a public key that has to be presented |
// | `plan` | [`NodePlan`] and the [`PlanError`]s |
// | `policy` | [`AddressPolicy`], which makes plans |
// | `profile`, `providers` | what is known about providers, as data |
// | `detect` | which profile has a name, or is implied by a seed's host |

mod boundary;
mod detect;
mod dial;
mod identity;
mod identity_policy;
mod pin;
mod plan;
mod policy;
mod profile;
mod providers;
mod rule;
mod scope;
mod text;
mod trust;

pub use boundary::Boundary;
pub use dial::DialAddress;
pub use identity::{Identity, IdentityError, IdentityName, IdentitySource};
pub use identity_policy::{CustomIdentity, IdentityPolicy, IdentityPolicyError};
pub use pin::{Pin, PinError};
pub use plan::{DialPlan, NodePlan, PlanError, RuledBy};
pub use policy::{AddressPolicy, DialMap};
pub use profile::{Profile, ProfileTraits};
pub use rule::{DialRule, DialTo, HostMatch, PortRule};
pub use scope::Scope;
pub use text::{RuleError, RuleProblem};
pub use trust::{Trust, TrustError};
