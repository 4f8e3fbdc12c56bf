//! The URL form of a configuration.
//!
//! `rediss://user:password@host:port,host2:port2/database?option=value&...`
//!
//! | part | meaning |
//! |---|---|
//! | `rediss://`, `valkeys://` | TLS with the system's roots; `redis://` and `valkey://` are plaintext |
//! | `user:password@` | credentials, percent-encoded, above all `/`, `?` and `#`; `:password@` for the default user |
//! | `host:port,...` | seeds; IPv6 in brackets; a missing port is the provider's, else 6379 |
//! | `/database` | the database's number, where the servers have several ([`Config::database`]); may be missing |
//! | `?timeout=2s` | how long a command may take: `ms`, `s` or `m` |
//! | `connect_timeout=5s` | how long connecting may take in total |
//! | `stall_timeout=2s` | how long a server that owes a reply may be silent |
//! | `refresh=60s` | how often the topology is asked for |
//! | `profile=azure-managed` | the provider profile |
//! | `map=RULE` | a rule for where to dial, in the form that [`DialRule`] describes; may be repeated |
//! | `verify_as=NAME` | a further name that is acceptable for every node |
//! | `verify_only=NAME` | the only acceptable name, for every node; short for `identity=only:NAME` |
//! | `identity=POLICY` | which names are acceptable: `any`, `announced`, `seed` or `only:NAME` ([`IdentityPolicy`]) |
//! | `trust=NAME` | a name, `*.suffix`, address or network ([`Trust`]) that the cluster may announce; may be repeated |
//! | `cacert=FILE`, `cert=FILE`, `key=FILE` | CA bundle and client certificate, read at once |
//! | `pin=sha256/BASE64` | a pinned public key; every node must present one of those given; may be repeated ([`Tls::pin`]) |
//! | `crl=FILE` | a certificate revocation list, read at once; may be repeated ([`Tls::crl_file`]) |
//! | `tls_min=1.3` | the minimum TLS version: `1.2` or `1.3` |
//! | `name=NAME` | the connections' name in `CLIENT LIST` |
//! | `read_from=PREFERENCE` | `primary`, `replica`, `prefer-replica`, `nearest` or `zone:NAME` |
//! | `protocol=2` | RESP2 without asking; `3`: RESP3 and nothing else; `auto`: RESP3 where the server knows it |
//! | `lanes=2` | connections per node |
//! | `max_exclusive=64` | the most connections per node for commands that wait on the server |
//!
//! A literal `@` in an option is written `%40`.

// What must stay true: no error repeats text that holds or precedes an `@`, or that could be a password whose `@` is
// missing. One exception cannot be told from a host: without `@HOST`, `user:1234` is a host with its port, and
// `user:1234/5678` one with a database.

use std::str::FromStr;
use std::time::Duration;

use percent_encoding::percent_decode_str;
use truename_topology::{DialRule, Endpoint, IdentityName, IdentityPolicy, Pin, Profile, Trust, Typed};

use super::{Config, Credentials, Protocol, ReadFrom};
use crate::error::{Error, Remedy};
use crate::tls::{Tls, TlsVersion};

/// The options, in the order of the table above.
const OPTIONS: [&str; 21] = [
    "timeout",
    "connect_timeout",
    "stall_timeout",
    "refresh",
    "profile",
    "map",
    "verify_as",
    "verify_only",
    "identity",
    "trust",
    "cacert",
    "cert",
    "key",
    "pin",
    "crl",
    "tls_min",
    "name",
    "read_from",
    "protocol",
    "lanes",
    "max_exclusive",
];

const FORM: &str = "write rediss://user:password@host:port,host2:port2?option=value";

impl Config {
    /// Reads a URL such as `rediss://user:password@host:10000,other:10000`; see [`url`](self) for all of it.
    ///
    /// ```
    /// use truename::Config;
    ///
    /// let config = Config::from_url("rediss://checkout:s%2Fcret@a.example.net,b.example.net:7000?timeout=2s")?;
    /// // `FromStr` is the same; what is wrong is said without repeating the password.
    /// let error = "rediss://:secret@a.example.net?tiemout=2s".parse::<Config>().expect_err("misspelt");
    /// assert!(error.to_string().contains("timeout") && !error.to_string().contains("secret"));
    /// # Ok::<(), truename::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Config`] with what is wrong and what to write instead.
    pub fn from_url(url: &str) -> Result<Self, Error> {
        parse(url)
    }
}

impl FromStr for Config {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        parse(text)
    }
}

/// Reads the URL form. Error texts never repeat the credentials.
fn parse(text: &str) -> Result<Config, Error> {
    let (scheme, rest) =
        text.split_once("://").ok_or_else(|| Error::config_with_remedy("the URL has no scheme", FORM))?;
    let tls = match scheme {
        "rediss" | "valkeys" => true,
        "redis" | "valkey" => false,
        other => {
            let shown = if rest.contains('@') {
                "what is before `://`".to_owned()
            } else {
                Typed(&format!("{other}://")).to_string()
            };
            return Err(Error::config_with_remedy(
                format!("{shown} is not a supported scheme"),
                "use rediss:// for TLS or redis:// for plaintext",
            ));
        }
    };
    refuse_stray_marks(rest, tls)?;
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let database = parse_database(path)?;
    // The last `@` ends the credentials: a password may hold one when it was not encoded.
    let (credentials, hosts) = match authority.rsplit_once('@') {
        Some((credentials, hosts)) => (Some(credentials), hosts),
        None => (None, authority),
    };

    let mut config = Config::new().database(database);
    if !tls {
        config = config.plaintext();
    }
    if let Some(credentials) = credentials {
        config = config.credentials(parse_credentials(credentials)?);
    }
    let profile = query_value(query, "profile").map(|name| named_profile(&name)).transpose()?;
    if let Some(profile) = profile {
        config = config.profile(profile);
    }
    for (position, host) in hosts.split(',').enumerate() {
        config.seeds.push(parse_seed(host, position + 1, profile)?);
    }
    for (key, value) in pairs(query) {
        config = apply(config, &key, &value)?;
    }
    match (query_value(query, "cert"), query_value(query, "key")) {
        (None, None) => Ok(config),
        (Some(cert), Some(key)) => with_tls(config, "cert", |tls| tls.client_certificate_files(cert, key)),
        _ => Err(Error::config_with_remedy(
            "`cert` and `key` belong together",
            "give the client certificate and its private key",
        )),
    }
}

/// Refuses what would put a part of the password into another part of the URL, where errors repeat it.
fn refuse_stray_marks(rest: &str, tls: bool) -> Result<(), Error> {
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    if rest.rfind('@').is_some_and(|at| at > end) {
        return Err(Error::config_with_remedy(
            "the URL has a `/`, `?` or `#` before its last `@`",
            "in a user name or password write %2F, %3F and %23 for them; a literal `@` in an option is written %40",
        ));
    }
    // As redis-rs has it.
    if tls && rest.ends_with("#insecure") {
        return Err(Error::config_with_remedy(
            "the URL asks for TLS without verification",
            Remedy::AcceptCertain,
        ));
    }
    if rest.contains('#') {
        return Err(Error::config_with_remedy(
            "the URL has a `#`, which means nothing here",
            "write %23 for it",
        ));
    }
    Ok(())
}

/// Reads what is between the hosts and the options. The text is not repeated: it may be a part of the password.
fn parse_database(text: &str) -> Result<u32, Error> {
    if text.is_empty() {
        return Ok(0);
    }
    let digits = Some(text).filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    digits.and_then(|digits| digits.parse().ok()).ok_or_else(|| {
        Error::config_with_remedy(
            "the URL has a path that is not the number of a database",
            "write /2 for database 2, or leave it out for database 0",
        )
    })
}

/// Reads `host`, `host:port` or `[v6]:port`; a missing port is the provider's usual one. The text is not repeated:
/// without its host, `rediss://user:password` looks like a host and a port.
fn parse_seed(text: &str, position: usize, profile: Option<&'static Profile>) -> Result<Endpoint, Error> {
    if text.is_empty() {
        return Err(Error::config_with_remedy("the URL names no host", FORM));
    }
    let guessed = profile.or_else(|| Profile::detect(text)).and_then(|profile| profile.default_seed_port);
    Endpoint::parse(text, Some(guessed.unwrap_or(6379))).map_err(|error| {
        Error::config_with_remedy(format!("host {position} of the URL: {}", error.problem()), FORM)
    })
}

fn parse_credentials(text: &str) -> Result<Credentials, Error> {
    let decode = |part: &str| {
        percent_decode_str(part)
            .decode_utf8()
            .map(std::borrow::Cow::into_owned)
            .map_err(|_| Error::config("the URL's user name or password is not UTF-8 after percent-decoding"))
    };
    match text.split_once(':') {
        Some(("", password)) => Ok(Credentials::password(decode(password)?)),
        Some((user, password)) => Ok(Credentials::user(decode(user)?, decode(password)?)),
        None => Err(Error::config_with_remedy(
            "the URL has a user name without a password",
            "write `:password@host` for the default user, `user:password@host` otherwise",
        )),
    }
}

fn pairs(query: &str) -> impl Iterator<Item = (String, String)> + '_ {
    query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (key.to_owned(), percent_decode_str(value).decode_utf8_lossy().into_owned())
    })
}

fn query_value(query: &str, wanted: &str) -> Option<String> {
    pairs(query).find(|(key, _)| key == wanted).map(|(_, value)| value)
}

fn apply(config: Config, key: &str, value: &str) -> Result<Config, Error> {
    Ok(match key {
        "profile" => config,
        "timeout" => config.command_timeout(parse_duration(key, value)?),
        "connect_timeout" => config.connect_timeout(parse_duration(key, value)?),
        "stall_timeout" => config.stall_timeout(parse_duration(key, value)?),
        "refresh" => config.refresh_interval(parse_duration(key, value)?),
        "name" => config.client_name(value),
        "read_from" => config.read_from(ReadFrom::from_str(value)?),
        "protocol" => match value {
            "2" => config.protocol(Protocol::Resp2),
            "3" => config.protocol(Protocol::Resp3),
            "auto" => config.protocol(Protocol::Auto),
            other => return Err(bad_value(key, other, "2, 3 or auto")),
        },
        "lanes" => config.lanes_per_node(value.parse().map_err(|_| bad_value(key, value, "a number"))?),
        "max_exclusive" => {
            config.max_exclusive_connections(value.parse().map_err(|_| bad_value(key, value, "a number"))?)
        }
        "map" => {
            let rule = DialRule::from_str(value).map_err(|error| Error::config(error.to_string()))?;
            config.dial_rule(rule)
        }
        "verify_as" => {
            let name = IdentityName::parse(value).map_err(|error| Error::config(error.to_string()))?;
            config.verify_as(name)
        }
        "identity" | "verify_only" if config.identity.is_some() => {
            return Err(Error::config_with_remedy(
                "the URL sets the identity policy twice",
                "leave out either `identity` or `verify_only`",
            ));
        }
        "identity" => {
            let policy = IdentityPolicy::from_str(value).map_err(|error| Error::config(error.to_string()))?;
            config.identity(policy)
        }
        "verify_only" => {
            let name = IdentityName::parse(value).map_err(|error| Error::config(error.to_string()))?;
            config.identity(IdentityPolicy::Only(name))
        }
        "trust" => config.trust(Trust::from_str(value).map_err(|error| Error::config(error.to_string()))?),
        "cacert" => with_tls(config, key, |tls| tls.ca_file(value))?,
        "pin" => {
            let pin = Pin::from_str(value).map_err(|error| Error::config(error.to_string()))?;
            with_tls(config, key, |tls| Ok(tls.pin(pin)))?
        }
        "crl" => with_tls(config, key, |tls| tls.crl_file(value))?,
        "tls_min" => {
            let version = TlsVersion::from_str(value)?;
            with_tls(config, key, |tls| Ok(tls.min_version(version)))?
        }
        "cert" | "key" => config,
        _ => {
            return Err(Error::config_with_remedy(
                "the URL has an unknown option (not repeated, as it may hold a password)",
                format!("the options are {}", listed(&OPTIONS)),
            ));
        }
    })
}

/// `a, b and c`
fn listed(names: &[&str]) -> String {
    match names.split_last() {
        Some((last, others)) => format!("{} and {last}", others.join(", ")),
        None => String::new(),
    }
}

fn with_tls(
    mut config: Config,
    key: &str,
    change: impl FnOnce(Tls) -> Result<Tls, Error>,
) -> Result<Config, Error> {
    let tls = config.tls.take().ok_or_else(|| {
        Error::config_with_remedy(format!("`{key}` needs TLS"), "begin the URL with rediss://")
    })?;
    Ok(config.tls(change(tls)?))
}

/// Reads `250ms`, `2s`, `1.5s` or `1m`. `what` is the name of the option, for the error.
///
/// ```
/// use std::time::Duration;
/// use truename::url::parse_duration;
///
/// assert_eq!(parse_duration("timeout", "1.5s")?, Duration::from_millis(1500));
/// assert!(parse_duration("timeout", "0s").is_err() && parse_duration("timeout", "soon").is_err());
/// # Ok::<(), truename::Error>(())
/// ```
///
/// # Errors
/// [`Error::Config`] for a text of another form, for zero and for what is too long to count.
pub fn parse_duration(what: &str, text: &str) -> Result<Duration, Error> {
    let expected = "a time such as 250ms, 2s or 1m";
    let digits = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let factor = match unit {
        "ms" => 0.001,
        "s" => 1.0,
        "m" => 60.0,
        _ => return Err(bad_value(what, text, expected)),
    };
    let number: f64 = number.parse().map_err(|_| bad_value(what, text, expected))?;
    Duration::try_from_secs_f64(number * factor)
        .ok()
        .filter(|duration| !duration.is_zero())
        .ok_or_else(|| bad_value(what, text, expected))
}

fn named_profile(name: &str) -> Result<&'static Profile, Error> {
    Profile::named(name).ok_or_else(|| {
        let names: Vec<_> = Profile::all().iter().map(|profile| profile.name).collect();
        bad_value("profile", name, &format!("one of {}", names.join(", ")))
    })
}

fn bad_value(key: &str, value: &str, expected: &str) -> Error {
    Error::config(format!("{} is not a value of `{key}`: it must be {expected}", Typed(value)))
}

#[cfg(test)]
mod tests;
