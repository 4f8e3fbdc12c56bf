//! `node_address_map` for users who come from another client: a table or a closure.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use truename_topology::{AnnouncedNode, DialAddress, Endpoint};

type MapFn = dyn Fn(&AnnouncedNode, &Endpoint) -> Option<DialAddress> + Send + Sync;

/// Where to dial nodes instead of their announced addresses.
///
/// Made from a closure, or from pairs of announced and dialled `host:port`. Only the dialled address changes: a
/// node stays known by what it announced, and the names it may prove stay those of the identity policy.
/// [`Config::node_address_map`](crate::Config::node_address_map) has an example of both.
#[derive(Clone)]
pub struct NodeAddressMap(pub(crate) Arc<MapFn>);

impl fmt::Debug for NodeAddressMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NodeAddressMap")
    }
}

impl<F> From<F> for NodeAddressMap
where
    F: Fn(&AnnouncedNode, &Endpoint) -> Option<DialAddress> + Send + Sync + 'static,
{
    fn from(map: F) -> Self {
        Self(Arc::new(map))
    }
}

impl From<HashMap<Endpoint, DialAddress>> for NodeAddressMap {
    fn from(table: HashMap<Endpoint, DialAddress>) -> Self {
        Self(Arc::new(move |node, _| table.get(&node.endpoint).cloned()))
    }
}

impl<const N: usize> From<[(Endpoint, DialAddress); N]> for NodeAddressMap {
    fn from(pairs: [(Endpoint, DialAddress); N]) -> Self {
        Self::from(HashMap::from(pairs))
    }
}
