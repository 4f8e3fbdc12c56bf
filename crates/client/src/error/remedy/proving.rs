//! Sentences on who must answer, and on logging in.

use truename_topology::{IdentityName, Pin};

use super::check::Check;
use super::setting::{Setting, Spelling, spelled};
use super::typeable::typeable;
use crate::error::text::shown;

/// A name that the certificate has and the policy leaves out.
pub(super) fn widen_identity(name: &IdentityName, is_seed: bool, spelling: Spelling) -> String {
    let whose = if is_seed { "which is the seed's host" } else { "which the cluster announces" };
    let policy = spelled(Setting::IdentityPolicy, spelling);
    format!(
        "the certificate covers {name}, {whose}, and the identity policy does not accept that name here: if it belongs to \
         your cluster, leave out {policy}"
    )
}

/// A name that the certificate has, announced and out of scope.
pub(super) fn trust_covered(name: &IdentityName, spelling: Spelling) -> String {
    let trust = spelled(Setting::Trust(name.to_string()), spelling);
    format!(
        "the certificate covers {name}, which the cluster announces and which is out of scope: if it belongs to your \
         cluster, allow it with {trust}"
    )
}

/// A name that the certificate has and nobody mentioned.
pub(super) fn verify_as(name: Option<&IdentityName>, spelling: Spelling) -> String {
    let name = typeable(name);
    let verify = spelled(Setting::VerifyAs(name.clone()), spelling);
    format!("if {name} is your cluster, connect by that name, or add it as acceptable with {verify}")
}

/// A certificate of patterns or addresses.
pub(super) fn verify_as_covered(pattern: &str, spelling: Spelling) -> String {
    let verify = spelled(Setting::VerifyAs("NAME".to_owned()), spelling);
    format!(
        "if {} covers your cluster, connect by a name that it covers, or add that name as acceptable with {verify}",
        shown(pattern)
    )
}

/// A certificate without names.
pub(super) fn issue(name: Option<&IdentityName>) -> String {
    let name = name.map_or_else(|| "the host".to_owned(), ToString::to_string);
    format!(
        "the certificate needs a subjectAltName: a common name alone does not count; issue one for {name}"
    )
}

/// An authority that is not trusted, by its name if that is known.
pub(super) fn trust_authority(authority: Option<&str>, spelling: Spelling) -> String {
    let file = spelled(Setting::AuthorityFile, spelling);
    format!(
        "trust the authority that signed it with {file}, but only if it is the one that you expect{}",
        its_name(authority)
    )
}

/// A certificate that signed itself.
pub(super) fn trust_certificate(name: &str, spelling: Spelling) -> String {
    let file = spelled(Setting::AuthorityFile, spelling);
    format!(
        "the certificate is self-signed: if it is the right one, trust that very certificate with {file}{}",
        its_name(Some(name))
    )
}

/// A certificate that came alone.
pub(super) fn send_intermediate(issuer: &str, spelling: Spelling) -> String {
    let file = spelled(Setting::AuthorityFile, spelling);
    format!(
        "the server sent only its own certificate, signed by {}: if that is an intermediate authority, have the server send \
         that certificate too (append it to the file of tls-cert-file); if it is the root, and \
         the one that you expect, trust it with {file}",
        shown(issuer)
    )
}

/// An issuer without a revocation list.
pub(super) fn add_revocation_list(issuer: Option<&str>, spelling: Spelling) -> String {
    let list = spelled(Setting::RevocationListFile, spelling);
    format!("add the list of the authority that issued the certificate with {list}{}", its_name(issuer))
}

fn its_name(name: Option<&str>) -> String {
    name.map_or_else(String::new, |name| format!("; its name is {}", shown(name)))
}

/// A key that is not pinned. Nothing says that it is the right one.
pub(super) fn pin(presented: Pin, spelling: Spelling) -> String {
    let pin = spelled(Setting::Pin(presented.to_string()), spelling);
    format!(
        "ask whoever runs the server, not over this connection, which key it has: add this one to the pinned keys, {pin}, \
         only if they name this very key; otherwise somebody may be impersonating the server"
    )
}

pub(super) fn older_tls(spelling: Spelling) -> String {
    let oldest = spelled(Setting::Tls12, spelling);
    format!(
        "enable TLS 1.2 or 1.3 on the server; allow TLS 1.2 here ({oldest}) only if whoever runs the server says that it has \
         nothing newer, since anybody on the path can make a server look older than it is"
    )
}

pub(super) fn client_certificate(spelling: Spelling) -> String {
    format!("supply one with {}", spelled(Setting::ClientCertificate, spelling))
}

pub(super) fn tls_port(spelling: Spelling) -> String {
    let plaintext = spelled(Setting::Plaintext, spelling);
    format!(
        "use the server's TLS port; plaintext ({plaintext}, redis:// in a URL) only if you know that this server has no TLS: \
         anybody on the path can answer in its place, and could then read the password"
    )
}

pub(super) fn tls(spelling: Spelling) -> String {
    let plaintext = spelled(Setting::Plaintext, spelling);
    format!("use TLS: leave out {plaintext}, or begin the URL with rediss:// instead of redis://")
}

/// Something that needs TLS was given for a plaintext connection.
pub(super) fn tls_or_without(what: &str, spelling: Spelling) -> String {
    format!("{}; or leave the {what} out", tls(spelling))
}

pub(super) fn tls_or_no_password(spelling: Spelling) -> String {
    let danger = spelled(Setting::PlaintextCredentials, spelling);
    format!(
        "{}. If this cluster runs without TLS, connect without a password, or let anybody on the path read it with {danger}",
        tls(spelling)
    )
}

/// TLS that verifies nothing, as other clients' URLs ask for it.
pub(super) fn accept_certain(spelling: Spelling) -> String {
    let file = spelled(Setting::AuthorityFile, spelling);
    let name = spelled(Setting::VerifyAs("NAME".to_owned()), spelling);
    let nothing = spelled(Setting::AcceptInvalidCertificates, spelling);
    format!(
        "there is no `#insecure` here: trust the authority, or a self-signed certificate, with {file}; accept another name with \
         {name}; {nothing} turns verification off"
    )
}

/// Two settings of which each says which names will do.
pub(super) fn one_identity(spelling: Spelling) -> String {
    let also = spelled(Setting::VerifyAs("NAME".to_owned()), spelling);
    let only = spelled(Setting::VerifyOnly("NAME".to_owned()), spelling);
    format!(
        "choose one: {also} (`verify_as=` in a URL) adds a name, {only} (`verify_only=`) replaces all others"
    )
}

pub(super) fn password(spelling: Spelling) -> String {
    format!("supply the password with {}", spelled(Setting::Password, spelling))
}

pub(super) fn login(spelling: Spelling) -> String {
    format!("check the user name ({}) and the password", spelled(Setting::User, spelling))
}

/// A command that the user may not run. Where one is missing, others may be.
pub(super) fn allow(command: &str) -> String {
    let rule = command.to_ascii_lowercase().replace(' ', "|");
    let all = Check::Permissions.text();
    format!("allow the user that command: ACL SETUSER NAME +{rule}; where others are missing too, {all}")
}
