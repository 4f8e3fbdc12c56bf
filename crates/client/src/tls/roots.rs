//! The roots: where they come from, and whether they are the user's own.
//!
//! An authority is public when Mozilla's list has its key or its name, however the given certificate is encoded and
//! whoever signed it, or when an authority of that list issued it. An older state of the list counts as well as the
//! present one: GlobalSign's first root, DigiCert's, Starfield's and Comodo's left it, and are still what providers
//! tell their users to trust; they signed roots that stay, so a certificate of
//! those has a chain to them. A bundle with a single public authority in it accepts anybody who can get a public
//! certificate, so it counts as public as a whole.

use rustls::RootCertStore;
use rustls_pki_types::{CertificateDer, TrustAnchor};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::options::Roots;
use crate::error::Error;

pub(super) fn load_roots(roots: &Roots) -> Result<RootCertStore, Error> {
    let mut store = RootCertStore::empty();
    match roots {
        Roots::Given(given) => {
            for certificate in given.iter() {
                store.add(certificate.clone()).map_err(|error| {
                    Error::config(format!("a certificate of the CA bundle cannot be a root: {error}"))
                })?;
            }
        }
        Roots::Native => {
            let loaded = rustls_native_certs::load_native_certs();
            let (added, ignored) = store.add_parsable_certificates(loaded.certs);
            tracing::debug!(added, ignored, "system roots");
            if added == 0 {
                let why = loaded.errors.first().map(ToString::to_string).unwrap_or_default();
                return Err(Error::config_with_remedy(
                    format!("this system has no trusted roots {why}").trim_end().to_owned(),
                    "install the package ca-certificates, or give a CA bundle",
                ));
            }
        }
    }
    Ok(store)
}

/// Whether the user gave the roots and none of them is public or signed by a public authority.
pub(super) fn are_private(roots: &Roots) -> bool {
    match roots {
        Roots::Native => false,
        Roots::Given(given) => !given.iter().any(is_public),
    }
}

fn is_public(given: &CertificateDer<'static>) -> bool {
    // What cannot be read is no reason to trust more names.
    let Ok((_, certificate)) = X509Certificate::from_der(given) else { return true };
    let is_it = |public: &TrustAnchor<'_>| {
        is_sequence_of(certificate.public_key().raw, &public.subject_public_key_info)
            || is_sequence_of(certificate.subject().as_raw(), &public.subject)
            || is_sequence_of(certificate.issuer().as_raw(), &public.subject)
    };
    webpki_roots::TLS_SERVER_ROOTS.iter().chain(webpki_roots_2025::TLS_SERVER_ROOTS).any(is_it)
}

/// Whether `der` is a SEQUENCE of exactly this content: trust anchors are kept without its tag and length.
fn is_sequence_of(der: &[u8], content: &[u8]) -> bool {
    let Some(header) = der.len().checked_sub(content.len()) else { return false };
    // A tag, and a length of one to three octets: nothing here is longer than 65,535.
    (2..=4).contains(&header) && der.ends_with(content)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rcgen::{
        BasicConstraints, Certificate, CertificateParams, CertifiedIssuer, DistinguishedName, DnType,
        DnValue, IsCa, KeyPair, PKCS_ECDSA_P384_SHA384, PublicKeyData, SignatureAlgorithm,
    };

    use super::*;

    /// A public authority's key. Nobody here has its private half.
    struct PublicKey(&'static [u8]);

    impl PublicKeyData for PublicKey {
        fn der_bytes(&self) -> &[u8] {
            self.0
        }

        fn algorithm(&self) -> &'static SignatureAlgorithm {
            &PKCS_ECDSA_P384_SHA384
        }
    }

    /// The key of ISRG Root X2, which is one on P-384: its uncompressed point is what ends the SubjectPublicKeyInfo.
    fn public_key() -> PublicKey {
        let name = b"ISRG Root X2";
        let root = webpki_roots::TLS_SERVER_ROOTS
            .iter()
            .find(|root| root.subject.windows(name.len()).any(|part| part == name))
            .expect("a public authority");
        let spki: &'static [u8] = &root.subject_public_key_info;
        PublicKey(&spki[spki.len() - 97..])
    }

    fn authority(names: &[(DnType, &str)]) -> CertificateParams {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name = DistinguishedName::new();
        for (kind, name) in names {
            // As the public authorities write it: names are compared octet by octet when chains are built.
            let name = DnValue::PrintableString((*name).try_into().unwrap());
            params.distinguished_name.push(kind.clone(), name);
        }
        params
    }

    fn own(names: &[(DnType, &str)]) -> CertifiedIssuer<'static, KeyPair> {
        CertifiedIssuer::self_signed(authority(names), KeyPair::generate().unwrap()).unwrap()
    }

    #[test]
    fn only_roots_of_the_users_own_are_private() {
        const ISRG_X2: [(DnType, &str); 3] = [
            (DnType::CountryName, "US"),
            (DnType::OrganizationName, "Internet Security Research Group"),
            (DnType::CommonName, "ISRG Root X2"),
        ];
        let house = own(&[(DnType::CommonName, "House CA")]);
        let second = own(&[(DnType::CommonName, "House CA 2")]);
        let below = authority(&[(DnType::CommonName, "House CA, issuing")])
            .signed_by(&KeyPair::generate().unwrap(), &house)
            .unwrap();
        // It left Mozilla's list, and signed roots that are still there: a certificate under those is also one under
        // it.
        let retired = own(&[
            (DnType::CountryName, "BE"),
            (DnType::OrganizationName, "GlobalSign nv-sa"),
            (DnType::OrganizationalUnitName, "Root CA"),
            (DnType::CommonName, "GlobalSign Root CA"),
        ]);
        // The public key under another name and another signature, as in a cross-signed copy.
        let cross_signed =
            authority(&[(DnType::CommonName, "Root X2, crossed")]).signed_by(&public_key(), &house).unwrap();
        // The name alone, with a key of its own, and an intermediate below it.
        let namesake = own(&ISRG_X2);
        let intermediate = authority(&[(DnType::CommonName, "E9")])
            .signed_by(&KeyPair::generate().unwrap(), &namesake)
            .unwrap();
        let der = |certificate: &Certificate| certificate.der().clone();
        let rows = [
            ("one of their own", vec![house.der().clone()], true),
            ("two of their own", vec![house.der().clone(), second.der().clone()], true),
            ("an issuing authority", vec![der(&below)], true),
            ("a public key, cross-signed", vec![der(&cross_signed)], false),
            ("a public name", vec![namesake.der().clone()], false),
            ("issued by a public name", vec![der(&intermediate)], false),
            ("a public one among their own", vec![house.der().clone(), der(&cross_signed)], false),
            ("one that left the list", vec![retired.der().clone()], false),
            ("unreadable", vec![CertificateDer::from(vec![0x30, 0x00])], false),
        ];
        for (what, given, expected) in rows {
            assert_eq!(are_private(&Roots::Given(Arc::new(given))), expected, "{what}");
        }
        assert!(!are_private(&Roots::Native), "the system's");
    }

    /// The system's bundle, given as a file, is as public as it was before. Not every machine has one.
    #[test]
    fn a_distributions_bundle_is_public() {
        let loaded = rustls_native_certs::load_native_certs().certs;
        if !loaded.is_empty() {
            assert!(!are_private(&Roots::Given(Arc::new(loaded))));
        }
    }
}
