//! Topology of Redis and Valkey clusters as pure functions.
//!
//! No sockets, no clock, no TLS library: bytes that arrived go in, decisions come out. That is why
//! every rule of this crate is tested as a table.
//!
//! | module | question |
//! |---|---|
//! | [`slot`], `crc16` | which slot does a key belong to? |
//! | [`endpoint`], [`node`] | what did the cluster say about a node? |
//! | [`parse`], [`view`], [`dropped`] | what does one node think the cluster looks like? |
//! | [`redirect`] | where does an error reply send a command? |
//! | [`slot_map`], [`diff`] | who owns a slot, and what changed? |
//! | [`reconcile`](mod@reconcile) | what do several views agree on? |
//! | [`address`] | where is a node dialled, and who must answer there? |
//! | [`typed`] | how is a user's text repeated in an error? |
//!
//! # What holds everywhere
//!
//! - **Nodes are keyed by their raw announced [`Endpoint`].** Translation happens at dial time and only
//!   in [`address`], so an address from a redirect or a push always matches the map.
//! - **Unknown is not wrong.** Unknown metadata and extra elements are ignored; a node that cannot be
//!   addressed is skipped and reported. A reply that contradicts itself is refused as a whole.
//! - **What peers chose is shown through [`Untrusted`](truename_resp::Untrusted)** by every `Display` and `Debug` here,
//!   so it can be printed; accessors and fields give it as it came.
//! - **A minority is never believed**: views are voted on slot by slot, address by address and replica by replica. Neither is
//!   a cluster that shares no node with the known one, unless the configured seeds say so.
//!
//! ```
//! use truename_resp::Reply;
//! use truename_topology::{AddressPolicy, Boundary, Endpoint, Scope, Slot, SlotMap, parse_slots};
//!
//! // A managed cluster announces private addresses ...
//! let node = Reply::Array(vec![Reply::Bulk("10.0.0.4".into()), Reply::Integer(8501)]);
//! let entry = Reply::Array(vec![Reply::Integer(0), Reply::Integer(16383), node]);
//! let seed: Endpoint = "cache.westus3.redis.azure.net:10000".parse()?;
//! let map = SlotMap::from_view(&parse_slots(&Reply::Array(vec![entry]), seed.host())?);
//!
//! // ... and a rule says where they are reached. Who must answer there needs no rule.
//! let scope = Scope::new().with_seed(seed.host(), None);
//! let policy = AddressPolicy::new().with_rule("ip=seed".parse()?).with_scope(scope);
//! let owner = map.primary(Slot::of_key(b"city")).expect("the one node owns every slot");
//! let plan = policy.plan_node(owner, &seed, Boundary::Scope)?;
//! assert_eq!(plan.dial.first().to_string(), "cache.westus3.redis.azure.net:8501");
//! assert_eq!(plan.sni.as_deref(), Some("cache.westus3.redis.azure.net"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod crc16;

pub mod address;
pub mod diff;
pub mod dropped;
pub mod endpoint;
pub mod node;
pub mod parse;
pub mod reconcile;
pub mod redirect;
pub mod slot;
pub mod slot_map;
pub mod typed;
pub mod view;

pub use address::{
    AddressPolicy, Boundary, DialAddress, DialPlan, DialRule, DialTo, HostMatch, Identity, IdentityName,
    IdentityPolicy, IdentitySource, NodePlan, Pin, PinError, PlanError, PortRule, Profile, ProfileTraits,
    RuledBy, Scope, Trust,
};
pub use diff::{MovedSlots, TopologyDiff};
pub use dropped::{Dropped, Metadata};
pub use endpoint::{Endpoint, EndpointError};
pub use node::{AnnouncedNode, Health, NodeId, Role};
pub use parse::nodes::{NodeLine, OpenLine, parse_node_lines, parse_nodes};
pub use parse::shards::parse_shards;
pub use parse::slots::parse_slots;
pub use reconcile::{AnnouncedAs, Disagreement, Reconciled, Standing, reconcile, reconcile_seeds};
pub use redirect::{Redirect, RedirectError, parse_redirect};
pub use slot::{Slot, SlotRange};
pub use slot_map::{NodeIx, Shard, ShardIx, SlotMap};
pub use typed::Typed;
pub use view::{Origin, ShardView, Skipped, View, ViewError};
