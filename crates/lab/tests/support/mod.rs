//! What the tests share: reading `CLUSTER SLOTS`, and a TLS client that verifies as strictly as a real one.
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use truename_lab::Lab;

/// The endpoints that `CLUSTER SLOTS` of one node hands to clients; a NULL host is empty.
pub(crate) async fn announced(lab: &Lab, node: usize) -> BTreeSet<(String, u16)> {
    let reply = lab.command(node, &["CLUSTER", "SLOTS"]).await.unwrap();
    let ranges = reply.as_array().expect("a list of ranges");
    ranges
        .iter()
        .flat_map(|range| &range.as_array().expect("a range")[2..])
        .map(|endpoint| {
            let fields = endpoint.as_array().expect("an endpoint");
            let port = fields[1].as_integer().and_then(|port| u16::try_from(port).ok()).expect("a port");
            (fields[0].as_str().unwrap_or_default().to_owned(), port)
        })
        .collect()
}

/// Says PING as a client that trusts the lab's authority and expects `name`; whatever fails is returned as text.
pub(crate) async fn ping(lab: &Lab, address: SocketAddr, name: &str) -> Result<(), String> {
    ping_as(lab, address, name, false).await
}

/// Like [`ping`], optionally with the lab's client certificate.
pub(crate) async fn ping_as(
    lab: &Lab,
    address: SocketAddr,
    name: &str,
    client_cert: bool,
) -> Result<(), String> {
    let mut tcp = TcpStream::connect(address).await.map_err(|error| error.to_string())?;
    if !lab.tls() {
        return say_ping(&mut tcp).await;
    }
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let connector = TlsConnector::from(Arc::new(client_config(lab, client_cert)));
    let mut tls = connector.connect(name, tcp).await.map_err(|error| error.to_string())?;
    say_ping(&mut tls).await
}

fn client_config(lab: &Lab, client_cert: bool) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(lab.ca_pem().unwrap().as_bytes()) {
        roots.add(certificate.unwrap()).unwrap();
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    if !client_cert {
        return config.with_no_client_auth();
    }
    let (certificate, key) = lab.client_certificate().unwrap();
    let chain = vec![CertificateDer::from_pem_file(certificate).unwrap()];
    config.with_client_auth_cert(chain, PrivateKeyDer::from_pem_file(key).unwrap()).unwrap()
}

/// Any reply will do, `-NOAUTH` as well: it proves who answered.
async fn say_ping<S: AsyncReadExt + AsyncWriteExt + Unpin>(stream: &mut S) -> Result<(), String> {
    stream.write_all(b"PING\r\n").await.map_err(|error| error.to_string())?;
    match stream.read_u8().await.map_err(|error| error.to_string())? {
        b'+' | b'-' => Ok(()),
        other => Err(format!("not a reply: {other}")),
    }
}

/// Polls until `holds`; panics with `what` after ten seconds.
pub(crate) async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let started = Instant::now();
    while !holds().await {
        assert!(started.elapsed() < Duration::from_secs(10), "not within 10 s: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
