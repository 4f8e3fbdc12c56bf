//! Certificates of a lab: an authority of its own, one leaf per node, and faulty leaves on demand.
//!
//! Leaves carry both extended key usages by default: on the cluster bus a node is client and server at once, and a
//! leaf without `clientAuth` keeps a TLS cluster from ever forming, even with `tls-auth-clients no`.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, ExtendedKeyUsagePurpose,
    IsCa, KeyPair, KeyUsagePurpose, date_time_ymd,
};

use crate::LabError;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const VALID_DAYS: u32 = 90;

/// What a node's certificate should be like; good unless told otherwise.
///
/// ```
/// let spec = truename_lab::CertificateSpec::new(["node1.example.test", "127.0.0.1"]).expired(true);
/// assert_eq!(spec.names.len(), 2);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CertificateSpec {
    /// Subject alternative names: host names (a leading `*.` makes a wildcard) or IP addresses.
    pub names: Vec<String>,
    /// Valid until yesterday.
    pub expired: bool,
    /// Signed by an authority that is not in [`ca_pem`](crate::Lab::ca_pem).
    pub unknown_ca: bool,
    /// Carries the extended key usage of a server.
    pub server_auth: bool,
    /// Carries the extended key usage of a client.
    pub client_auth: bool,
}

impl CertificateSpec {
    /// A good certificate for these names.
    pub fn new<S: Into<String>>(names: impl IntoIterator<Item = S>) -> Self {
        Self {
            names: names.into_iter().map(Into::into).collect(),
            expired: false,
            unknown_ca: false,
            server_auth: true,
            client_auth: true,
        }
    }

    /// Whether it ended yesterday.
    #[must_use]
    pub const fn expired(mut self, expired: bool) -> Self {
        self.expired = expired;
        self
    }

    /// Whether an authority unknown to the client signs it.
    #[must_use]
    pub const fn unknown_ca(mut self, unknown_ca: bool) -> Self {
        self.unknown_ca = unknown_ca;
        self
    }

    /// Whether it may be used by a server.
    #[must_use]
    pub const fn server_auth(mut self, server_auth: bool) -> Self {
        self.server_auth = server_auth;
        self
    }

    /// Whether it may be used by a client.
    #[must_use]
    pub const fn client_auth(mut self, client_auth: bool) -> Self {
        self.client_auth = client_auth;
        self
    }

    /// Whether the other nodes would refuse it on the cluster bus, where only the chain is checked, never a name.
    pub(crate) const fn breaks_the_bus(&self) -> bool {
        self.expired || self.unknown_ca || !self.server_auth
    }

    /// The same certificate without what [breaks the bus](Self::breaks_the_bus).
    pub(crate) fn sound(&self) -> Self {
        Self {
            names: self.names.clone(),
            expired: false,
            unknown_ca: false,
            server_auth: true,
            client_auth: true,
        }
    }
}

/// A certificate and its key.
pub(crate) struct Leaf {
    pub(crate) pem: String,
    pub(crate) key_pem: String,
}

/// Issues a lab's certificates and remembers every one of them.
#[derive(Debug)]
pub(crate) struct Authority {
    trusted: CertifiedIssuer<'static, KeyPair>,
    stranger: CertifiedIssuer<'static, KeyPair>,
    issued: Mutex<HashSet<Vec<u8>>>,
}

impl Authority {
    pub(crate) fn new() -> Result<Self, LabError> {
        Ok(Self {
            trusted: issuer("truename lab CA")?,
            stranger: issuer("truename lab stranger CA")?,
            issued: Mutex::default(),
        })
    }

    /// What clients should trust.
    pub(crate) fn pem(&self) -> String {
        self.trusted.pem()
    }

    pub(crate) fn issue(&self, spec: &CertificateSpec) -> Result<Leaf, LabError> {
        let names = || spec.names.join(", ");
        let params = leaf_params(spec).map_err(failed(names()))?;
        let key = KeyPair::generate().map_err(failed(names()))?;
        let signer = if spec.unknown_ca { &self.stranger } else { &self.trusted };
        let certificate = params.signed_by(&key, signer).map_err(failed(names()))?;
        self.issued.lock().unwrap_or_else(PoisonError::into_inner).insert(certificate.der().to_vec());
        Ok(Leaf { pem: certificate.pem(), key_pem: key.serialize_pem() })
    }

    /// Whether this authority made exactly this certificate, be it sound or faulty.
    pub(crate) fn has_issued(&self, der: &[u8]) -> bool {
        self.issued.lock().unwrap_or_else(PoisonError::into_inner).contains(der)
    }
}

fn issuer(name: &str) -> Result<CertifiedIssuer<'static, KeyPair>, LabError> {
    let mut params = dated(name, VALID_DAYS);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let key = KeyPair::generate().map_err(failed(name.to_owned()))?;
    CertifiedIssuer::self_signed(params, key).map_err(failed(name.to_owned()))
}

fn leaf_params(spec: &CertificateSpec) -> Result<CertificateParams, rcgen::Error> {
    let mut params = dated("truename lab node", if spec.expired { 1 } else { VALID_DAYS });
    params.subject_alt_names = CertificateParams::new(spec.names.clone())?.subject_alt_names;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    let usages = [
        (spec.server_auth, ExtendedKeyUsagePurpose::ServerAuth),
        (spec.client_auth, ExtendedKeyUsagePurpose::ClientAuth),
    ];
    params.extended_key_usages =
        usages.into_iter().filter(|(wanted, _)| *wanted).map(|(_, usage)| usage).collect();
    params.use_authority_key_identifier_extension = true;
    Ok(params)
}

/// Valid for so many days; a single day is yesterday's, which is over.
fn dated(common_name: &str, days: u32) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, common_name);
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let start = now.saturating_sub(if days == 1 { 2 * DAY } else { DAY });
    params.not_before = date_time_ymd(1970, 1, 1) + start;
    params.not_after = params.not_before + days * DAY;
    params
}

fn failed(names: String) -> impl FnOnce(rcgen::Error) -> LabError {
    move |error| LabError::Certificate { names, source: Box::new(error) }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rustls::client::WebPkiServerVerifier;
    use rustls::client::danger::ServerCertVerifier as _;
    use rustls::crypto::ring;
    use rustls::pki_types::pem::PemObject;
    use rustls::pki_types::{CertificateDer, ServerName, UnixTime};

    use super::*;

    /// What a client that trusts the lab's authority says to a node's certificate.
    fn verdict(authority: &Authority, spec: &CertificateSpec, name: &str) -> Result<(), String> {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(authority.pem().as_bytes()).unwrap()).unwrap();
        let provider = Arc::new(ring::default_provider());
        let verifier =
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
        let leaf = authority.issue(spec).unwrap();
        let der = CertificateDer::from_pem_slice(leaf.pem.as_bytes()).unwrap();
        assert!(authority.has_issued(&der));
        let name = ServerName::try_from(name.to_owned()).unwrap();
        verifier
            .verify_server_cert(&der, &[], &name, &[], UnixTime::now())
            .map(drop)
            .map_err(|error| format!("{error:?}"))
    }

    #[test]
    fn clients_judge_leaves_as_specified() {
        let authority = Authority::new().unwrap();
        let good = CertificateSpec::new(["*.lab.test", "127.0.0.1"]);
        let rows = [
            (good.clone(), "a.lab.test", ""),
            (good.clone(), "127.0.0.1", ""),
            (good.clone(), "127.0.0.2", "NotValidForName"),
            (good.clone(), "lab.test", "NotValidForName"),
            (good.clone().expired(true), "a.lab.test", "Expired"),
            (good.clone().unknown_ca(true), "a.lab.test", "UnknownIssuer"),
            (good.clone().server_auth(false), "a.lab.test", "InvalidPurpose"),
            (good.clone().client_auth(false), "a.lab.test", ""),
            (good.expired(true).unknown_ca(true).server_auth(false).sound(), "a.lab.test", ""),
        ];
        for (spec, name, expected) in rows {
            match verdict(&authority, &spec, name) {
                Ok(()) => assert!(expected.is_empty(), "{spec:?} was accepted as {name}"),
                Err(error) => {
                    assert!(!expected.is_empty() && error.contains(expected), "{spec:?} as {name}: {error}");
                }
            }
        }
    }

    #[test]
    fn a_strangers_certificate_was_not_issued_here() {
        let (ours, theirs) = (Authority::new().unwrap(), Authority::new().unwrap());
        let leaf = theirs.issue(&CertificateSpec::new(["a.test"])).unwrap();
        let der = CertificateDer::from_pem_slice(leaf.pem.as_bytes()).unwrap();
        assert!(theirs.has_issued(&der) && !ours.has_issued(&der));
    }
}
