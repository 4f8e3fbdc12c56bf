//! The name that a TLS handshake asks for.

use rustls_pki_types::ServerName;
use truename_topology::NodePlan;

use crate::tls;

/// A DNS name wherever one is known.
pub(super) fn sni(plan: &NodePlan) -> Option<ServerName<'static>> {
    if let Some(sni) = &plan.sni {
        return ServerName::try_from(sni.to_string()).ok();
    }
    plan.identities.iter().find_map(|identity| tls::server_name(&identity.name))
}
