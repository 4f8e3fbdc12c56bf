//! The user's side of TLS: which roots are trusted, what else is required of a peer, and what the client presents.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};
use truename_topology::{Pin, Typed};

use super::exposed::warn_if_exposed;
use super::revocation::RevocationList;
use super::verifier::Checks;
use super::version::TlsVersion;
use crate::certificate::{UtcMinute, now_utc};
use truename_resp::Untrusted;

use crate::error::Error;

/// How TLS connections are made.
///
/// The default trusts the system's roots, checks chain and names, offers TLS 1.2 and 1.3, pins no key, knows no
/// revocation list, and presents no client certificate.
///
/// # Examples
/// ```no_run
/// use truename::{Config, Tls, TlsVersion};
///
/// let tls = Tls::new()
///     .ca_file("ca.pem")?
///     .client_certificate_files("client.pem", "client.key")?
///     .crl_file("revoked.pem")?
///     .min_version(TlsVersion::Tls13);
/// for warning in tls.warnings() {
///     eprintln!("{warning}");
/// }
/// let config = Config::new().seed("redis.example.net", 6379).tls(tls);
/// # Ok::<(), truename::Error>(())
/// ```
///
/// The same from texts, such as those of a secret store:
///
/// ```
/// # fn example(ca: &str, chain: &str, key: &str, revoked: &str) -> Result<truename::Tls, truename::Error> {
/// let tls = truename::Tls::new().ca_pem(ca)?.client_certificate_pem(chain, key)?.crl_pem(revoked)?;
/// assert!(!format!("{tls:?}").contains("PRIVATE"));
/// # Ok(tls)
/// # }
/// # assert!(example("", "", "", "").is_err());
/// ```
#[derive(Clone)]
pub struct Tls {
    pub(super) roots: Roots,
    pub(super) client: Option<Arc<ClientIdentity>>,
    pub(super) checks: Checks,
    pub(super) pins: Vec<Pin>,
    pub(super) revocation: Vec<Arc<RevocationList>>,
    min_version: Option<TlsVersion>,
    /// Files that were read and should not be readable by everybody.
    exposed: Vec<String>,
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
    /// TLS with the system's trusted roots. See the [example](Tls#examples).
    pub fn new() -> Self {
        Self {
            roots: Roots::Native,
            client: None,
            checks: Checks::Everything,
            pins: Vec::new(),
            revocation: Vec::new(),
            min_version: None,
            exposed: Vec::new(),
        }
    }

    /// Trusts exactly the certificates of a PEM bundle, all of them, instead of the system's roots. See the
    /// [example](Tls#examples).
    ///
    /// # Errors
    /// [`Error::Config`] when the text holds no certificate or a broken one.
    pub fn ca_pem(mut self, pem: impl AsRef<[u8]>) -> Result<Self, Error> {
        let certificates = certificates(pem.as_ref(), "the CA bundle")?;
        self.roots = Roots::Given(Arc::new(certificates));
        Ok(self)
    }

    /// [`Tls::ca_pem`] from a file. Read now, blocking. See the [example](Tls#examples).
    ///
    /// # Errors
    /// [`Error::Config`] when the file cannot be read or holds no certificate.
    pub fn ca_file(self, path: impl AsRef<Path>) -> Result<Self, Error> {
        let pem = read(path.as_ref(), "the CA bundle")?;
        self.ca_pem(pem)
    }

    /// Presents a client certificate (mTLS): the chain and its private key in PEM form. See the
    /// [example](Tls#examples).
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

    /// [`Tls::client_certificate_pem`] from files. Read now, blocking. A key that every user of the machine can read is
    /// worth a warning, in the log and from [`Tls::warnings`]. See the [example](Tls#examples).
    ///
    /// # Errors
    /// [`Error::Config`] when a file cannot be read or does not hold what it should.
    pub fn client_certificate_files(
        mut self,
        chain: impl AsRef<Path>,
        key: impl AsRef<Path>,
    ) -> Result<Self, Error> {
        let chain = read(chain.as_ref(), "the client certificate")?;
        if let Some(warning) = warn_if_exposed("the client key", &key) {
            tracing::warn!("{warning}");
            self.exposed.push(warning);
        }
        let key = read(key.as_ref(), "the client key")?;
        self.client_certificate_pem(chain, key)
    }

    /// Accepts only peers whose certificate carries one of the pinned public keys. May be called several times.
    ///
    /// Pins apply *in addition* to chain and names, whatever a `danger_*` method turns off. Only the peer's own
    /// certificate counts, not intermediates or roots. Every node of the cluster must present a pinned key, and a new key
    /// must be pinned before a node gets it. A dial rule may pin keys of its own for the nodes that it dials
    /// ([`DialRule::with_pins`](truename_topology::DialRule::with_pins)); a key must then be acceptable to both.
    ///
    /// ```
    /// let pin = "sha256/47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=".parse()?;
    /// let tls = truename::Tls::new().pin(pin);
    /// # Ok::<(), truename::topology::PinError>(())
    /// ```
    ///
    /// The pin of a certificate: `openssl x509 -in FILE -noout -pubkey | openssl pkey -pubin -outform DER | openssl dgst
    /// -sha256 -binary | base64`.
    #[must_use]
    pub fn pin(mut self, pin: Pin) -> Self {
        self.pins.push(pin);
        self
    }

    /// Refuses certificates that are on these revocation lists (PEM text). May be called several times.
    ///
    /// Once a list is given, a certificate whose issuer no list covers is refused too. Only the peer's own certificate is
    /// looked up, not the intermediates. A list that is past its next update still counts, and causes an
    /// [`Event::RevocationListOutdated`](crate::Event::RevocationListOutdated); give a new one with
    /// [`Client::replace_tls`](crate::Client::replace_tls). See the [example](Tls#examples).
    ///
    /// # Errors
    /// [`Error::Config`] when the text holds no list or one that cannot be used, such as a delta list.
    pub fn crl_pem(mut self, pem: impl AsRef<[u8]>) -> Result<Self, Error> {
        let parsed: Result<Vec<_>, _> = CertificateRevocationListDer::pem_slice_iter(pem.as_ref()).collect();
        let lists = parsed
            .map_err(|error| Error::config(format!("the revocation list is not valid PEM: {error}")))?;
        if lists.is_empty() {
            return Err(Error::config_with_remedy(
                "the file contains no revocation list",
                "it must be PEM text with `-----BEGIN X509 CRL-----` blocks, or one list in DER form",
            ));
        }
        for list in &lists {
            self.revocation.push(Arc::new(RevocationList::read(list)?));
        }
        Ok(self)
    }

    /// [`Tls::crl_pem`] from a file, which may also be one list in DER form. Read now, blocking. See the
    /// [example](Tls#examples).
    ///
    /// # Errors
    /// [`Error::Config`] when the file cannot be read or holds no list that can be used.
    pub fn crl_file(mut self, path: impl AsRef<Path>) -> Result<Self, Error> {
        const SEQUENCE: u8 = 0x30;
        let text = read(path.as_ref(), "the revocation list")?;
        // A list in DER form begins so, and the length that follows is not UTF-8.
        if text.first() == Some(&SEQUENCE) && std::str::from_utf8(&text).is_err() {
            self.revocation.push(Arc::new(RevocationList::read(&CertificateRevocationListDer::from(text))?));
            return Ok(self);
        }
        self.crl_pem(text)
    }

    /// The minimum TLS version. The default is [`TlsVersion::Tls12`]. See the [example](Tls#examples).
    #[must_use]
    pub fn min_version(mut self, version: TlsVersion) -> Self {
        self.min_version = Some(version);
        self
    }

    pub(super) fn least_version(&self) -> TlsVersion {
        self.min_version.unwrap_or_default()
    }

    /// Whether nothing was set: these are the options of [`Tls::new`].
    ///
    /// ```
    /// use truename::{Tls, TlsVersion};
    ///
    /// assert!(Tls::new().is_default() && !Tls::new().min_version(TlsVersion::Tls13).is_default());
    /// ```
    pub fn is_default(&self) -> bool {
        matches!(self.roots, Roots::Native)
            && self.client.is_none()
            && self.checks == Checks::Everything
            && self.pins.is_empty()
            && self.revocation.is_empty()
            && self.min_version.is_none()
    }

    /// Warnings about these options: a key that everybody can read, a revocation list that is outdated. See
    /// the [example](Tls#examples).
    pub fn warnings(&self) -> Vec<String> {
        self.exposed.iter().cloned().chain(self.outdated_lists()).collect()
    }

    /// A warning for each revocation list that is outdated.
    pub(super) fn outdated_lists(&self) -> impl Iterator<Item = String> {
        let now = now_utc();
        self.revocation.iter().filter_map(move |list| list.outdated(now)).map(|list| {
            format!(
                "the revocation list of {} has been outdated since {}: get the next one",
                Untrusted(&list.issuer),
                UtcMinute(list.next_update)
            )
        })
    }

    /// Accepts a certificate of any name, as long as its chain is trusted.
    ///
    /// # Danger
    /// Anybody who holds *any* certificate of a trusted authority can impersonate every node. With the system's
    /// roots that is everybody. What you want instead is a name that the certificate carries:
    /// [`Config::identity`](crate::Config::identity).
    ///
    /// # Examples
    /// ```
    /// use truename::{Config, Tls, topology::IdentityName, topology::IdentityPolicy};
    ///
    /// let anybody = Tls::new().danger_accept_invalid_hostnames();
    /// assert!(anybody.is_weakened());
    ///
    /// // As good where the certificate has one name for all nodes, and nobody else can prove that.
    /// let name = IdentityName::parse("redis.internal.example.net")?;
    /// let config = Config::new().seed("10.0.0.4", 6379).identity(IdentityPolicy::Only(name));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn danger_accept_invalid_hostnames(mut self) -> Self {
        self.checks = Checks::ChainOnly;
        self
    }

    /// Accepts every certificate, including self-signed and expired ones.
    ///
    /// # Danger
    /// The connection is encrypted to whoever answers. The password is sent to them.
    ///
    /// # Examples
    /// ```
    /// use truename::Tls;
    ///
    /// // For a look at a test server. To trust a self-signed certificate, give it to `Tls::ca_file`.
    /// assert!(Tls::new().danger_accept_invalid_certificates().is_weakened());
    /// ```
    #[must_use]
    pub fn danger_accept_invalid_certificates(mut self) -> Self {
        self.checks = Checks::Nothing;
        self
    }

    /// Whether a `danger_*` method switched a check off. See the [example](Self::danger_accept_invalid_hostnames).
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
            .field("pins", &self.pins)
            .field("revocation_lists", &self.revocation.len())
            .field("min_version", &self.least_version())
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
    std::fs::read(path).map_err(|error| {
        Error::config(format!("cannot read {what} {}: {error}", Typed(&path.to_string_lossy())))
    })
}
