//! Certificate revocation lists that the user gives: what they say about a certificate.
//!
//! Once a list is given, a certificate whose status no list knows is refused. A list that is past its next update still
//! counts: that causes a notice and not an outage, since otherwise an attacker who can withhold the next list could take
//! every service down. Only the peer's own certificate is looked up.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer, TrustAnchor, UnixTime};
use webpki::{
    CertRevocationList, EndEntityCert, ExpirationPolicy, KeyUsage, OwnedCertRevocationList,
    RevocationCheckDepth, RevocationOptionsBuilder, UnknownStatusPolicy,
};
use x509_parser::prelude::{CertificateRevocationList, FromDer};

use crate::error::Error;

/// One list, as its issuer signed it.
#[derive(Debug)]
pub(super) struct RevocationList {
    list: CertRevocationList<'static>,
    /// For people.
    issuer: String,
    /// Seconds since 1970-01-01 00:00 UTC; `None` where it does not say.
    next_update: Option<i64>,
    /// It was already reported as outdated.
    told: AtomicBool,
}

/// What the lists say about a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Revocation {
    /// It is on a list.
    Revoked,
    /// No list covers its issuer.
    Unknown,
    /// The list of its issuer cannot be trusted; the text says why.
    Unusable(String),
}

/// A list whose next update is due.
#[derive(Debug, Clone)]
pub(crate) struct Outdated {
    pub(crate) issuer: String,
    pub(crate) next_update: i64,
}

impl RevocationList {
    pub(super) fn read(der: &CertificateRevocationListDer<'_>) -> Result<Self, Error> {
        let list = OwnedCertRevocationList::from_der(der)
            .map_err(|error| Error::config(format!("a revocation list cannot be used: {error}")))?;
        let (_, described) = CertificateRevocationList::from_der(der)
            .map_err(|error| Error::config(format!("a revocation list cannot be read: {error}")))?;
        Ok(Self {
            list: list.into(),
            issuer: described.issuer().to_string(),
            next_update: described.next_update().map(|at| at.timestamp()),
            told: AtomicBool::new(false),
        })
    }

    /// Whether a newer list should be there by now.
    pub(super) fn outdated(&self, now: i64) -> Option<Outdated> {
        let next_update = self.next_update.filter(|at| *at <= now)?;
        Some(Outdated { issuer: self.issuer.clone(), next_update })
    }

    /// The same, once.
    pub(super) fn newly_outdated(&self, now: i64) -> Option<Outdated> {
        let outdated = self.outdated(now)?;
        (!self.told.swap(true, Ordering::Relaxed)).then_some(outdated)
    }
}

/// Looks a certificate up whose chain was verified. Every list of its issuer is asked by itself: of two lists, an old one
/// and a new one, either may have it.
pub(super) fn look_up(
    lists: &[Arc<RevocationList>],
    leaf: &CertificateDer<'_>,
    intermediates: &[CertificateDer<'_>],
    roots: &[TrustAnchor<'static>],
    algorithms: &WebPkiSupportedAlgorithms,
    now: UnixTime,
) -> Result<(), Revocation> {
    if lists.is_empty() {
        return Ok(());
    }
    let certificate =
        EndEntityCert::try_from(leaf).map_err(|error| Revocation::Unusable(error.to_string()))?;
    let mut verdict = Err(Revocation::Unknown);
    for list in lists.iter().filter(|list| list.list.issuer() == certificate.issuer()) {
        let one = [&list.list];
        let options = RevocationOptionsBuilder::new(&one)
            .map_err(|_| Revocation::Unknown)?
            .with_depth(RevocationCheckDepth::EndEntity)
            .with_status_policy(UnknownStatusPolicy::Deny)
            .with_expiration_policy(ExpirationPolicy::Ignore)
            .build();
        let server = KeyUsage::server_auth();
        match certificate.verify_for_usage(
            algorithms.all,
            roots,
            intermediates,
            now,
            server,
            Some(options),
            None,
        ) {
            Ok(_) => verdict = Ok(()),
            Err(webpki::Error::CertRevoked) => return Err(Revocation::Revoked),
            Err(webpki::Error::UnknownRevocationStatus) => {}
            Err(error) if verdict != Ok(()) => verdict = Err(Revocation::Unusable(error.to_string())),
            Err(_) => {}
        }
    }
    verdict
}

#[cfg(test)]
mod tests {
    use rcgen::{
        BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer,
        DistinguishedName, DnType, IsCa, KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams,
        SerialNumber, date_time_ymd,
    };
    use rustls::RootCertStore;

    use super::*;

    fn authority(name: &str) -> CertifiedIssuer<'static, KeyPair> {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
    }

    fn leaf(issuer: &CertifiedIssuer<'static, KeyPair>, serial: u64) -> CertificateDer<'static> {
        let mut params = CertificateParams::new(["a.test".to_owned()]).unwrap();
        params.serial_number = Some(SerialNumber::from(serial));
        params.signed_by(&KeyPair::generate().unwrap(), issuer).unwrap().der().clone()
    }

    /// A list of these serial numbers, whose next update is due in this year.
    fn list(issuer: &CertifiedIssuer<'static, KeyPair>, serials: &[u64], year: i32) -> Arc<RevocationList> {
        let revoked = |serial: &u64| RevokedCertParams {
            serial_number: SerialNumber::from(*serial),
            revocation_time: date_time_ymd(2020, 1, 1),
            reason_code: None,
            invalidity_date: None,
        };
        let params = CertificateRevocationListParams {
            this_update: date_time_ymd(2020, 1, 1),
            next_update: date_time_ymd(year, 1, 1),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: serials.iter().map(revoked).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        Arc::new(RevocationList::read(params.signed_by(issuer).unwrap().der()).unwrap())
    }

    #[test]
    fn what_lists_say() {
        // One with the same name as ours and another key, as after a change of keys.
        let (ours, namesake, other) = (authority("Ours"), authority("Ours"), authority("Other"));
        let mut roots = RootCertStore::empty();
        for root in [&ours, &other] {
            roots.add(root.der().clone()).unwrap();
        }
        let algorithms = rustls::crypto::ring::default_provider().signature_verification_algorithms;
        let unusable = Err(Revocation::Unusable(String::new()));
        type Row = (&'static str, Vec<Arc<RevocationList>>, Result<(), Revocation>);
        let rows: [Row; 10] = [
            ("none", vec![], Ok(())),
            ("not in it", vec![list(&ours, &[8], 2100)], Ok(())),
            ("in it", vec![list(&ours, &[8, 7], 2100)], Err(Revocation::Revoked)),
            ("outdated, not in it", vec![list(&ours, &[], 2021)], Ok(())),
            ("outdated, in it", vec![list(&ours, &[7], 2021)], Err(Revocation::Revoked)),
            ("of another issuer", vec![list(&other, &[7], 2100)], Err(Revocation::Unknown)),
            (
                "in the newer of two",
                vec![list(&ours, &[], 2021), list(&ours, &[7], 2100)],
                Err(Revocation::Revoked),
            ),
            (
                "in the older of two",
                vec![list(&ours, &[7], 2021), list(&ours, &[], 2100)],
                Err(Revocation::Revoked),
            ),
            ("of a key that is not in use", vec![list(&namesake, &[], 2100)], unusable),
            ("of both keys", vec![list(&ours, &[], 2100), list(&namesake, &[7], 2100)], Ok(())),
        ];
        let leaf = leaf(&ours, 7);
        for (what, lists, expected) in rows {
            let said = look_up(&lists, &leaf, &[], &roots.roots, &algorithms, UnixTime::now());
            match (&said, &expected) {
                (Err(Revocation::Unusable(_)), Err(Revocation::Unusable(_))) => {}
                _ => assert_eq!(said, expected, "{what}"),
            }
        }
    }

    #[test]
    fn that_a_list_is_outdated_is_told_once() {
        let ours = authority("Ours");
        let at = 1_609_459_200; // 2021-01-01 00:00 UTC
        let list = list(&ours, &[], 2021);
        assert!(list.newly_outdated(at - 1).is_none());
        let told = list.newly_outdated(at).expect("outdated");
        assert_eq!((told.issuer.as_str(), told.next_update), ("CN=Ours", at));
        assert!(list.newly_outdated(at).is_none() && list.outdated(at).is_some());
    }
}
