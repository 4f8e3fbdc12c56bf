//! The options of every command that connects to a cluster.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use truename::TlsVersion;
use truename::environment::HostAddress;
use truename::topology::{DialRule, IdentityName, IdentityPolicy, Pin, Profile, Trust};

use super::value;

/// How to reach a cluster.
#[derive(Debug, Clone, Args)]
pub(crate) struct ConnectArgs {
    /// Where to ask for the topology: a host and port, several of them separated by commas, or a URL
    ///
    /// IPv6 addresses with a port need brackets, `[::1]:6379`. The port is the provider's usual one, else 6379. TLS
    /// is used unless --plain is given or the URL begins with redis://.
    ///
    /// A URL is rediss://[USER:PASSWORD@]HOST[:PORT],...[/DATABASE][?OPTION=VALUE&...]. Its options are timeout, connect_timeout,
    /// stall_timeout, refresh, profile, map, verify_as, verify_only, identity, trust, cacert, cert, key, pin, crl, tls_min, name,
    /// read_from, protocol, lanes and max_exclusive. These have no option of their own here: stall_timeout, refresh, name,
    /// read_from, protocol, lanes and max_exclusive.
    ///
    /// Without it, TRUENAME_URL says where, with TRUENAME_PASSWORD and TRUENAME_RESOLVE (HOST[:PORT]:ADDR, separated by commas)
    /// for the cluster that it names; these two are never used for one that is given here.
    #[arg(value_name = "HOST[:PORT]|URL")]
    pub(crate) host: Option<String>,

    /// Speak plaintext instead of TLS
    #[arg(long, help_heading = "TLS")]
    pub(crate) plain: bool,
    /// Trust the certificates of this PEM file instead of the system's roots
    #[arg(long, value_name = "FILE", help_heading = "TLS")]
    pub(crate) cacert: Option<PathBuf>,
    /// The client certificate (PEM), for servers that ask for one
    #[arg(long, value_name = "FILE", requires = "key", help_heading = "TLS")]
    pub(crate) cert: Option<PathBuf>,
    /// The private key of the client certificate (PEM)
    #[arg(long, value_name = "FILE", requires = "cert", help_heading = "TLS")]
    pub(crate) key: Option<PathBuf>,
    /// A further name that is acceptable for every node, such as cache.example.net
    #[arg(long, value_name = "NAME", value_parser = value::identity, help_heading = "TLS")]
    pub(crate) verify_as: Option<IdentityName>,
    /// The only acceptable name, for every node; short for --identity only:NAME
    #[arg(
        long,
        value_name = "NAME",
        value_parser = value::identity,
        conflicts_with_all = ["identity", "verify_as"],
        help_heading = "TLS"
    )]
    pub(crate) verify_only: Option<IdentityName>,
    /// Which names are acceptable: any (what a node announces, or the seed's), announced, seed, or only:NAME
    #[arg(long, value_name = "POLICY", value_parser = value::identity_policy, help_heading = "TLS")]
    pub(crate) identity: Option<IdentityPolicy>,
    /// A name, *.suffix, address or network that the cluster may announce besides its seeds' domain; may be repeated
    ///
    /// Under public CAs a name counts only if it is a seed's, lies under a seed's parent domain, or belongs to
    /// the seed's cluster by the provider's rules; other names are not dialled. Not needed with --cacert and an
    /// authority of your own.
    #[arg(long, value_name = "NAME", value_parser = value::trust, help_heading = "TLS")]
    pub(crate) trust: Vec<Trust>,
    /// A pinned public key, sha256/BASE64; every node must present one of those given; may be repeated
    #[arg(long, value_name = "PIN", value_parser = value::pin, help_heading = "TLS")]
    pub(crate) pin: Vec<Pin>,
    /// A certificate revocation list (PEM or DER); may be repeated. Certificates whose issuer no list covers
    /// are refused
    #[arg(long, value_name = "FILE", help_heading = "TLS")]
    pub(crate) crl: Vec<PathBuf>,
    /// The minimum TLS version: 1.2 (the default) or 1.3
    #[arg(long, value_name = "VERSION", value_parser = value::tls_version, help_heading = "TLS")]
    pub(crate) tls_min: Option<TlsVersion>,
    /// DANGER: accept a trusted authority's certificate whatever names it has
    #[arg(long, help_heading = "TLS")]
    pub(crate) danger_accept_invalid_hostnames: bool,
    /// DANGER: accept every certificate
    #[arg(long, help_heading = "TLS")]
    pub(crate) danger_accept_invalid_certificates: bool,

    /// DANGER: with --plain, send the password even to a provider that speaks TLS
    #[arg(long, help_heading = "TLS")]
    pub(crate) danger_plaintext_credentials: bool,

    /// The user to log in as; without it the default user
    #[arg(long, value_name = "NAME", help_heading = "Login")]
    pub(crate) user: Option<String>,
    #[command(flatten)]
    pub(crate) password: PasswordArgs,

    /// The database to use, where the servers have several: a single server, or a cluster of Valkey 9
    #[arg(long, short = 'n', value_name = "NUMBER", help_heading = "Login")]
    pub(crate) database: Option<u32>,

    /// The provider profile to use instead of the one that the host name suggests
    #[arg(
        long,
        value_name = "NAME",
        value_parser = value::profile,
        long_help = value::profile_help(),
        help_heading = "Addresses"
    )]
    pub(crate) profile: Option<&'static Profile>,
    /// Where to dial nodes, such as 'ip=seed' or '*=seed:+1000'; may be repeated; the first match counts
    ///
    /// RULE is MATCH[:PORT|:LOW-HIGH]=TARGET. MATCH is *, ip, a network (10.0.0.0/8, [2001:db8::/32]), a host or *.suffix. TARGET is
    /// announced, seed[:PORT|:+N|:-N], HOST[:PORT|:+N|:-N] or a template of {host}, {port} and {seed}. A rule may end in
    /// ' pin=sha256/BASE64', a public key that the nodes dialled by it must present.
    #[arg(long, value_name = "RULE", value_parser = value::rule, help_heading = "Addresses")]
    pub(crate) map: Vec<DialRule>,
    /// Connect to ADDR instead of looking HOST up, HOST:ADDR or HOST:PORT:ADDR; may be repeated
    #[arg(long, value_name = "HOST[:PORT]:ADDR", value_parser = value::resolve, help_heading = "Addresses")]
    pub(crate) resolve: Vec<HostAddress>,

    /// How long a command may take in total, besides what it asks the server to wait (BLPOP, for example); 5s unless
    /// the URL says otherwise
    #[arg(long, value_name = "TIME", value_parser = value::duration, help_heading = "Time")]
    pub(crate) timeout: Option<Duration>,
    /// How long connecting may take in total; 10s unless the URL says otherwise
    #[arg(long, value_name = "TIME", value_parser = value::duration, help_heading = "Time")]
    pub(crate) connect_timeout: Option<Duration>,

    /// Refused, with an explanation, by `context`. So typed values never reach an error of the parser.
    #[arg(short = 'a', long = "password", alias = "pass", num_args = 0..=1, hide = true)]
    pub(crate) typed_password: Option<Option<String>>,
}

impl ConnectArgs {
    /// Whether an option is about TLS files or checks.
    pub(crate) fn configures_tls(&self) -> bool {
        self.cacert.is_some()
            || self.cert.is_some()
            || !self.pin.is_empty()
            || !self.crl.is_empty()
            || self.tls_min.is_some()
            || self.danger_accept_invalid_hostnames
            || self.danger_accept_invalid_certificates
    }
}

/// Where the password is.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct PasswordArgs {
    /// The environment variable that holds the password
    #[arg(long, value_name = "NAME", conflicts_with = "password_file", help_heading = "Login")]
    pub(crate) password_env: Option<String>,
    /// The file whose first line is the password; `-` is standard input
    #[arg(long, value_name = "FILE", help_heading = "Login")]
    pub(crate) password_file: Option<PathBuf>,
}
