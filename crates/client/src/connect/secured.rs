//! The TLS handshake of an attempt, and what makes a resumed session as good as a full handshake.
//!
//! Invariant: whatever is sent over the stream goes to a peer whose certificates were just checked by the current options.
//! The TLS library does not check certificates when it resumes a session, even if the one presented then has expired, has
//! been revoked or is not trusted any more.

use std::io;
use std::time::Duration;

use rustls::HandshakeKind;
use rustls_pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use truename_topology::NodePlan;

use super::tcp;
use crate::tls::TlsContext;

/// Does the handshake over `tcp`. If the certificates of a resumed session fail the check, all sessions of the node are
/// discarded and the peer is dialled once more for a full handshake.
pub(super) async fn shake_hands(
    context: &TlsContext,
    plan: &NodePlan,
    name: ServerName<'static>,
    tcp: TcpStream,
    silence: Duration,
    deadline: Instant,
) -> io::Result<TlsStream<TcpStream>> {
    let config = context.config_for(plan).map_err(io::Error::other)?;
    let stream = TlsConnector::from(config).connect(name.clone(), tcp).await?;
    let (tcp, session) = stream.get_ref();
    if session.handshake_kind() != Some(HandshakeKind::Resumed) {
        return Ok(stream);
    }
    let Err(rejection) = context.judge(plan, &context.presented(session)) else { return Ok(stream) };
    tracing::debug!(code = rejection.cause().code(), "a TLS session is not resumed");
    let peer = tcp.peer_addr()?;
    drop(stream);
    let config = context.fresh_config_for(plan).map_err(io::Error::other)?;
    let tcp = tokio::time::timeout_at(deadline, tcp::connect(peer, silence))
        .await
        .map_err(io::Error::from)?
        .map_err(|cause| io::Error::other(cause.to_string()))?;
    TlsConnector::from(config).connect(name, tcp).await
}
