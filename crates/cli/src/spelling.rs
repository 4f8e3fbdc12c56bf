//! The library's settings as options of this tool: what its advice, which is data, looks like here.
//!
//! What must stay true: every option can be typed into a shell as it stands. A setting that has no row here does not compile.

use std::fmt;

use truename::error::{Call, Setting};

/// The option for a setting.
pub(crate) fn as_options(setting: &Setting, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match setting {
        // A shell would take the star for file names.
        Setting::Trust(name) if name.contains('*') => write!(f, "--trust '{name}'"),
        Setting::Trust(name) => write!(f, "--trust {name}"),
        Setting::DialRule(rule) => write!(f, "--map '{rule}'"),
        Setting::Resolve(host) => write!(f, "--resolve {host}:ADDR"),
        Setting::VerifyAs(name) => write!(f, "--verify-as {name}"),
        Setting::VerifyOnly(name) => write!(f, "--verify-only {name}"),
        Setting::IdentityPolicy => f.write_str(
            "--identity or --verify-only, whichever was given (`identity=` or `verify_only=` in a URL)",
        ),
        Setting::AuthorityFile => f.write_str("--cacert FILE"),
        Setting::RevocationListFile => f.write_str("--crl FILE"),
        Setting::Pin(pin) => write!(f, "--pin {pin}"),
        Setting::Tls12 => f.write_str("--tls-min 1.2"),
        Setting::ClientCertificate => f.write_str("--cert FILE --key FILE"),
        Setting::Password => f.write_str("--password-env NAME or --password-file FILE"),
        Setting::User => f.write_str("--user"),
        Setting::Plaintext => f.write_str("--plain"),
        Setting::PlaintextCredentials => f.write_str("--danger-plaintext-credentials"),
        Setting::AcceptInvalidCertificates => f.write_str("--danger-accept-invalid-certificates"),
        Setting::Database => f.write_str("--database"),
        Setting::AnyProtocol => f.write_str("`protocol=auto` in a URL"),
        Setting::ConnectTimeout => f.write_str("--connect-timeout"),
        Setting::CommandTimeout => f.write_str("--timeout"),
        Setting::StallTimeout => f.write_str("`stall_timeout=` in a URL"),
        Setting::MaxExclusiveConnections => f.write_str("`max_exclusive=` in a URL"),
        Setting::ReplyLimits => f.write_str("a program of your own, as those of this tool are fixed"),
        Setting::NodeChoice => f.write_str("--node ADDR, --node-of KEY or --any-node"),
        Setting::AllNodes => f.write_str("--all-primaries or --all-nodes"),
        Setting::NodeList => f.write_str("`truename doctor`"),
        Setting::PreferReplica => f.write_str("`read_from=prefer-replica` in a URL"),
        Setting::AllPrimaries => f.write_str("--all-primaries"),
        Setting::EveryNode => f.write_str("--all-nodes"),
        Setting::ConnectionName => f.write_str("`name=` in a URL"),
        Setting::Protocol => f.write_str("`protocol=` in a URL"),
        Setting::Call(call) => write!(f, "{} in a program of your own", work_of(*call)),
    }
}

/// What a call of the library does, which this tool has no option for.
fn work_of(call: Call) -> &'static str {
    match call {
        Call::Batch => "a batch",
        Call::AtomicBatch => "an atomic batch",
        Call::Transaction => "a transaction",
        Call::Watch => "a watch",
        Call::Scan => "a scan of the cluster",
        Call::Monitor => "a monitor",
        Call::Dedicated => "a connection that nobody shares",
        Call::Run => "a call without a value",
        Call::Shutdown => "the end of its client",
        _ => "another call",
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use truename::error::{Instead, Remedy};

    use super::*;
    use crate::args::Cli;

    fn every_setting() -> Vec<Setting> {
        let name = || "a.test".to_owned();
        vec![
            Setting::Trust(name()),
            Setting::Trust("*.DOMAIN".to_owned()),
            Setting::DialRule("[::1]=HOST".to_owned()),
            Setting::Resolve(name()),
            Setting::VerifyAs(name()),
            Setting::VerifyOnly(name()),
            Setting::IdentityPolicy,
            Setting::AuthorityFile,
            Setting::RevocationListFile,
            Setting::Pin("sha256/47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=".to_owned()),
            Setting::Tls12,
            Setting::ClientCertificate,
            Setting::Password,
            Setting::User,
            Setting::Plaintext,
            Setting::PlaintextCredentials,
            Setting::AcceptInvalidCertificates,
            Setting::Database,
            Setting::AnyProtocol,
            Setting::ConnectTimeout,
            Setting::CommandTimeout,
            Setting::StallTimeout,
            Setting::MaxExclusiveConnections,
            Setting::ReplyLimits,
            Setting::NodeChoice,
            Setting::AllNodes,
            Setting::NodeList,
            Setting::PreferReplica,
            Setting::AllPrimaries,
            Setting::EveryNode,
            Setting::ConnectionName,
            Setting::Protocol,
            Setting::Call(Call::Scan),
        ]
    }

    struct Advised(Setting);

    impl fmt::Display for Advised {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            as_options(&self.0, f)
        }
    }

    /// The parser knows every option that is advised, and takes the values that are advised in whole.
    #[test]
    fn what_is_advised_is_an_option() {
        for setting in every_setting() {
            let text = Advised(setting).to_string();
            let options = text.split([' ', ',']).filter(|word| word.starts_with("--"));
            for option in options {
                let refused = Cli::try_parse_from(["truename", "exec", "a.test", option]);
                let kind = refused.err().map(|error| error.kind());
                assert_ne!(kind, Some(clap::error::ErrorKind::UnknownArgument), "{option}");
            }
        }
        for whole in [
            "--trust a.test",
            "--trust *.DOMAIN",
            "--map [::1]=HOST",
            "--verify-as a.test",
            "--tls-min 1.2",
            "--plain",
        ] {
            let words = ["truename", "ping", "a.test"].into_iter().chain(whole.split(' '));
            assert!(Cli::try_parse_from(words).is_ok(), "{whole}");
        }
    }

    /// Every remedy of the library was written with both spellings, and people had to pick theirs.
    #[test]
    fn advice_names_the_options_of_this_tool() {
        for (remedy, part) in [
            (Remedy::Trust { name: None }, "allow it with --trust NAME or"),
            (
                Remedy::Trust { name: None },
                "--trust '*.DOMAIN'; or dial another host in its place with --map 'NAME=HOST'",
            ),
            (Remedy::ResolveSeed { name: None }, "--resolve NAME:ADDR"),
            (Remedy::OneIdentity, "--verify-as NAME (`verify_as=` in a URL) adds a name, --verify-only NAME"),
            (Remedy::OlderTls, "--tls-min 1.2"),
            (Remedy::ClientCertificate, "--cert FILE --key FILE"),
            (Remedy::Password, "--password-env NAME or --password-file FILE"),
            (Remedy::Login, "(--user)"),
            (Remedy::Tls, "leave out --plain"),
            (Remedy::TlsOrNoPassword, "--danger-plaintext-credentials"),
            (
                Remedy::AcceptCertain,
                "with --cacert FILE; accept another name with --verify-as NAME; --danger-accept-invalid",
            ),
            (Remedy::Database, "--database"),
            (Remedy::MoreTime, "--connect-timeout"),
            (Remedy::ChooseNode, "say which one with --node ADDR, --node-of KEY or --any-node"),
            (
                Remedy::AllOrOne,
                "run it on all with --all-primaries or --all-nodes, or say which one with --node",
            ),
            (
                Remedy::AllPrimaries,
                "run it on all primaries with --all-primaries, or say which one with --node",
            ),
            (Remedy::EveryNode, "run it on every node with --all-nodes, or say which one with --node"),
            (
                Remedy::Instead(Instead::Scan),
                "a scan of the cluster in a program of your own returns the keys",
            ),
            (Remedy::Instead(Instead::Greeting), "`protocol=` in a URL, --user and `name=` in a URL"),
            (Remedy::NameNode, "as `truename doctor` shows it"),
            (Remedy::MoreExclusive, "raise `max_exclusive=` in a URL"),
            (Remedy::MorePatience, "a longer --timeout or `stall_timeout=` in a URL"),
            (Remedy::LargerReplies, "a program of your own"),
        ] {
            let text = remedy.spelled(as_options).to_string();
            assert!(text.contains(part), "{text}");
            assert!(!text.contains("::"), "{text}");
        }
    }
}
