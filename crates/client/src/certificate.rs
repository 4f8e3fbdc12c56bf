//! What a presented certificate says, for reports, events and the doctor. Never used to decide on trust.

mod sent;

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use ring::digest;
use rustls_pki_types::{CertificateDer, SubjectPublicKeyInfoDer};
use truename_resp::Untrusted;
use truename_topology::Pin;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

use self::sent::SentChain;

/// How many names of a certificate are shown in one line.
const SHOWN_NAMES: usize = 12;

/// A leaf certificate as its owner presented it, together with the chain that came with it.
///
/// Anybody can present one, so its texts are kept as [`Untrusted`] shows them: escaped and of bounded length.
///
/// # Examples
/// ```no_run
/// # fn example(client: truename::Client) {
/// use std::time::{SystemTime, UNIX_EPOCH};
/// use truename::UtcMinute;
///
/// let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() as i64);
/// for status in client.nodes() {
///     let Some(certificate) = status.facts.and_then(|facts| facts.certificate.clone()) else { continue };
///     let (ends, left) = (UtcMinute(certificate.not_after), certificate.days_left(now));
///     println!("{}: {} until {ends}, {left} days", status.node, certificate.names_line());
///     // What `Config::verify_as` and `Tls::pin` would be given for this node.
///     println!("names {:?}, key {}", certificate.names(), certificate.key);
/// }
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Certificate {
    /// DNS names of the subjectAltName extension, as they stand there.
    pub dns_names: Vec<String>,
    /// IP addresses of the subjectAltName extension.
    pub ip_addresses: Vec<IpAddr>,
    /// The subject, for people: only the alternative names count (RFC 9525).
    pub subject: String,
    /// The issuer's name.
    pub issuer: String,
    /// Start of validity, in seconds since 1970-01-01 00:00 UTC.
    pub not_before: i64,
    /// End of validity, in seconds since 1970-01-01 00:00 UTC.
    pub not_after: i64,
    /// The public key, as it would be pinned ([`Tls::pin`](crate::Tls::pin)).
    pub key: Pin,
    /// Certificates that the peer sent, the leaf included.
    pub chain_length: usize,
    /// The issuer of the last of them that can be read: the authority to trust, if all intermediates were sent.
    pub top_issuer: String,
    sent: SentChain,
}

impl Certificate {
    /// Reads a chain as a peer presents one: certificates in DER form, the leaf first. `None` when there is none, or the
    /// leaf is not parseable. Nothing is verified.
    ///
    /// ```
    /// use truename::Certificate;
    ///
    /// // What is not a certificate is not reported.
    /// assert!(Certificate::from_chain(&[b"-----BEGIN CERTIFICATE-----"]).is_none());
    /// ```
    pub fn from_chain<D: AsRef<[u8]>>(chain: &[D]) -> Option<Self> {
        let chain: Vec<_> = chain.iter().map(|der| CertificateDer::from(der.as_ref())).collect();
        let (leaf, others) = chain.split_first()?;
        Self::read(leaf, others)
    }

    /// Reads a presented chain. `None` when the leaf is not parseable.
    pub(crate) fn read(leaf: &CertificateDer<'_>, others: &[CertificateDer<'_>]) -> Option<Self> {
        Self::parse(leaf, others, SentChain::copied(leaf, others))
    }

    /// The same of a chain that is kept anyway: no second copy is made of it.
    pub(crate) fn of_kept(chain: &Arc<[CertificateDer<'static>]>) -> Option<Self> {
        let (leaf, others) = chain.split_first()?;
        Self::parse(leaf, others, SentChain::shared(chain)?)
    }

    fn parse(leaf: &CertificateDer<'_>, others: &[CertificateDer<'_>], sent: SentChain) -> Option<Self> {
        let (_, certificate) = X509Certificate::from_der(leaf).ok()?;
        let issuer = certificate.issuer().to_string();
        let mut dns_names = Vec::new();
        let mut ip_addresses = Vec::new();
        if let Ok(Some(names)) = certificate.subject_alternative_name() {
            for name in &names.value.general_names {
                match name {
                    GeneralName::DNSName(name) => dns_names.push(readable(name)),
                    GeneralName::IPAddress(octets) => ip_addresses.extend(ip_address(octets)),
                    _ => {}
                }
            }
        }
        Some(Self {
            dns_names,
            ip_addresses,
            subject: readable(&certificate.subject().to_string()),
            issuer: readable(&issuer),
            not_before: certificate.validity().not_before.timestamp(),
            not_after: certificate.validity().not_after.timestamp(),
            key: pin_of(&SubjectPublicKeyInfoDer::from(certificate.public_key().raw)),
            chain_length: 1 + others.len(),
            top_issuer: readable(&others.iter().rev().find_map(issuer_of).unwrap_or(issuer)),
            sent,
        })
    }

    /// The certificates that the peer sent, in DER form and as they came, the leaf first: for those who look
    /// at more than this type tells. Nothing in them is verified, and those after the leaf may not even be
    /// certificates.
    ///
    /// Of longer chains there are the first 16, and no more than 64 KiB of them;
    /// [`chain_length`](Self::chain_length) says how many were sent. All clones of a certificate share one copy.
    ///
    /// ```
    /// # fn example(failure: &truename::error::NodeFailure) -> std::io::Result<()> {
    /// // What a node presented and was refused for, to be looked at with other tools.
    /// for (position, der) in failure.certificate.iter().flat_map(|leaf| leaf.der_chain()).enumerate() {
    ///     std::fs::write(format!("presented-{position}.der"), der)?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn der_chain(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        self.sent.certificates()
    }

    /// All names of the certificate: DNS names first, then addresses in the form `IP 10.0.0.4`. See the
    /// [example](Certificate#examples).
    pub fn names(&self) -> Vec<String> {
        let addresses = self.ip_addresses.iter().map(|address| format!("IP {address}"));
        self.dns_names.iter().cloned().chain(addresses).collect()
    }

    /// Whether a DNS name of the certificate covers the host, a wildcard standing for one whole label. For advice
    /// only: the decision is the TLS library's.
    pub(crate) fn covers(&self, host: &str) -> bool {
        self.dns_names.iter().any(|name| match name.strip_prefix("*.") {
            Some(parent) => host.split_once('.').is_some_and(|(_, rest)| rest.eq_ignore_ascii_case(parent)),
            None => name.eq_ignore_ascii_case(host),
        })
    }

    /// Whole days until the certificate expires, counted from `now` in seconds since 1970; negative once it has. See the
    /// [example](Certificate#examples).
    pub fn days_left(&self, now: i64) -> i64 {
        (self.not_after - now).div_euclid(86_400)
    }

    /// The names in one line: the first twelve of many, and how many more there are. See the
    /// [example](Certificate#examples).
    pub fn names_line(&self) -> String {
        let mut names = self.names();
        let left_out = names.len().saturating_sub(SHOWN_NAMES);
        names.truncate(SHOWN_NAMES);
        match (names.is_empty(), left_out) {
            (true, _) => format!("no alternative names at all ({})", self.subject),
            (_, 0) => names.join(", "),
            (_, left_out) => format!("{} and {left_out} more", names.join(", ")),
        }
    }

    pub(crate) fn validity_line(&self) -> String {
        format!("{} to {}", UtcMinute(self.not_before), UtcMinute(self.not_after))
    }
}

fn issuer_of(certificate: &CertificateDer<'_>) -> Option<String> {
    X509Certificate::from_der(certificate).ok().map(|(_, certificate)| certificate.issuer().to_string())
}

fn readable(text: &str) -> String {
    Untrusted(text).to_string()
}

fn ip_address(octets: &[u8]) -> Option<IpAddr> {
    if let Ok(octets) = <[u8; 4]>::try_from(octets) {
        return Some(IpAddr::from(octets));
    }
    <[u8; 16]>::try_from(octets).ok().map(IpAddr::from)
}

/// The pin of a public key.
pub(crate) fn pin_of(key: &SubjectPublicKeyInfoDer<'_>) -> Pin {
    let digest = digest::digest(&digest::SHA256, key.as_ref());
    let mut octets = [0; 32];
    octets.copy_from_slice(digest.as_ref());
    Pin::from_digest(octets)
}

/// Seconds since 1970-01-01 00:00 UTC: certificates are dated by the calendar.
pub(crate) fn now_utc() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_secs() as i64)
}

/// Seconds since 1970 shown as a date and time to the minute, in UTC.
///
/// ```
/// assert_eq!(truename::UtcMinute(951_782_399).to_string(), "2000-02-28 23:59 UTC");
/// ```
#[derive(Debug, Clone, Copy)]
pub struct UtcMinute(pub i64);

impl fmt::Display for UtcMinute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let days = self.0.div_euclid(86_400);
        let minutes = self.0.rem_euclid(86_400) / 60;
        let (year, month, day) = civil_from_days(days);
        write!(f, "{year:04}-{month:02}-{day:02} {:02}:{:02} UTC", minutes / 60, minutes % 60)
    }
}

/// The proleptic Gregorian date of a day number, day 0 being 1970-01-01.
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    // Count from 0000-03-01, so that the leap day ends a year; an era is 400 years of 146,097 days.
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_of_known_instants() {
        let rows = [
            (0, "1970-01-01 00:00 UTC"),
            (951_782_399, "2000-02-28 23:59 UTC"),
            (951_782_400, "2000-02-29 00:00 UTC"),
            (1_709_251_199, "2024-02-29 23:59 UTC"),
            (1_795_460_460, "2026-11-23 19:01 UTC"),
            (4_107_542_400, "2100-03-01 00:00 UTC"),
            (-1, "1969-12-31 23:59 UTC"),
        ];
        for (seconds, text) in rows {
            assert_eq!(UtcMinute(seconds).to_string(), text);
        }
    }

    /// A certificate after it that nobody could read hid the leaf from every report.
    #[test]
    fn a_leaf_is_read_whatever_follows_it() {
        let (leaf, other, junk) = (signed("leaf"), signed("other"), b"junk".to_vec());
        for (chain, top) in [
            (vec![&leaf], "leaf"),
            (vec![&leaf, &other], "other"),
            (vec![&leaf, &junk], "leaf"),
            (vec![&leaf, &other, &junk], "other"),
        ] {
            let read = Certificate::from_chain(&chain).expect("the leaf can be read");
            assert_eq!((read.names(), read.chain_length), (vec!["leaf.test".to_owned()], chain.len()));
            assert!(read.top_issuer.contains(top), "{}", read.top_issuer);
        }
        assert_eq!(Certificate::from_chain(&[&junk, &leaf]), None);
        assert_eq!(Certificate::from_chain::<&[u8]>(&[]), None);
    }

    fn signed(name: &str) -> Vec<u8> {
        let mut params = rcgen::CertificateParams::new([format!("{name}.test")]).unwrap();
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        params.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap().der().to_vec()
    }

    #[test]
    fn what_was_sent_is_kept_within_bounds_from_the_leaf_on() {
        let leaf = signed("leaf");
        let (short, long) = (vec![7; 10], vec![7; sent::MOST_BYTES - leaf.len()]);
        let rows: [(Vec<&Vec<u8>>, usize); 7] = [
            (vec![&leaf], 1),
            (vec![&leaf, &short, &leaf], 3),
            (vec![&leaf, &long], 2),
            (vec![&leaf, &long, &short], 2),
            // What follows one that does not fit is left out as well: a chain has no gaps.
            (vec![&leaf, &short, &long, &short], 2),
            (std::iter::once(&leaf).chain(std::iter::repeat_n(&short, 15)).collect(), 16),
            (std::iter::once(&leaf).chain(std::iter::repeat_n(&short, 500)).collect(), 16),
        ];
        for (position, (chain, kept)) in rows.into_iter().enumerate() {
            let kept_anyway: Arc<[CertificateDer<'static>]> =
                chain.iter().map(|der| CertificateDer::from(der.to_vec())).collect();
            let copied = Certificate::from_chain(&chain).expect("the leaf can be read");
            let shared = Certificate::of_kept(&kept_anyway).expect("the leaf can be read");
            assert_eq!(copied, shared, "row {position}");
            assert_eq!(copied.chain_length, chain.len(), "row {position}");
            let expected: Vec<&[u8]> = chain.iter().take(kept).map(|der| der.as_slice()).collect();
            assert_eq!(copied.der_chain().collect::<Vec<_>>(), expected, "row {position}");
            let is_shared = std::ptr::eq(shared.der_chain().next().unwrap(), &*kept_anyway[0]);
            assert_eq!(is_shared, kept == chain.len(), "row {position}");
            let debug = format!("{copied:?}");
            assert!(debug.len() < 4096, "row {position}: {debug}");
        }
    }

    #[test]
    fn the_digest_is_sha_256() {
        let nothing = SubjectPublicKeyInfoDer::from(Vec::new());
        assert_eq!(pin_of(&nothing).to_string(), "sha256/47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
    }
}
