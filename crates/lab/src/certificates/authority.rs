//! Issues a lab's certificates. Whatever it issued it knows again, so that the lab's own connections accept exactly
//! that and nothing else.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer, DistinguishedName,
    DnType, ExtendedKeyUsagePurpose, IsCa, KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams,
    SerialNumber, date_time_ymd,
};

use super::spec::{CertificateSpec, Issuer};
use crate::LabError;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const VALID_DAYS: u32 = 90;

/// A certificate and its key.
pub(crate) struct Leaf {
    /// The certificate, and behind it what the server sends besides.
    pub(crate) pem: String,
    pub(crate) key_pem: String,
}

/// Issues a lab's certificates and remembers every one of them.
#[derive(Debug)]
pub(crate) struct Authority {
    trusted: CertifiedIssuer<'static, KeyPair>,
    /// Signed by the trusted one.
    intermediate: CertifiedIssuer<'static, KeyPair>,
    stranger: CertifiedIssuer<'static, KeyPair>,
    /// Serial numbers by certificate.
    issued: Mutex<HashMap<Vec<u8>, SerialNumber>>,
}

impl Authority {
    pub(crate) fn new() -> Result<Self, LabError> {
        let trusted = issuer("truename lab CA", None)?;
        Ok(Self {
            intermediate: issuer("truename lab intermediate CA", Some(&trusted))?,
            stranger: issuer("truename lab stranger CA", None)?,
            trusted,
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
        let certificate = match spec.issuer {
            Issuer::Authority => params.signed_by(&key, &self.trusted),
            Issuer::Intermediate { .. } => params.signed_by(&key, &self.intermediate),
            Issuer::Stranger => params.signed_by(&key, &self.stranger),
            Issuer::Itself => params.self_signed(&key),
        };
        let certificate = certificate.map_err(failed(names()))?;
        self.issued.lock().unwrap_or_else(PoisonError::into_inner).insert(certificate.der().to_vec(), serial);
        let mut pem = certificate.pem();
        if spec.issuer == (Issuer::Intermediate { sent: true }) {
            pem.push_str(&self.intermediate.pem());
        }
        Ok(Leaf { pem, key_pem: key.serialize_pem() })
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

/// An authority, signed by another one or by itself.
fn issuer(
    name: &str,
    signer: Option<&CertifiedIssuer<'static, KeyPair>>,
) -> Result<CertifiedIssuer<'static, KeyPair>, LabError> {
    let mut params = dated(name, VALID_DAYS);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let key = KeyPair::generate().map_err(failed(name.to_owned()))?;
    params.use_authority_key_identifier_extension = signer.is_some();
    let issuer = match signer {
        Some(signer) => CertifiedIssuer::signed_by(params, key, signer),
        None => CertifiedIssuer::self_signed(params, key),
    };
    issuer.map_err(failed(name.to_owned()))
}

fn leaf_params(spec: &CertificateSpec) -> Result<CertificateParams, rcgen::Error> {
    let common_name = spec.common_name.as_deref().unwrap_or("truename lab node");
    let mut params = dated(common_name, if spec.expired { 1 } else { VALID_DAYS });
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let then = |time: Duration| date_time_ymd(1970, 1, 1) + Duration::from_secs((now + time).as_secs());
    if let Some(time) = spec.not_before_in {
        params.not_before = then(time);
        params.not_after = then(time + VALID_DAYS * DAY);
    }
    if let Some(time) = spec.expires_in {
        params.not_after = then(time);
    }
    params.subject_alt_names = CertificateParams::new(spec.names.clone())?.subject_alt_names;
    params.key_usages = vec![if spec.digital_signature {
        KeyUsagePurpose::DigitalSignature
    } else {
        KeyUsagePurpose::KeyAgreement
    }];
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
        let chain: Vec<_> =
            CertificateDer::pem_slice_iter(leaf.pem.as_bytes()).collect::<Result<_, _>>().unwrap();
        let (der, sent) = chain.split_first().unwrap();
        assert!(authority.has_issued(der));
        let name = ServerName::try_from(name.to_owned()).unwrap();
        verifier
            .verify_server_cert(der, sent, &name, &[], UnixTime::since_unix_epoch(then))
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
            (good.clone().digital_signature(false), "a.lab.test", ""),
            (good.clone().intermediate(true), "a.lab.test", ""),
            (good.clone().intermediate(false), "a.lab.test", "UnknownIssuer"),
            (good.clone().self_signed(), "a.lab.test", "UnknownIssuer"),
            (CertificateSpec::common_name_only("a.lab.test"), "a.lab.test", "NotValidForName"),
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
        assert_eq!(verdict(&authority, &spec, "a.lab.test"), Ok(()));
        let over = verdict_after(Duration::from_secs(3), &authority, &spec, "a.lab.test").unwrap_err();
        assert!(over.contains("Expired"), "{over}");
    }

    #[test]
    fn a_certificate_may_begin_at_a_second() {
        let authority = Authority::new().unwrap();
        let spec = CertificateSpec::new(["a.lab.test"]).not_before_in(Duration::from_secs(60));
        let early = verdict(&authority, &spec, "a.lab.test").unwrap_err();
        assert!(early.contains("NotValidYet"), "{early}");
        assert_eq!(verdict_after(Duration::from_secs(61), &authority, &spec, "a.lab.test"), Ok(()));
        let spec = spec.expires_in(Duration::from_secs(62));
        let over = verdict_after(Duration::from_secs(63), &authority, &spec, "a.lab.test").unwrap_err();
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
