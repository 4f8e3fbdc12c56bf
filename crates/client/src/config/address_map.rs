//! `node_address_map` for users who come from another client: a table or a closure.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use truename_topology::{AnnouncedNode, DialAddress, Endpoint, Typed};

use crate::error::Error;

type MapFn = dyn Fn(&AnnouncedNode, &Endpoint) -> Option<DialAddress> + Send + Sync;

/// Where to dial nodes instead of their announced addresses.
///
/// Made from pairs of announced and dialled `host:port`, as text or as what it means, or from a closure. Only the dialled
/// address changes: a node stays known by what it announced, and the names it may prove stay those of the identity
/// policy. [`Config::node_address_map`](crate::Config::node_address_map) has an example of tables,
/// [`Config::map_node_addresses`](crate::Config::map_node_addresses) of closures.
#[derive(Clone)]
pub struct NodeAddressMap {
    pub(crate) map: Arc<MapFn>,
    /// A text that is not an address.
    pub(super) misspelt: Option<Error>,
}

impl NodeAddressMap {
    /// The table of pairs as text.
    fn of_texts<A: AsRef<str>, B: AsRef<str>>(pairs: impl IntoIterator<Item = (A, B)>) -> Self {
        let parsed: Result<HashMap<Endpoint, DialAddress>, Error> = pairs
            .into_iter()
            .map(|(announced, dialled)| pair(announced.as_ref(), dialled.as_ref()))
            .collect();
        match parsed {
            Ok(table) => table.into(),
            Err(error) => Self { map: Arc::new(|_, _| None), misspelt: Some(error) },
        }
    }
}

fn pair(announced: &str, dialled: &str) -> Result<(Endpoint, DialAddress), Error> {
    let wrong = |text| {
        let what = format!("{} in the address map is not a host and a port", Typed(text));
        Error::config_with_remedy(what, "write HOST:PORT such as 10.0.0.4:8501 or [::1]:8501")
    };
    Ok((announced.parse().map_err(|_| wrong(announced))?, dialled.parse().map_err(|_| wrong(dialled))?))
}

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
        Self { map: Arc::new(map), misspelt: None }
    }
}

impl From<HashMap<Endpoint, DialAddress>> for NodeAddressMap {
    fn from(table: HashMap<Endpoint, DialAddress>) -> Self {
        Self::from(move |node: &AnnouncedNode, _: &Endpoint| table.get(&node.endpoint).cloned())
    }
}

impl<const N: usize> From<[(Endpoint, DialAddress); N]> for NodeAddressMap {
    fn from(pairs: [(Endpoint, DialAddress); N]) -> Self {
        Self::from(HashMap::from(pairs))
    }
}

impl<const N: usize> From<[(&str, &str); N]> for NodeAddressMap {
    fn from(pairs: [(&str, &str); N]) -> Self {
        Self::of_texts(pairs)
    }
}

impl From<Vec<(&str, &str)>> for NodeAddressMap {
    fn from(pairs: Vec<(&str, &str)>) -> Self {
        Self::of_texts(pairs)
    }
}

impl From<Vec<(String, String)>> for NodeAddressMap {
    fn from(pairs: Vec<(String, String)>) -> Self {
        Self::of_texts(pairs)
    }
}

impl From<HashMap<String, String>> for NodeAddressMap {
    fn from(pairs: HashMap<String, String>) -> Self {
        Self::of_texts(pairs)
    }
}
