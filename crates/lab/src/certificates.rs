//! Certificates of a lab: an authority of its own, one leaf per node, and faulty leaves on demand.
//!
//! Leaves carry both extended key usages by default: on the cluster bus a node is client and server at once, and a
//! leaf without `clientAuth` keeps a TLS cluster from ever forming, even with `tls-auth-clients no`.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer, DistinguishedName,
    DnType, ExtendedKeyUsagePurpose, IsCa, KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams,
    SerialNumber, date_time_ymd,
};

use crate::LabError;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const VALID_DAYS: u32 = 90;

/// What a node's certificate should be like; a good one by default.
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
    /// Valid for this long from when it is issued, to the second; otherwise for months.
    pub expires_in: Option<Duration>,
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
            expires_in: None,
        }
    }

    /// How long it is valid from when it is issued, which is when its lab starts.
    #[must_use]
    pub const fn expires_in(mut self, time: Duration) -> Self {
        self.expires_in = Some(time);
        self
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
        self.expired || self.unknown_ca || !self.server_auth || self.expires_in.is_some()
    }

    /// The same certificate without what [breaks the bus](Self::breaks_the_bus).
    pub(crate) fn sound(&self) -> Self {
        Self {
            names: self.names.clone(),
            expired: false,
            unknown_ca: false,
            server_auth: true,
            client_auth: true,
            expires_in: None,
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
    /// Serial numbers by certificate.
    issued: Mutex<HashMap<Vec<u8>, SerialNumber>>,
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
        let mut params = leaf_params(spec).map_err(failed(names()))?;
        // Without the highest bit, which would make it negative.
        let serial = SerialNumber::from(fastrand::u64(..) >> 1);
        params.serial_number = Some(serial.clone());
        let key = KeyPair::generate().map_err(failed(names()))?;
        let signer = if spec.unknown_ca { &self.stranger } else { &self.trusted };
        let certificate = params.signed_by(&key, signer).map_err(failed(names()))?;
        self.issued.lock().unwrap_or_else(PoisonError::into_inner).insert(certificate.der().to_vec(), serial);
        Ok(Leaf { pem: certificate.pem(), key_pem: key.serialize_pem() })
    }

    /// Whether this authority made exactly this certificate, be it sound or faulty.
    pub(crate) fn has_issued(&self, der: &[u8]) -> bool {
        self.issued.lock().unwrap_or_else(PoisonError::into_inner).contains_key(der)
    }

    /// A list that revokes those of these certificates that this authority issued. An outdated one was to be replaced
    /// yesterday.
    pub(crate) fn revocation_list(
        &self,
        revoked: impl IntoIterator<Item = impl AsRef<[u8]>>,
        outdated: bool,
    ) -> Result<String, LabError> {
        let issued = self.issued.lock().unwrap_or_else(PoisonError::into_inner);
        let now = date_time_ymd(1970, 1, 1)
            + SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let serials = revoked.into_iter().filter_map(|der| issued.get(der.as_ref()).cloned());
        let revoked_certs = serials.map(|serial_number| RevokedCertParams {
            serial_number,
            revocation_time: now - 2 * DAY,
            reason_code: None,
            invalidity_date: None,
        });
        let params = CertificateRevocationListParams {
            this_update: now - 2 * DAY,
            next_update: if outdated { now - DAY } else { now + DAY },
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: revoked_certs.collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        let what = || "the revocation list".to_owned();
        params.signed_by(&self.trusted).map_err(failed(what()))?.pem().map_err(failed(what()))
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
    if let Some(time) = spec.expires_in {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        params.not_after = date_time_ymd(1970, 1, 1) + Duration::from_secs((now + time).as_secs());
    }
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

/// Valid for this many days; a single day is yesterday's, which is over.
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
        verdict_after(Duration::ZERO, authority, spec, name)
    }

    /// The same, this long from now.
    fn verdict_after(
        time: Duration,
        authority: &Authority,
        spec: &CertificateSpec,
        name: &str,
    ) -> Result<(), String> {
        let then = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap() + time;
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
            .verify_server_cert(&der, &[], &name, &[], UnixTime::since_unix_epoch(then))
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
    fn a_certificate_may_end_at_a_second() {
        let authority = Authority::new().unwrap();
        let spec = CertificateSpec::new(["a.lab.test"]).expires_in(Duration::from_secs(2));
        assert!(spec.breaks_the_bus() && spec.sound().expires_in.is_none());
        assert_eq!(verdict(&authority, &spec, "a.lab.test"), Ok(()));
        let over = verdict_after(Duration::from_secs(3), &authority, &spec, "a.lab.test").unwrap_err();
        assert!(over.contains("Expired"), "{over}");
    }

    #[test]
    fn a_strangers_certificate_was_not_issued_here() {
        let (ours, theirs) = (Authority::new().unwrap(), Authority::new().unwrap());
        let leaf = theirs.issue(&CertificateSpec::new(["a.test"])).unwrap();
        let der = CertificateDer::from_pem_slice(leaf.pem.as_bytes()).unwrap();
        assert!(theirs.has_issued(&der) && !ours.has_issued(&der));
    }
}
