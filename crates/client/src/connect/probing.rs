//! Finding out what else a port speaks, on connections of its own that carry nothing secret.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_rustls::TlsConnector;

use super::wire::Wire;
use crate::error::{Cause, Error};
use crate::tls::classify_tls_error;

/// Time that is reserved, out of a TLS handshake's, to find out what else the port speaks.
const PROBE_TIME: Duration = Duration::from_millis(400);

/// When an attempt with this deadline stops waiting for an answer, and finds out what else the port speaks: that is not
/// given more than half of the time.
pub(super) fn time_box(deadline: Instant) -> Instant {
    let left = deadline.saturating_duration_since(Instant::now());
    deadline.checked_sub(PROBE_TIME.min(left / 2)).unwrap_or(deadline)
}

/// Whether the port answers a plaintext `PING`. On a connection of its own, and with nothing secret.
pub(super) async fn answers_plaintext(peer: SocketAddr) -> bool {
    let ping = async {
        let mut wire = Wire::new(TcpStream::connect(peer).await.ok()?);
        wire.round_trip(&[b"PING"]).await.ok()
    };
    tokio::time::timeout(PROBE_TIME, ping).await.ok().flatten().is_some()
}

/// Whether the port answers a TLS handshake, whatever its certificate. Nothing is sent over it.
pub(super) async fn answers_tls(peer: SocketAddr, config: Option<Arc<ClientConfig>>) -> bool {
    let handshake = async {
        let tcp = TcpStream::connect(peer).await.ok()?;
        let name = ServerName::IpAddress(peer.ip().into());
        match TlsConnector::from(config?).connect(name, tcp).await {
            Ok(_) => Some(()),
            Err(error) => match classify_tls_error(&error) {
                Some((Cause::NotTls, _)) | None => None,
                Some(_) => Some(()),
            },
        }
    };
    tokio::time::timeout(PROBE_TIME, handshake).await.ok().flatten().is_some()
}

/// A configuration that trusts nobody: good for finding out whether a port answers TLS at all.
pub(super) fn probe_config() -> Result<Arc<ClientConfig>, Error> {
    let nobody = rustls::RootCertStore::empty();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::config(format!("TLS: {error}")))?
        .with_root_certificates(nobody)
        .with_no_client_auth();
    Ok(Arc::new(config))
}
