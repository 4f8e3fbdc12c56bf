//! Which cluster is meant: the one that was typed, or the one that the environment names.
//!
//! What must stay true: the environment's password and addresses belong to the cluster that it names, and never go to
//! another one that was typed.

use std::ffi::OsString;

use truename::Error;
use truename::environment::{Environment, HostAddress, URL};

use crate::args::connect::ConnectArgs;
use crate::failure::Failure;

/// The cluster that is meant.
#[derive(Debug)]
pub(crate) struct Meant {
    /// Hosts, or a URL.
    pub(crate) text: String,
    /// Where that was given.
    pub(crate) place: &'static str,
    /// What the environment has for it.
    pub(crate) password: Option<String>,
    pub(crate) resolve: Vec<HostAddress>,
}

impl Meant {
    /// `variable`: reads a variable of the environment.
    pub(crate) fn by(
        args: &ConnectArgs,
        variable: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Self, Failure> {
        if let Some(text) = args.host.clone() {
            return Ok(Self { text, place: "HOST", password: None, resolve: Vec::new() });
        }
        match Environment::read_by(variable) {
            Ok(Some(named)) => {
                Ok(Self { text: named.cluster, place: URL, password: named.password, resolve: named.resolve })
            }
            Ok(None) => Err(Failure::usage(
                format!("there is no <HOST[:PORT]|URL>, and {URL} is not set"),
                format!("give a host such as cache.example.net:10000, or set {URL}"),
            )),
            Err(Error::Config(error)) => Err(Failure::usage(
                error.what,
                error
                    .remedy
                    .map_or_else(|| "correct it, or unset it".to_owned(), |remedy| remedy.to_string()),
            )),
            Err(other) => Err(other.into()),
        }
    }

    /// Whether every user of this machine can read it.
    pub(crate) fn is_typed(&self) -> bool {
        self.place != URL
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use truename::environment::{PASSWORD, RESOLVE};

    use super::*;
    use crate::args::{Cli, Command};

    fn meant(line: &str, variables: &[(&str, &str)]) -> Result<Meant, Failure> {
        let words = ["truename", "ping"].into_iter().chain(line.split_whitespace());
        let Command::Ping(args) = Cli::try_parse_from(words).unwrap().command else { panic!("{line}") };
        let variable = |name: &str| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| OsString::from(value))
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
