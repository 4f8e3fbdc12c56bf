//! The user's side of TLS: which roots are trusted and what the client itself presents.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use super::verifier::Checks;
use crate::error::Error;

/// How TLS connections are made.
///
/// The default trusts the system's roots, checks chain and names, offers TLS 1.2 and 1.3, and presents no
/// client certificate.
///
/// ```
/// let tls = truename::Tls::new();
/// assert!(!format!("{tls:?}").contains("PRIVATE"));
/// ```
#[derive(Clone)]
pub struct Tls {
    pub(super) roots: Roots,
    pub(super) client: Option<Arc<ClientIdentity>>,
    pub(super) checks: Checks,
}

/// Where trust begins.
#[derive(Clone)]
pub(super) enum Roots {
    Native,
    Given(Arc<Vec<CertificateDer<'static>>>),
}

/// A client certificate with its key.
pub(super) struct ClientIdentity {
    pub(super) chain: Vec<CertificateDer<'static>>,
    pub(super) key: PrivateKeyDer<'static>,
}

impl Default for Tls {
    fn default() -> Self {
        Self::new()
    }
}

impl Tls {
    /// TLS with the system's trusted roots.
    pub fn new() -> Self {
        Self { roots: Roots::Native, client: None, checks: Checks::Everything }
    }

    /// Trusts exactly the certificates of a PEM bundle, all of them, instead of the system's roots.
    ///
    /// # Errors
    /// [`Error::Config`] when the text holds no certificate or a broken one.
    pub fn ca_pem(mut self, pem: impl AsRef<[u8]>) -> Result<Self, Error> {
        let certificates = certificates(pem.as_ref(), "the CA bundle")?;
        self.roots = Roots::Given(Arc::new(certificates));
        Ok(self)
    }

    /// [`Tls::ca_pem`] from a file. Read now, blocking.
    ///
    /// # Errors
    /// [`Error::Config`] when the file cannot be read or holds no certificate.
    pub fn ca_file(self, path: impl AsRef<Path>) -> Result<Self, Error> {
        let pem = read(path.as_ref(), "the CA bundle")?;
        self.ca_pem(pem)
    }

    /// Presents a client certificate (mTLS): the chain and its private key in PEM form.
    ///
    /// # Errors
    /// [`Error::Config`] when either is missing or broken.
    pub fn client_certificate_pem(
        mut self,
        chain: impl AsRef<[u8]>,
        key: impl AsRef<[u8]>,
    ) -> Result<Self, Error> {
        let chain = certificates(chain.as_ref(), "the client certificate")?;
        let key = PrivateKeyDer::from_pem_slice(key.as_ref())
            .map_err(|error| Error::config(format!("the client key is not a PEM private key: {error}")))?;
        self.client = Some(Arc::new(ClientIdentity { chain, key }));
        Ok(self)
    }

    /// [`Tls::client_certificate_pem`] from files. Read now, blocking.
    ///
    /// # Errors
    /// [`Error::Config`] when a file cannot be read or does not hold what it should.
    pub fn client_certificate_files(
        self,
        chain: impl AsRef<Path>,
        key: impl AsRef<Path>,
    ) -> Result<Self, Error> {
        let chain = read(chain.as_ref(), "the client certificate")?;
        let key = read(key.as_ref(), "the client key")?;
        self.client_certificate_pem(chain, key)
    }

    /// Accepts a certificate of any name, as long as its chain is trusted.
    ///
    /// # Danger
    /// Whoever holds *any* certificate of a trusted authority can pose as every node. With the system's roots
    /// that is everybody. What you want instead is a name that the certificate carries:
    /// [`Config::identity`](crate::Config::identity).
    #[must_use]
    pub fn danger_accept_invalid_hostnames(mut self) -> Self {
        self.checks = Checks::ChainOnly;
        self
    }

    /// Accepts every certificate, also self-signed and expired ones.
    ///
    /// # Danger
    /// The connection is encrypted to whoever answers. The password is sent to them.
    #[must_use]
    pub fn danger_accept_invalid_certificates(mut self) -> Self {
        self.checks = Checks::Nothing;
        self
    }

    /// Whether a `danger_*` method switched a check off.
    pub fn is_weakened(&self) -> bool {
        self.checks != Checks::Everything
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let roots = match &self.roots {
            Roots::Native => "system".to_owned(),
            Roots::Given(given) => format!("{} given", given.len()),
        };
        f.debug_struct("Tls")
            .field("roots", &roots)
            .field("client_certificate", &self.client.is_some())
            .field("checks", &self.checks)
            .finish()
    }
}

fn certificates(pem: &[u8], what: &str) -> Result<Vec<CertificateDer<'static>>, Error> {
    let parsed: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match parsed {
        Ok(certificates) if certificates.is_empty() => Err(Error::config_with_remedy(
            format!("{what} holds no certificate"),
            "it must be PEM text with `-----BEGIN CERTIFICATE-----` blocks",
        )),
        Ok(certificates) => Ok(certificates),
        Err(error) => Err(Error::config(format!("{what} is not valid PEM: {error}"))),
    }
}

fn read(path: &Path, what: &str) -> Result<Vec<u8>, Error> {
    std::fs::read(path)
        .map_err(|error| Error::config(format!("cannot read {what} {}: {error}", path.display())))
}
