//! [`DialAddress`]: an address to open a connection to.
//!
//! A type of its own so that it is never mistaken for an [`Endpoint`]: an endpoint is the key of a node,
//! a dial address is only where the node happens to be reached from here.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crate::endpoint::{Endpoint, EndpointError, write_host_port};

/// A host (name or IP address) and a port to connect to.
///
/// # Examples
/// ```
/// use truename_topology::{DialAddress, Endpoint};
///
/// let announced = Endpoint::new("10.0.0.4", 8501);
/// let address = DialAddress::new("localhost", announced.port());
/// assert_eq!((address.host(), address.port()), ("localhost", 8501));
/// assert!(address != announced && DialAddress::from(&announced) == announced);
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DialAddress {
    host: Arc<str>,
    port: u16,
}

impl DialAddress {
    /// An address from its parts; an IPv6 host has no brackets. See the [example](DialAddress#examples).
    pub fn new(host: impl Into<Arc<str>>, port: u16) -> Self {
        Self { host: host.into(), port }
    }

    /// The host to resolve and connect to. See the [example](DialAddress#examples).
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port to connect to. See the [example](DialAddress#examples).
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl From<&Endpoint> for DialAddress {
    /// The endpoint as it was announced.
    fn from(endpoint: &Endpoint) -> Self {
        Self::new(endpoint.host(), endpoint.port())
    }
}

impl PartialEq<Endpoint> for DialAddress {
    /// Whether this is the very address that was announced.
    fn eq(&self, announced: &Endpoint) -> bool {
        (self.host(), self.port) == (announced.host(), announced.port())
    }
}

impl FromStr for DialAddress {
    type Err = EndpointError;

    /// The forms of [`Endpoint::parse`], with a port.
    fn from_str(text: &str) -> Result<Self, EndpointError> {
        Endpoint::parse(text, None).map(|endpoint| Self::from(&endpoint))
    }
}

impl fmt::Display for DialAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_host_port(f, &self.host, self.port)
    }
}

impl fmt::Debug for DialAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
