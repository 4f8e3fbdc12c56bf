//! Which cluster is meant: the one that was typed, or the one that the environment names.
//!
//! What must stay true: the environment's password and addresses belong to the cluster that it names, and never go to
//! another one that was typed.

use crate::args::connect::ConnectArgs;
use crate::args::value::{self, ResolveEntry};
use crate::failure::Failure;

/// The cluster, in the forms of HOST.
pub(crate) const URL: &str = "TRUENAME_URL";
/// Its password.
pub(crate) const PASSWORD: &str = "TRUENAME_PASSWORD";
/// Where its names lead, `HOST[:PORT]:ADDR` separated by commas.
pub(crate) const RESOLVE: &str = "TRUENAME_RESOLVE";

/// The cluster that is meant.
#[derive(Debug)]
pub(crate) struct Meant {
    /// Hosts, or a URL.
    pub(crate) text: String,
    /// Where that was given.
    pub(crate) place: &'static str,
    /// What the environment has for it.
    pub(crate) password: Option<String>,
    pub(crate) resolve: Vec<ResolveEntry>,
}

impl Meant {
    /// `variable`: reads a variable of the environment.
    pub(crate) fn by(args: &ConnectArgs, variable: impl Fn(&str) -> Option<String>) -> Result<Self, Failure> {
        let given = |name| variable(name).filter(|text| !text.is_empty());
        if let Some(text) = args.host.clone() {
            return Ok(Self { text, place: "HOST", password: None, resolve: Vec::new() });
        }
        let text = given(URL).ok_or_else(|| {
            Failure::usage(
                format!("there is no <HOST[:PORT]|URL>, and {URL} is not set"),
                format!("give a host such as cache.example.net:10000, or set {URL}"),
            )
        })?;
        let entries = given(RESOLVE).unwrap_or_default();
        let entries = entries.split(',').map(str::trim).filter(|entry| !entry.is_empty());
        let resolve: Result<Vec<_>, String> = entries.map(value::resolve).collect();
        let resolve = resolve.map_err(|why| {
            Failure::usage(format!("{RESOLVE}: {why}"), format!("correct {RESOLVE}, or unset it"))
        })?;
        Ok(Self { text, place: URL, password: given(PASSWORD), resolve })
    }

    /// Whether every user of this machine can read it.
    pub(crate) fn is_typed(&self) -> bool {
        self.place != URL
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::args::{Cli, Command};

    fn meant(line: &str, variables: &[(&str, &str)]) -> Result<Meant, Failure> {
        let words = ["truename", "ping"].into_iter().chain(line.split_whitespace());
        let Command::Ping(args) = Cli::try_parse_from(words).unwrap().command else { panic!("{line}") };
        let variable = |name: &str| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        Meant::by(&args.connect, variable)
    }

    #[test]
    fn the_environment_counts_where_no_host_is_typed() {
        let all =
            [(URL, "rediss://a.test:1"), (PASSWORD, "sesame"), (RESOLVE, "a.test:::1, b.test:2:127.0.0.1,")];
        let of_environment = meant("", &all).unwrap();
        assert_eq!((of_environment.text.as_str(), of_environment.is_typed()), ("rediss://a.test:1", false));
        assert_eq!(of_environment.password.as_deref(), Some("sesame"));
        let ports: Vec<_> = of_environment.resolve.iter().map(|entry| entry.port).collect();
        assert_eq!(ports, [None, Some(2)]);

        // Nothing of it goes to another cluster.
        for host in ["b.test", "rediss://a.test:1"] {
            let typed = meant(host, &all).unwrap();
            assert_eq!((typed.text.as_str(), typed.is_typed()), (host, true));
            assert!(typed.password.is_none() && typed.resolve.is_empty(), "{typed:?}");
        }
        for (variables, said) in [
            ([(URL, ""), (PASSWORD, "sesame")], "TRUENAME_URL is not set"),
            ([(URL, "a.test"), (RESOLVE, "sesame@b.test")], "TRUENAME_RESOLVE: "),
        ] {
            let failure = meant("", &variables).unwrap_err();
            let text = failure.to_string();
            assert_eq!(failure.exit().code(), 2, "{text}");
            assert!(text.contains(said) && !text.contains("sesame"), "{text}");
        }
    }
}
