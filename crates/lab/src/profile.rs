//! The provider profiles: what each announces for its nodes and which names its certificates carry. Facts only;
//! `plan` turns them into addresses.

use std::fmt;
use std::str::FromStr;

use crate::LabError;

/// Whose way of announcing nodes a lab imitates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LabProfile {
    /// Azure Managed Redis: nodes announce IP addresses and ports 85xx, one certificate names only the region, and
    /// every node port also answers at the seed's address.
    Azure,
    /// Amazon ElastiCache with TLS: nodes announce host names under one wildcard certificate.
    Aws,
    /// Google Memorystore: a literal IP as the seed; nodes announce IPs that their certificate does not carry.
    Gcp,
    /// A port-translating gateway: nodes announce addresses nobody listens on, and answer only at the seed host with
    /// a port 1000 higher.
    Nat,
    /// Servers that announce no endpoint (NULL): the port counts, the host is the one that was asked.
    UnknownEndpoint,
    /// Every node announces its own host name and has a certificate for that name alone.
    PerNodeCerts,
    /// No TLS, no gateway, IP addresses: a self-run cluster.
    Plain,
}

impl LabProfile {
    /// All profiles, in the order of the documentation.
    pub const ALL: [Self; 7] = [
        Self::Azure,
        Self::Aws,
        Self::Gcp,
        Self::Nat,
        Self::UnknownEndpoint,
        Self::PerNodeCerts,
        Self::Plain,
    ];

    /// The name used on the command line, e.g. `unknown-endpoint`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Azure => "azure",
            Self::Aws => "aws",
            Self::Gcp => "gcp",
            Self::Nat => "nat",
            Self::UnknownEndpoint => "unknown-endpoint",
            Self::PerNodeCerts => "per-node-certs",
            Self::Plain => "plain",
        }
    }

    /// One sentence on what a client meets.
    #[must_use]
    pub const fn describe(self) -> &'static str {
        match self {
            Self::Azure => {
                "announces IPs and ports 85xx under a certificate that names only *.REGION; node ports also answer at the seed"
            }
            Self::Aws => "announces host names, all on port 6379, under one wildcard certificate",
            Self::Gcp => "an IP as the seed; announces other IPs, with a certificate for the seed's IP only",
            Self::Nat => "announces addresses nobody listens on; nodes answer at the seed host, port + 1000",
            Self::UnknownEndpoint => {
                "announces NULL endpoints: dial the host that answered, with the node's port"
            }
            Self::PerNodeCerts => {
                "announces one host name per node, each with a certificate for that name only"
            }
            Self::Plain => "no TLS; announces the IPs the nodes listen on",
        }
    }

    /// Whether the provider speaks TLS unless told otherwise.
    pub(crate) const fn tls_by_default(self) -> bool {
        !matches!(self, Self::Plain)
    }
}

impl fmt::Display for LabProfile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for LabProfile {
    type Err = LabError;

    fn from_str(text: &str) -> Result<Self, LabError> {
        Self::ALL.into_iter().find(|profile| profile.name() == text).ok_or_else(|| {
            let known: Vec<_> = Self::ALL.iter().map(|profile| profile.name()).collect();
            LabError::invalid(format!("unknown profile {text:?}; known are {}", known.join(", ")))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_parses_back() {
        for profile in LabProfile::ALL {
            assert_eq!(profile.to_string().parse::<LabProfile>().unwrap(), profile);
        }
    }

    #[test]
    fn an_unknown_name_lists_the_known_ones() {
        let text = "azur".parse::<LabProfile>().unwrap_err().to_string();
        assert!(text.contains("azur") && text.contains("unknown-endpoint"), "{text}");
    }
}
