//! What a TLS error means, in the words of reports.

use std::sync::Arc;

use rustls::{AlertDescription, CertificateError, PeerIncompatible};

use super::revocation::Revocation;
use super::verifier::{PeerRefusal, Rejection};
use crate::certificate::Certificate;
use crate::error::Cause;

/// What a failed TLS handshake, or a TLS error later on, means.
pub(crate) fn classify_tls_error(error: &std::io::Error) -> Option<(Cause, Option<Arc<Certificate>>)> {
    let error = error.get_ref()?.downcast_ref::<rustls::Error>()?;
    Some(match error {
        rustls::Error::InvalidCertificate(reason) => match rejection(reason) {
            Some(rejection) => (rejection.cause(), rejection.certificate.clone()),
            None => (certificate_cause(reason), None),
        },
        rustls::Error::AlertReceived(alert) => (alert_cause(*alert), None),
        rustls::Error::InvalidMessage(_) => (Cause::NotTls, None),
        other => (tls_cause(other), None),
    })
}

impl Rejection {
    /// Why, in the words of reports.
    pub(crate) fn cause(&self) -> Cause {
        match &self.reason {
            PeerRefusal::Certificate(reason) => certificate_cause(reason),
            PeerRefusal::Revocation(Revocation::Revoked) => Cause::CertificateRevoked,
            PeerRefusal::Revocation(Revocation::Unknown) => Cause::RevocationUnknown,
            PeerRefusal::Revocation(Revocation::Unusable(why)) => {
                Cause::CertificateRejected(format!("its issuer's revocation list cannot be trusted: {why}"))
            }
            PeerRefusal::Pin(presented) => Cause::PinMismatch { presented: *presented },
            PeerRefusal::Other(error) => tls_cause(error),
        }
    }
}

impl From<rustls::Error> for Rejection {
    fn from(error: rustls::Error) -> Self {
        Self { reason: error.into(), certificate: None }
    }
}

fn tls_cause(error: &rustls::Error) -> Cause {
    match error {
        rustls::Error::PeerIncompatible(
            PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig
            | PeerIncompatible::ServerDoesNotSupportTls12Or13,
        ) => Cause::NoCommonTlsVersion,
        other => Cause::TlsFailed(other.to_string()),
    }
}

fn rejection(reason: &CertificateError) -> Option<&Rejection> {
    match reason {
        CertificateError::Other(other) => other.0.downcast_ref::<Rejection>(),
        _ => None,
    }
}

fn certificate_cause(reason: &CertificateError) -> Cause {
    match reason {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => Cause::CertificateExpired,
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            Cause::CertificateNotYetValid
        }
        CertificateError::UnknownIssuer => Cause::UnknownIssuer,
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            Cause::NameMismatch
        }
        other => Cause::CertificateRejected(other.to_string()),
    }
}

fn alert_cause(alert: AlertDescription) -> Cause {
    match alert {
        AlertDescription::CertificateRequired => Cause::ClientCertificateRequired,
        AlertDescription::BadCertificate
        | AlertDescription::UnsupportedCertificate
        | AlertDescription::CertificateRevoked
        | AlertDescription::CertificateExpired
        | AlertDescription::CertificateUnknown
        | AlertDescription::UnknownCA
        | AlertDescription::AccessDenied => Cause::ClientCertificateRejected(format!("{alert:?}")),
        AlertDescription::ProtocolVersion => Cause::NoCommonTlsVersion,
        AlertDescription::HandshakeFailure => Cause::TlsFailed(
            "the server sent handshake_failure: no common version or cipher suite, or it wants a client \
             certificate"
                .to_owned(),
        ),
        other => Cause::TlsFailed(format!("the server sent the alert {other:?}")),
    }
}
