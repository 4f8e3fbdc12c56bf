//! What a node's certificate should be like: the description alone, without a key or a clock.

use std::time::Duration;

/// Who signs a node's certificate.
///
/// ```
/// use truename_lab::{CertificateSpec, Issuer};
///
/// let spec = CertificateSpec::new(["node1.example.test"]).intermediate(false);
/// assert_eq!(spec.issuer, Issuer::Intermediate { sent: false });
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Issuer {
    /// The lab's authority, which clients trust.
    #[default]
    Authority,
    /// An intermediate authority that the lab's own has signed.
    Intermediate {
        /// Whether the server sends the intermediate's certificate behind its own.
        sent: bool,
    },
    /// An authority that is not in [`ca_pem`](crate::Lab::ca_pem).
    Stranger,
    /// The certificate signs itself.
    Itself,
}

/// What a node's certificate should be like; a good one by default.
///
/// ```
/// let spec = truename_lab::CertificateSpec::new(["node1.example.test", "127.0.0.1"]).expired(true);
/// assert_eq!(spec.names.len(), 2);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CertificateSpec {
    /// Subject alternative names: host names (a leading `*.` makes a wildcard) or IP addresses. Without any, the
    /// certificate lacks the extension.
    pub names: Vec<String>,
    /// The common name of its subject; `None` for one that is no host's.
    pub common_name: Option<String>,
    /// Who signs it.
    pub issuer: Issuer,
    /// Valid until yesterday.
    pub expired: bool,
    /// Carries the extended key usage of a server.
    pub server_auth: bool,
    /// Carries the extended key usage of a client.
    pub client_auth: bool,
    /// Its key usage permits digital signatures; otherwise key agreement alone.
    pub digital_signature: bool,
    /// Valid only once this much time has passed since it was issued, to the second; otherwise since yesterday.
    pub not_before_in: Option<Duration>,
    /// Valid for this long from when it is issued, to the second; otherwise for months.
    pub expires_in: Option<Duration>,
}

impl CertificateSpec {
    /// A good certificate for these names.
    pub fn new<S: Into<String>>(names: impl IntoIterator<Item = S>) -> Self {
        Self {
            names: names.into_iter().map(Into::into).collect(),
            common_name: None,
            issuer: Issuer::Authority,
            expired: false,
            server_auth: true,
            client_auth: true,
            digital_signature: true,
            not_before_in: None,
            expires_in: None,
        }
    }

    /// One whose only name is the common name of its subject, which no strict client looks at.
    ///
    /// ```
    /// let spec = truename_lab::CertificateSpec::common_name_only("node1.example.test");
    /// assert!(spec.names.is_empty());
    /// ```
    pub fn common_name_only(name: impl Into<String>) -> Self {
        Self::new::<String>([]).common_name(name)
    }

    /// The common name of its subject.
    #[must_use]
    pub fn common_name(mut self, name: impl Into<String>) -> Self {
        self.common_name = Some(name.into());
        self
    }

    /// Lets an intermediate authority sign it, whose own certificate the server sends as well or forgets.
    #[must_use]
    pub const fn intermediate(mut self, sent: bool) -> Self {
        self.issuer = Issuer::Intermediate { sent };
        self
    }

    /// Lets it sign itself.
    #[must_use]
    pub const fn self_signed(mut self) -> Self {
        self.issuer = Issuer::Itself;
        self
    }

    /// Whether an authority unknown to the client signs it, or the lab's own.
    #[must_use]
    pub const fn unknown_ca(mut self, unknown_ca: bool) -> Self {
        self.issuer = if unknown_ca { Issuer::Stranger } else { Issuer::Authority };
        self
    }

    /// How long it is valid from when it is issued, which is when its lab starts.
    #[must_use]
    pub const fn expires_in(mut self, time: Duration) -> Self {
        self.expires_in = Some(time);
        self
    }

    /// How long it is not valid yet from when it is issued, which is when its lab starts.
    #[must_use]
    pub const fn not_before_in(mut self, time: Duration) -> Self {
        self.not_before_in = Some(time);
        self
    }

    /// Whether it ended yesterday.
    #[must_use]
    pub const fn expired(mut self, expired: bool) -> Self {
        self.expired = expired;
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

    /// Whether its key may sign, as the key usage says. Servers that run on OpenSSL offer one that may not in TLS 1.3
    /// alone.
    #[must_use]
    pub const fn digital_signature(mut self, permitted: bool) -> Self {
        self.digital_signature = permitted;
        self
    }

    /// Whether the other nodes would refuse it on the cluster bus, where only the chain is checked, never a name.
    pub(crate) const fn breaks_the_bus(&self) -> bool {
        self.expired
            || !self.server_auth
            || self.expires_in.is_some()
            || self.not_before_in.is_some()
            || !matches!(self.issuer, Issuer::Authority | Issuer::Intermediate { sent: true })
    }

    /// The same certificate without what [breaks the bus](Self::breaks_the_bus).
    pub(crate) fn sound(&self) -> Self {
        Self {
            issuer: Issuer::Authority,
            expired: false,
            server_auth: true,
            client_auth: true,
            not_before_in: None,
            expires_in: None,
            ..self.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_breaks_the_bus_is_made_sound() {
        let good = || CertificateSpec::new(["a.test"]);
        let hour = Duration::from_secs(3600);
        let rows = [
            (good(), false),
            (good().intermediate(true), false),
            (good().client_auth(false), false),
            (good().digital_signature(false), false),
            (CertificateSpec::common_name_only("a.test"), false),
            (good().intermediate(false), true),
            (good().self_signed(), true),
            (good().unknown_ca(true), true),
            (good().unknown_ca(true).unknown_ca(false), false),
            (good().expired(true), true),
            (good().server_auth(false), true),
            (good().not_before_in(hour), true),
            (good().expires_in(hour), true),
        ];
        for (spec, expected) in rows {
            assert_eq!(spec.breaks_the_bus(), expected, "{spec:?}");
            assert!(!spec.sound().breaks_the_bus(), "{spec:?}");
            assert_eq!((spec.sound().names, spec.sound().common_name), (spec.names, spec.common_name));
        }
    }
}
