//! The TLS state that all connections of one client share.
//!
//! One `rustls::ClientConfig` per set of identities, made on first use: its verifier knows exactly the names of
//! the nodes that use it, and its session store is shared by exactly those nodes.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use rustls::client::Resumption;
use rustls::crypto::CryptoProvider;
use rustls::{AlertDescription, CertificateError, ClientConfig, RootCertStore};
use rustls_pki_types::{CertificateDer, ServerName};
use truename_topology::{Identity, IdentityName};

use super::certificate::Certificate;
use super::options::Tls;
use super::roots::{are_private, load_roots};
use super::verifier::{IdentityVerifier, Rejection, first_valid_name};
use crate::error::{Cause, Error};

/// Sets of identities to remember. More nodes than this make the store start over, which costs full handshakes.
const REMEMBERED_SETS: usize = 1024;
/// Sessions to remember per set: enough for a few lanes of one node to resume at once.
const SESSIONS_PER_SET: usize = 16;

/// Makes `rustls` configurations for nodes. Cheap to share, expensive to build.
#[derive(Debug)]
pub(crate) struct TlsContext {
    options: Tls,
    provider: Arc<CryptoProvider>,
    roots: Arc<RootCertStore>,
    roots_are_private: bool,
    configs: Mutex<HashMap<Vec<ServerName<'static>>, Arc<ClientConfig>>>,
}

impl TlsContext {
    /// Loads roots and keys. Reads the system's certificate store where that is asked for, so it may block.
    pub(crate) fn build(options: Tls) -> Result<Self, Error> {
        let roots = Arc::new(load_roots(&options.roots)?);
        let context = Self {
            roots_are_private: are_private(&options.roots),
            options,
            provider: Arc::new(rustls::crypto::ring::default_provider()),
            roots,
            configs: Mutex::new(HashMap::new()),
        };
        // A broken client certificate must fail here, not at the first connection.
        context.make_config(Vec::new())?;
        Ok(context)
    }

    /// Whether the user gave the roots and none of them is a public authority: then whatever a chain proves, it proves
    /// within the user's own house.
    pub(crate) fn roots_are_private(&self) -> bool {
        self.roots_are_private
    }

    /// The configuration for nodes with these identities.
    pub(crate) fn config_for(&self, identities: &[Identity]) -> Result<Arc<ClientConfig>, Error> {
        let names = server_names(identities);
        if let Some(config) = self.configs.lock().get(&names) {
            return Ok(config.clone());
        }
        let config = Arc::new(self.make_config(names.clone())?);
        let mut configs = self.configs.lock();
        if configs.len() >= REMEMBERED_SETS {
            configs.clear();
        }
        Ok(configs.entry(names).or_insert(config).clone())
    }

    fn make_config(&self, identities: Vec<ServerName<'static>>) -> Result<ClientConfig, Error> {
        let verifier = IdentityVerifier {
            roots: self.roots.clone(),
            algorithms: self.provider.signature_verification_algorithms,
            identities,
            checks: self.options.checks,
        };
        let builder = ClientConfig::builder_with_provider(self.provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(|error| Error::config(format!("TLS: {error}")))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier));
        let mut config = match &self.options.client {
            None => builder.with_no_client_auth(),
            Some(client) => builder
                .with_client_auth_cert(client.chain.clone(), client.key.clone_key())
                .map_err(|error| Error::config(format!("the client certificate cannot be used: {error}")))?,
        };
        config.resumption = Resumption::in_memory_sessions(SESSIONS_PER_SET);
        Ok(config)
    }

    /// Which identity a verified peer proved.
    pub(crate) fn proven<'a>(
        &self,
        chain: &[CertificateDer<'_>],
        identities: &'a [Identity],
    ) -> Option<&'a Identity> {
        let names = server_names(identities);
        first_valid_name(chain.first()?, &names).map(|index| &identities[index])
    }
}

/// The names as the TLS library wants them. `IdentityName` admits only what is valid there.
fn server_names(identities: &[Identity]) -> Vec<ServerName<'static>> {
    identities.iter().filter_map(|identity| server_name(&identity.name)).collect()
}

fn server_name(name: &IdentityName) -> Option<ServerName<'static>> {
    match name {
        IdentityName::Dns(name) => ServerName::try_from(name.to_string()).ok(),
        IdentityName::Ip(address) => Some(ServerName::IpAddress((*address).into())),
    }
}

/// What a failed TLS handshake, or a TLS error later on, means.
pub(crate) fn classify_tls_error(error: &std::io::Error) -> Option<(Cause, Option<Arc<Certificate>>)> {
    let error = error.get_ref()?.downcast_ref::<rustls::Error>()?;
    Some(match error {
        rustls::Error::InvalidCertificate(reason) => match rejection(reason) {
            Some(rejection) => (certificate_cause(&rejection.reason), rejection.certificate.clone()),
            None => (certificate_cause(reason), None),
        },
        rustls::Error::AlertReceived(alert) => (alert_cause(*alert), None),
        rustls::Error::InvalidMessage(_) => (Cause::PlaintextPort, None),
        other => (Cause::TlsFailed(other.to_string()), None),
    })
}

fn rejection(reason: &CertificateError) -> Option<&Rejection> {
    match reason {
        CertificateError::Other(other) => other.0.downcast_ref::<Rejection>(),
        _ => None,
    }
}

fn certificate_cause(reason: &CertificateError) -> Cause {
    match reason {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => Cause::CertificateExpired,
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            Cause::CertificateNotYetValid
        }
        CertificateError::UnknownIssuer => Cause::UnknownIssuer,
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            Cause::NameMismatch
        }
        other => Cause::CertificateRejected(other.to_string()),
    }
}

fn alert_cause(alert: AlertDescription) -> Cause {
    match alert {
        AlertDescription::CertificateRequired => Cause::ClientCertificateRequired,
        AlertDescription::BadCertificate
        | AlertDescription::UnsupportedCertificate
        | AlertDescription::CertificateRevoked
        | AlertDescription::CertificateExpired
        | AlertDescription::CertificateUnknown
        | AlertDescription::UnknownCA
        | AlertDescription::AccessDenied => Cause::ClientCertificateRejected(format!("{alert:?}")),
        AlertDescription::HandshakeFailure => Cause::TlsFailed(
            "the server sent handshake_failure: no common version or cipher suite, or it wants a client \
             certificate"
                .to_owned(),
        ),
        other => Cause::TlsFailed(format!("the server sent the alert {other:?}")),
    }
}
