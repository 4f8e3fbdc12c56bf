//! From what was typed to what is used: files are read, contradictions refused, and warnings given here.
//!
//! The only place that makes a [`Config`]: for a cluster that the user names, and for a lab.

use std::io::Read;
use std::path::Path;

use truename::topology::{Endpoint, IdentityPolicy, Profile, Typed};
use truename::{Config, Credentials, Error, Tls, warn_if_exposed};
use truename_lab::Lab;

use crate::args::connect::{ConnectArgs, PasswordArgs};
use crate::environment::Meant;
use crate::failure::Failure;
use crate::spelling::as_options;

/// The name that our connections carry in `CLIENT LIST`.
const CLIENT_NAME: &str = "truename-cli";
/// How long one attempt to one node may take, unless connecting as a whole has less time.
const NODE_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(3);

/// A cluster to connect to.
#[derive(Debug)]
pub(crate) struct Target {
    /// For the client library.
    pub(crate) config: Config,
    /// Warnings for the user before anything happens.
    pub(crate) warnings: Vec<String>,
}

impl Target {
    /// Resolves the options of a command that connects.
    pub(crate) fn resolve(args: &ConnectArgs) -> Result<Self, Failure> {
        if args.typed_password.is_some() {
            return Err(Failure::usage(
                "a password on the command line can be read by every user of this machine (ps), so there is no \
                 --password",
                "put it into a variable and name that with --password-env NAME, or into a file with \
                 --password-file FILE (`-` for standard input)",
            ));
        }
        let meant = Meant::by(args, |name| std::env::var_os(name))?;
        let is_url = meant.text.contains("://");
        let target = if is_url { Self::from_url(&meant, args)? } else { Self::from_hosts(&meant, args)? };
        let mut target = target.with_tls(args)?.with_login(args, meant.password)?;
        target.config = with_rest(target.config, args);
        for entry in &meant.resolve {
            // What was typed counts for more.
            if args.resolve.iter().all(|typed| !typed.host.eq_ignore_ascii_case(&entry.host)) {
                target.config = target.config.resolve(&entry.host, entry.port, entry.address);
            }
        }
        target.warnings.extend(target.config.warnings());
        Ok(target)
    }

    fn new(config: Config) -> Self {
        Self { config, warnings: Vec::new() }
    }

    /// Whether connections are encrypted.
    pub(crate) fn has_tls(&self) -> bool {
        self.config.settings().tls().is_some()
    }

    /// The user that connections log in, if they do.
    pub(crate) fn login(&self) -> Option<&str> {
        self.config.settings().login()
    }

    fn from_hosts(meant: &Meant, args: &ConnectArgs) -> Result<Self, Failure> {
        let mut config = Config::new();
        for text in meant.text.split(',') {
            let seed = seed(text.trim(), meant.place, args.profile)?;
            config = config.seed(seed.host(), seed.port());
        }
        Ok(Self::new(if args.plain { config.plaintext() } else { config }))
    }

    fn from_url(meant: &Meant, args: &ConnectArgs) -> Result<Self, Failure> {
        // The URL is not repeated in any message: it may hold a password.
        let config = Config::from_url(&meant.text).map_err(|error| match error {
            Error::Config(error) => Failure::usage(
                format!("the URL given as {} cannot be used: {}", meant.place, error.what),
                error.remedy.map_or_else(
                    || {
                        "write it as rediss://HOST:PORT?OPTION=VALUE&..., with options as in `truename ping --help`"
                            .to_owned()
                    },
                    |remedy| remedy.spelled(as_options).to_string(),
                ),
            ),
            other => other.into(),
        })?;
        let tls = config.settings().tls();
        if tls.is_some() && args.plain {
            return Err(Failure::usage(
                "--plain contradicts a URL that begins with rediss://",
                "leave one out",
            ));
        }
        if tls.is_some_and(|tls| !tls.is_default()) && args.configures_tls() {
            return Err(Failure::usage(
                "TLS options are given both in the URL and on the command line",
                "move all of them to one place",
            ));
        }
        let mut target = Self::new(config);
        if target.login().is_some() && meant.is_typed() {
            target.warnings.push(
                "the URL holds a password, which every user of this machine can read (ps): use --password-env NAME \
                 or --password-file FILE"
                    .to_owned(),
            );
        }
        Ok(target)
    }

    fn with_tls(mut self, args: &ConnectArgs) -> Result<Self, Failure> {
        if !args.configures_tls() {
            return Ok(self);
        }
        if !self.has_tls() {
            return Err(Failure::usage(
                "TLS options need a TLS connection",
                "leave out --plain, begin the URL with rediss://, or leave out the TLS options",
            ));
        }
        let mut tls = Tls::new();
        if let Some(path) = &args.cacert {
            tls = tls.ca_file(path)?;
        }
        if let (Some(cert), Some(key)) = (&args.cert, &args.key) {
            tls = tls.client_certificate_files(cert, key)?;
        }
        for &pin in &args.pin {
            tls = tls.pin(pin);
        }
        for path in &args.crl {
            tls = tls.crl_file(path)?;
        }
        if let Some(version) = args.tls_min {
            tls = tls.min_version(version);
        }
        if args.danger_accept_invalid_hostnames {
            tls = tls.danger_accept_invalid_hostnames();
            self.warnings.push(
                "DANGER: names are NOT checked; anybody with a certificate of a trusted authority can impersonate \
                 every node"
                    .to_owned(),
            );
        }
        if args.danger_accept_invalid_certificates {
            tls = tls.danger_accept_invalid_certificates();
            self.warnings.push(
                "DANGER: certificates are NOT checked; the password is sent to whatever answers".to_owned(),
            );
        }
        self.config = self.config.tls(tls);
        Ok(self)
    }

    /// `usual`: the password where nothing else says which one.
    fn with_login(mut self, args: &ConnectArgs, usual: Option<String>) -> Result<Self, Failure> {
        let usual = usual.filter(|_| self.login().is_none());
        let Some(password) = password(&args.password)?.or(usual) else {
            return match &args.user {
                None => Ok(self),
                Some(_) => Err(Failure::usage(
                    "--user is given without a password",
                    "add --password-env NAME or --password-file FILE",
                )),
            };
        };
        if args.danger_plaintext_credentials && !self.has_tls() {
            self.warnings.push(
                "DANGER: the password is sent in plaintext, whatever the provider; anybody on the path can read it"
                    .to_owned(),
            );
        }
        let credentials = match &args.user {
            None => Credentials::password(password),
            Some(user) => Credentials::user(user, password),
        };
        self.warnings.extend(password_warning(&args.password));
        self.config = self.config.credentials(credentials);
        Ok(self)
    }
}

/// What needs neither a file nor a decision.
fn with_rest(mut config: Config, args: &ConnectArgs) -> Config {
    if let Some(profile) = args.profile {
        config = config.profile(profile);
    }
    if let Some(database) = args.database {
        config = config.database(database);
    }
    for rule in &args.map {
        config = config.dial_rule(rule.clone());
    }
    for entry in &args.resolve {
        config = config.resolve(&entry.host, entry.port, entry.address);
    }
    if let Some(name) = &args.verify_as {
        config = config.verify_as(name.clone());
    }
    let only = args.verify_only.clone().map(IdentityPolicy::Only);
    if let Some(identity) = only.or_else(|| args.identity.clone()) {
        config = config.identity(identity);
    }
    for trust in &args.trust {
        config = config.trust(trust.clone());
    }
    if args.danger_plaintext_credentials {
        config = config.danger_plaintext_credentials();
    }
    if config.settings().client_name().is_none() {
        config = config.client_name(CLIENT_NAME);
    }
    // What the URL says, else the library's defaults. Setting the time of commands says that the server may be silent as
    // long, unless the URL says how long that is: somebody at a terminal waits for a slow command.
    let command = args.timeout.unwrap_or(config.settings().command_timeout());
    let connect = args.connect_timeout.unwrap_or(config.settings().connect_timeout());
    config.command_timeout(command).connect_timeout(connect).node_connect_timeout(NODE_TIMEOUT.min(connect))
}

/// What a user of this lab configures: seed, authority, password, names, and the rules without which no client can
/// reach its nodes. Nothing else.
pub(crate) fn of_lab(lab: &Lab) -> Result<Config, Failure> {
    let mut config = of_lab_without_rules(lab)?;
    for rule in lab.map_rules() {
        config = config.dial_rule(rule);
    }
    Ok(config)
}

/// The same for a user who knows no rule.
pub(crate) fn of_lab_without_rules(lab: &Lab) -> Result<Config, Failure> {
    let mut config = Config::new().seeds(lab.seeds()).client_name(CLIENT_NAME);
    config = match lab.ca_pem_path() {
        Some(path) => config.tls(Tls::new().ca_file(path)?),
        None => config.plaintext(),
    };
    if let Some(password) = lab.password() {
        config = config.password(password);
    }
    for (host, port, address) in lab.resolve() {
        config = config.resolve(host, port, address);
    }
    Ok(config)
}

fn seed(text: &str, place: &str, profile: Option<&'static Profile>) -> Result<Endpoint, Failure> {
    let usual = profile.or_else(|| Profile::detect(text)).and_then(|profile| profile.default_seed_port);
    Endpoint::parse(text, Some(usual.unwrap_or(6379))).map_err(|error| {
        Failure::usage(
            format!("{place}: {}", error.problem()),
            "write HOST[:PORT] such as cache.example.net:10000 or [::1]:6379, several separated by commas, or a URL \
             such as rediss://cache.example.net:10000",
        )
    })
}

/// Reads the password from where the options say, if they say anything.
pub(crate) fn password(args: &PasswordArgs) -> Result<Option<String>, Failure> {
    if let Some(name) = &args.password_env {
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        if !name.bytes().all(is_name) {
            return Err(Failure::config(
                "--password-env takes the name of a variable, never the password itself",
                "put the password into a variable and give its name: read -rs NAME; export NAME",
            ));
        }
        let value = std::env::var(name).map_err(|error| {
            Failure::config(
                format!("--password-env {name}: {error}"),
                format!("set it first, for example: read -rs {name}; export {name}"),
            )
        })?;
        return Ok(Some(value));
    }
    args.password_file.as_deref().map(read_password).transpose()
}

/// A warning about the place of the password.
pub(crate) fn password_warning(args: &PasswordArgs) -> Option<String> {
    warn_if_exposed("the password", args.password_file.as_deref()?)
}

fn read_password(path: &Path) -> Result<String, Failure> {
    let fail = |why: String| {
        Failure::config(
            format!("--password-file {}: {why}", Typed(&path.to_string_lossy())),
            "give a file whose first line is the password, or `-` for standard input",
        )
    };
    let mut text = String::new();
    if path == Path::new("-") {
        std::io::stdin().read_to_string(&mut text).map_err(|error| fail(error.to_string()))?;
    } else {
        text = std::fs::read_to_string(path).map_err(|error| fail(error.to_string()))?;
    }
    match text.lines().next() {
        None | Some("") => Err(fail("its first line is empty".to_owned())),
        Some(line) => Ok(line.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::args::{Cli, Command};

    fn target(line: &str) -> Result<Target, Failure> {
        let words = ["truename", "ping"].into_iter().chain(line.split(' '));
        match Cli::try_parse_from(words).unwrap().command {
            Command::Ping(args) => Target::resolve(&args.connect),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_was_typed_becomes_a_configuration() {
        for (line, tls, login, warnings) in [
            ("a.test", true, None, 0),
            ("a.test:1,b.test:2", true, None, 0),
            ("a.test --plain", false, None, 0),
            ("[::1]:6379", true, None, 0),
            ("redis://a.test", false, None, 0),
            ("redis://a.test --plain", false, None, 0),
            ("rediss://:pw@a.test", true, Some("default"), 1),
            ("rediss://bob:pw@a.test", true, Some("bob"), 1),
            ("a.test --danger-accept-invalid-hostnames", true, None, 1),
            ("a.test --pin sha256/47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU= --tls-min 1.3", true, None, 0),
            ("a.test --danger-accept-invalid-certificates", true, None, 1),
        ] {
            let target = target(line).unwrap();
            assert_eq!((target.has_tls(), target.login()), (tls, login), "{line}");
            assert_eq!(target.warnings.len(), warnings, "{line}");
        }
    }

    /// Times and the name of a URL were ignored.
    #[test]
    fn what_a_url_says_counts_unless_an_option_says_otherwise() {
        for (line, command, connect, node, stall, name) in [
            ("a.test", 5000, 10_000, 3000, 5000, CLIENT_NAME),
            (
                "rediss://a.test?timeout=250ms&connect_timeout=2s&stall_timeout=1s&name=x",
                250,
                2000,
                2000,
                1000,
                "x",
            ),
            ("rediss://a.test?timeout=9s --connect-timeout 100ms", 9000, 100, 100, 9000, CLIENT_NAME),
            (
                "rediss://a.test?timeout=9s&connect_timeout=9s --timeout 1s",
                1000,
                9000,
                3000,
                2000,
                CLIENT_NAME,
            ),
            ("a.test --timeout 7s --connect-timeout 1m", 7000, 60_000, 3000, 7000, CLIENT_NAME),
        ] {
            let target = target(line).unwrap();
            let settings = target.config.settings();
            let times = [
                settings.command_timeout(),
                settings.connect_timeout(),
                settings.node_connect_timeout(),
                settings.stall_timeout(),
            ];
            assert_eq!(times.map(|time| time.as_millis()), [command, connect, node, stall], "{line}");
            assert_eq!(settings.client_name(), Some(name), "{line}");
        }
    }

    /// A password file that everybody can read was accepted without a warning.
    #[cfg(unix)]
    #[test]
    fn a_password_file_that_everybody_can_read_is_warned_of() {
        use std::os::unix::fs::PermissionsExt;

        let path = std::env::temp_dir().join(format!("truename-password-{}", std::process::id()));
        std::fs::write(&path, "hunter2\n").unwrap();
        for (mode, warnings) in [(0o640, 0), (0o644, 1)] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            let target = target(&format!("a.test --password-file {}", path.display())).unwrap();
            assert_eq!(target.warnings.len(), warnings, "{mode:o}: {:?}", target.warnings);
            assert!(target.warnings.iter().all(|warning| !warning.contains("hunter2")));
        }
        std::fs::remove_file(&path).unwrap();
    }

    #[test]
    fn contradictions_are_refused_with_a_remedy() {
        for (line, exit, what) in [
            ("a.test -a pw", 2, "can be read by every user"),
            ("a.test --password=pw", 2, "can be read by every user"),
            ("http://a.test", 2, "`http://`"),
            ("bob:pw@a.test", 2, "HOST:"),
            ("bob:pw@a.test:1", 2, "HOST:"),
            ("a.test,:pw@b.test:1", 2, "HOST:"),
            ("bob:pw", 2, "HOST:"),
            ("bob:pw@a.test://", 2, "not a supported scheme"),
            ("rediss://", 2, "no host"),
            ("rediss://a.test --plain", 2, "contradicts"),
            ("rediss://a.test?cacert=x --cacert y", 2, "cannot read"),
            ("redis://a.test --cacert x", 2, "need a TLS connection"),
            ("a.test --plain --tls-min 1.3", 2, "need a TLS connection"),
            ("rediss://a.test?tls_min=1.2 --tls-min 1.3", 2, "on the command line"),
            ("a.test --crl /nonexistent.crl", 60, "cannot read"),
            ("a.test:port", 2, "HOST:"),
            ("a.test --user bob", 2, "without a password"),
            ("a.test --cacert /nonexistent.pem", 60, "cannot read"),
            ("a.test --password-file /nonexistent", 60, "--password-file"),
            ("a.test --password-env NO_SUCH_VARIABLE_HERE", 60, "NO_SUCH_VARIABLE_HERE"),
        ] {
            let failure = target(line).unwrap_err();
            let text = failure.to_string();
            assert_eq!(failure.exit().code(), exit, "{line}: {text}");
            assert!(text.contains(what) && !text.contains("pw"), "{line}: {text}");
        }
    }

    #[test]
    fn the_usual_port_is_the_providers() {
        assert_eq!(seed("my.westus3.redis.azure.net", "HOST", None).unwrap().port(), 10000);
        assert_eq!(seed("cache.example.net", "HOST", None).unwrap().port(), 6379);
    }
}
