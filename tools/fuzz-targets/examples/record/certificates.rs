//! Certificates and revocation lists, in DER form.

use std::net::IpAddr;

use rcgen::string::{BmpString, Ia5String};
use rcgen::{
    CertificateParams, DistinguishedName, DnType, DnValue, KeyPair, PKCS_ED25519, SanType, date_time_ymd,
};
use rustls_pki_types::CertificateRevocationListDer;
use rustls_pki_types::pem::PemObject;
use truename_lab::Lab;

use crate::connection::Connection;
use crate::{Outcome, save};

/// What a node presents, and lists of its authority.
pub(crate) async fn presented(lab: &Lab) -> Outcome<()> {
    let node = Connection::to(lab, 0).await?;
    if let Some(leaf) = node.presented.first() {
        save("certificate", &lab.profile().to_string(), leaf)?;
    }
    for (name, revoked, outdated) in
        [("empty", &[][..], false), ("two-revoked", &[0, 1], false), ("outdated", &[2], true)]
    {
        if let Some(pem) = lab.revocation_list(revoked, outdated)? {
            save("revocation", name, &CertificateRevocationListDer::from_pem_slice(pem.as_bytes())?)?;
            save("revocation", &format!("{name}.pem"), pem.as_bytes())?;
        }
    }
    Ok(())
}

/// Certificates with strange names and dates.
pub(crate) fn odd() -> Outcome<()> {
    let many = (0..40).map(|n| dns(&format!("node-{n}.example.test"))).collect::<Outcome<Vec<_>>>()?;
    let addresses = ["127.0.0.1", "::1", "2001:db8::7", "0.0.0.0"].map(|text| text.parse::<IpAddr>());
    let addresses = addresses
        .into_iter()
        .map(|ip| -> Outcome<_> { Ok(SanType::IpAddress(ip?)) })
        .collect::<Outcome<Vec<_>>>()?;
    let others = vec![
        SanType::Rfc822Name(Ia5String::try_from("somebody@example.test")?),
        SanType::URI(Ia5String::try_from("spiffe://example.test/node")?),
        dns("*.example.test")?,
        dns("\u{1b}[2J\r\n")?,
    ];
    let text = |text: &str| DnValue::Utf8String(text.to_owned());
    let rows = [
        ("no-names", text("nobody"), vec![]),
        ("many-names", text("many"), many),
        ("addresses", text("::1"), addresses),
        ("other-names", text("\u{1b}[2J\u{202e}all is well\n"), others),
        ("long", text(&"a long name ".repeat(60)), vec![]),
        ("bmp", DnValue::BmpString(BmpString::try_from("Z\u{fc}rich")?), vec![]),
    ];
    for (name, common_name, names) in rows {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, common_name.clone());
        params.distinguished_name.push(DnType::CustomDnType(vec![2, 5, 4, 4_000_000]), common_name);
        params.subject_alt_names = names;
        save("certificate", name, params.self_signed(&KeyPair::generate()?)?.der())?;
    }
    let mut params = CertificateParams::new(vec!["a.test".to_owned()])?;
    (params.not_before, params.not_after) = (date_time_ymd(1950, 1, 1), date_time_ymd(9999, 12, 31));
    save("certificate", "dates", params.self_signed(&KeyPair::generate_for(&PKCS_ED25519)?)?.der())
}

fn dns(name: &str) -> Outcome<SanType> {
    Ok(SanType::DnsName(Ia5String::try_from(name)?))
}
