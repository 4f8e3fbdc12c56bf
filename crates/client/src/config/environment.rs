//! Which cluster the process's environment names: what `truename lab up` prints, and the tool reads.
//!
//! | variable | meaning |
//! |---|---|
//! | `TRUENAME_URL` | a [URL](crate::url), or `HOST[:PORT]` for TLS with the system's roots; several hosts separated by commas |
//! | `TRUENAME_PASSWORD` | the default user's password, unless the URL has credentials |
//! | `TRUENAME_RESOLVE` | addresses of host names that DNS does not know: [`HostAddress`]es separated by commas |
//!
//! The latter two belong to the cluster that the first one names. [`Config::from_env`] makes a configuration of them. A program
//! with options of its own reads an [`Environment`] where its user did not say which cluster is meant. A variable that is
//! empty counts as one that is not set.

// What must stay true: nothing of the environment is used for a cluster that it does not name, and no error repeats a password,
// nor text that holds an `@`.

use std::ffi::OsString;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use truename_topology::Typed;

use super::Config;
use crate::error::{ConfigError, Error};

/// The name of the variable that names the cluster: `TRUENAME_URL`. See the [module](self).
pub const URL: &str = "TRUENAME_URL";
/// The name of the variable with its password: `TRUENAME_PASSWORD`. See the [module](self).
pub const PASSWORD: &str = "TRUENAME_PASSWORD";
/// The name of the variable that says where its host names lead: `TRUENAME_RESOLVE`. See the [module](self).
pub const RESOLVE: &str = "TRUENAME_RESOLVE";

const FORM: &str = "write HOST:ADDR or HOST:PORT:ADDR, such as cache.example.net:127.0.0.1, \
                    cache.example.net:10000:127.0.0.1 or cache.example.net:[::1]";

impl Config {
    /// The cluster that the environment names: `TRUENAME_URL`, with `TRUENAME_PASSWORD` and `TRUENAME_RESOLVE`, as
    /// `truename lab up` (of the crate `truename-cli`) prints them. See [`environment`](self) for what they may be.
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), truename::Error> {
    /// use truename::{Client, Config};
    ///
    /// // What is set afterwards counts.
    /// let config = Config::from_env()?.client_name("checkout");
    /// let client = Client::connect(&config).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Config`] if `TRUENAME_URL` is not set, and for a value that cannot be used: it says which variable that is, and
    /// repeats no password.
    pub fn from_env() -> Result<Self, Error> {
        required(Environment::read()?)?.config()
    }
}

/// What the environment says about a cluster. See the [module](self).
///
/// # Examples
/// ```
/// use std::ffi::OsString;
/// use truename::environment::{Environment, PASSWORD, RESOLVE, URL};
///
/// // Instead of `Environment::read()`.
/// let variables = [
///     (URL, "rediss://cache.example.net:10000?timeout=2s"),
///     (PASSWORD, "secret"),
///     (RESOLVE, "cache.example.net:127.0.0.1"),
/// ];
/// let environment = Environment::read_by(|name| {
///     variables.iter().find(|(known, _)| *known == name).map(|(_, value)| OsString::from(value))
/// })?;
/// let environment = environment.expect("it names a cluster");
/// assert!(!format!("{environment:?}").contains("secret"));
/// let config = environment.config()?;
/// assert_eq!(config.settings().seeds()[0].to_string(), "cache.example.net:10000");
/// assert_eq!((config.settings().login(), config.settings().resolved().count()), (Some("default"), 1));
/// # Ok::<(), truename::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Environment {
    /// A URL, or hosts with their ports, separated by commas. It may hold a password.
    pub cluster: String,
    /// The password, if there is one.
    pub password: Option<String>,
    /// The addresses of host names.
    pub resolve: Vec<HostAddress>,
}

impl Environment {
    /// Reads the process's environment; `None` if it names no cluster. See the [example](Environment#examples).
    ///
    /// # Errors
    /// [`Error::Config`] for a variable that is not UTF-8, and for addresses of another form. Whether the cluster's URL or
    /// hosts can be used is checked by [`config`](Self::config).
    pub fn read() -> Result<Option<Self>, Error> {
        Self::read_by(|name| std::env::var_os(name))
    }

    /// The same, where `variable` returns the value of a variable. See the [example](Environment#examples).
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn read_by(variable: impl Fn(&str) -> Option<OsString>) -> Result<Option<Self>, Error> {
        let given = |name| match variable(name).map(OsString::into_string) {
            None => Ok(None),
            Some(Ok(text)) => Ok(Some(text).filter(|text| !text.is_empty())),
            Some(Err(_)) => Err(wrong(name, Error::config("it is not UTF-8"))),
        };
        let Some(cluster) = given(URL)? else { return Ok(None) };
        let entries = given(RESOLVE)?.unwrap_or_default();
        let entries = entries.split(',').map(str::trim).filter(|entry| !entry.is_empty());
        let resolve: Result<_, Error> = entries.map(HostAddress::from_str).collect();
        let resolve = resolve.map_err(|error| wrong(RESOLVE, error))?;
        Ok(Some(Self { cluster, password: given(PASSWORD)?, resolve }))
    }

    /// A configuration for the cluster. See the [example](Environment#examples).
    ///
    /// # Errors
    /// [`Error::Config`] for a URL or a host that cannot be used.
    pub fn config(&self) -> Result<Config, Error> {
        let mut config = self.of_cluster().map_err(|error| wrong(URL, error))?;
        if let (None, Some(password)) = (&config.credentials, &self.password) {
            config = config.password(password);
        }
        for HostAddress { host, port, address } in &self.resolve {
            config = config.resolve(host, *port, *address);
        }
        Ok(config)
    }

    fn of_cluster(&self) -> Result<Config, Error> {
        if self.cluster.contains("://") {
            return Config::from_url(&self.cluster);
        }
        let config = Config::new().root_nodes(self.cluster.split(',').map(str::trim));
        match config.misspelt.first() {
            Some(first) => Err(first.clone()),
            None => Ok(config),
        }
    }
}

/// Without the URL, which may hold a password.
impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Environment").field("resolve", &self.resolve).finish_non_exhaustive()
    }
}

fn required(environment: Option<Environment>) -> Result<Environment, Error> {
    environment.ok_or_else(|| {
        Error::config_with_remedy(
            format!("{URL} is not set: it says which cluster to use"),
            "set it to a URL such as rediss://cache.example.net:10000; for a cluster on this machine, `truename lab up` \
             (`make lab` in truename's repository) prints what to set",
        )
    })
}

/// The error is about this variable.
fn wrong(name: &str, error: Error) -> Error {
    match error {
        Error::Config(error) => {
            Error::Config(Box::new(ConfigError { what: format!("{name}: {}", error.what), ..*error }))
        }
        other => other,
    }
}

/// The address of a host name, for one port or for all, in the form `HOST:ADDR` or `HOST:PORT:ADDR`. An IPv6 address may stand in
/// brackets. [`Config::resolve`] takes it in parts.
///
/// # Examples
/// ```
/// use truename::Config;
/// use truename::environment::HostAddress;
///
/// let known: HostAddress = "cache.example.net:10000:[::1]".parse()?;
/// let config = Config::new().seed("cache.example.net", 10000).resolve(&known.host, known.port, known.address);
///
/// let error = "cache.example.net:localhost".parse::<HostAddress>().expect_err("not an address");
/// assert!(error.to_string().contains("`localhost` is not an IP address"));
/// # Ok::<(), truename::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct HostAddress {
    /// The name.
    pub host: String,
    /// The port that it counts for; `None` for all.
    pub port: Option<u16>,
    /// Where the name leads.
    pub address: IpAddr,
}

impl FromStr for HostAddress {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let fail = |why: String| Error::config_with_remedy(why, FORM);
        // A part of a URL with a password is as secret as the whole.
        let shown = |part: &str| Typed(if text.contains('@') { text } else { part }).to_string();
        let (host, rest) = text.split_once(':').ok_or_else(|| fail("there is no address".to_owned()))?;
        if host.is_empty() || host.contains(['[', '/', '@']) {
            return Err(fail(format!("{} is not a host name", shown(host))));
        }
        let entry = |port, address| Self { host: host.to_owned(), port, address };
        if let Some(address) = address(rest) {
            return Ok(entry(None, address));
        }
        let Some((port, last)) = rest.split_once(':') else {
            return Err(fail(format!("{} is not an IP address", shown(rest))));
        };
        let port = port.parse().ok().filter(|&port| port != 0);
        let port = port.ok_or_else(|| fail("the part in the middle is not a port".to_owned()))?;
        let address = address(last).ok_or_else(|| fail(format!("{} is not an IP address", shown(last))))?;
        Ok(entry(Some(port), address))
    }
}

fn address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    bare.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(variables: &[(&str, &str)]) -> Result<Config, Error> {
        let variable = |name: &str| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| OsString::from(value))
        };
        required(Environment::read_by(variable)?)?.config()
    }

    #[test]
    fn what_a_lab_prints_becomes_a_configuration() {
        let names = (RESOLVE, "a.test:::1, b.test:2:127.0.0.1,");
        let of_url = config(&[(URL, "redis://a.test:1,b.test?timeout=2s"), (PASSWORD, "sesame"), names]);
        let of_url = of_url.expect("usable");
        let settings = of_url.settings();
        assert_eq!(
            (settings.seeds().len(), settings.login(), settings.tls().is_none()),
            (2, Some("default"), true)
        );
        let ports: Vec<_> = settings.resolved().map(|(_, port, _)| port).collect();
        assert_eq!(ports, [None, Some(2)]);
        assert!(!format!("{of_url:?}").contains("sesame"));

        let of_hosts = config(&[(URL, "a.test:1, [::1]:2"), (PASSWORD, "")]).expect("usable");
        let settings = of_hosts.settings();
        assert_eq!((settings.seeds().len(), settings.login()), (2, None));
        assert!(settings.tls().is_some() && of_hosts.validate().is_ok());

        // The URL's own credentials count.
        let of_both = config(&[(URL, "rediss://bob:sesame@a.test"), (PASSWORD, "other")]).expect("usable");
        assert_eq!(of_both.settings().login(), Some("bob"));
        assert_eq!(of_both.credentials.as_ref().map(|login| login.secret()), Some("sesame"));
    }

    #[test]
    fn what_cannot_be_used_is_named_and_no_password_repeated() {
        let alone = [(PASSWORD, "sesame"), (RESOLVE, "a.test:127.0.0.1")];
        let rows: [(&[(&str, &str)], &str); 8] = [
            (&alone, "TRUENAME_URL is not set"),
            (&[(URL, ""), (PASSWORD, "sesame")], "`truename lab up`"),
            (&[(URL, "http://bob:sesame@a.test")], "TRUENAME_URL: "),
            (
                &[(URL, "rediss://bob:sesame@a.test?tiemout=sesame")],
                "TRUENAME_URL: the URL has an unknown option",
            ),
            (&[(URL, "bob:sesame@a.test")], "TRUENAME_URL: root node 1: "),
            (&[(URL, "a.test,b.test:port"), (PASSWORD, "sesame")], "TRUENAME_URL: root node 2: "),
            (&[(URL, "a.test"), (RESOLVE, "sesame@b.test:1")], "TRUENAME_RESOLVE: "),
            (&[(URL, "a.test"), (RESOLVE, "a.test:::1,b.test:x"), (PASSWORD, "sesame")], "HOST:PORT:ADDR"),
        ];
        for (variables, said) in rows {
            let error = config(variables).expect_err(said);
            let text = format!("{error} {error:#?}");
            assert!(matches!(error, Error::Config(_)) && error.to_string().contains(said), "{text}");
            assert!(!text.contains("sesame"), "{text}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_variable_that_is_not_text_is_named() {
        use std::os::unix::ffi::OsStringExt;

        for name in [URL, PASSWORD, RESOLVE] {
            let variable = |asked: &str| match asked == name {
                true => Some(OsString::from_vec(vec![b's', 0xff])),
                false => Some(OsString::from("a.test:127.0.0.1")),
            };
            let error = Environment::read_by(variable).expect_err("not UTF-8");
            assert!(error.to_string().contains(&format!("{name}: it is not UTF-8")), "{error}");
        }
    }

    #[test]
    fn addresses_of_names() {
        let (v4, v6) = (IpAddr::from([127, 0, 0, 1]), "::1".parse().expect("an address"));
        for (text, port, address) in [
            ("a.test:127.0.0.1", None, v4),
            ("a.test:443:127.0.0.1", Some(443), v4),
            ("a.test:[::1]", None, v6),
            ("a.test:::1", None, v6),
            ("a.test:443:[::1]", Some(443), v6),
        ] {
            let expected = HostAddress { host: "a.test".to_owned(), port, address };
            assert_eq!(text.parse::<HostAddress>().expect(text), expected);
        }
        for (text, why) in [
            ("a.test", "there is no address"),
            (":127.0.0.1", "`` is not a host name"),
            ("a.test:localhost", "`localhost` is not an IP address"),
            ("a.test:0:127.0.0.1", "not a port"),
            ("a.test:99999:127.0.0.1", "not a port"),
            ("a.test:443:b.test", "`b.test` is not an IP address"),
        ] {
            let error = text.parse::<HostAddress>().expect_err(text).to_string();
            assert!(error.contains(why) && error.contains("HOST:PORT:ADDR"), "{text}: {error}");
        }
    }
}
