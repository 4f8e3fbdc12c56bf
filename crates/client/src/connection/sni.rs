//! The name that a TLS handshake asks for.

use rustls_pki_types::ServerName;
use truename_topology::{IdentityName, NodePlan};

/// The name for SNI: a DNS name wherever one is known.
pub(super) fn server_name(plan: &NodePlan) -> Option<ServerName<'static>> {
    if let Some(sni) = &plan.sni {
        return ServerName::try_from(sni.to_string()).ok();
    }
    plan.identities.iter().find_map(|identity| match &identity.name {
        IdentityName::Ip(address) => Some(ServerName::IpAddress((*address).into())),
        IdentityName::Dns(name) => ServerName::try_from(name.to_string()).ok(),
    })
}
