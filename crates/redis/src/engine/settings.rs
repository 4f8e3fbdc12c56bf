//! What a builder was told, and the configuration that follows from it.
//!
//! What must stay true: an option works, or is refused by its name; none is ignored, and none makes the checks of certificates
//! weaker than its name says.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use truename::topology::{AnnouncedNode, DialAddress, Endpoint, IdentityName, IdentityPolicy};
use truename::{Config, Credentials, Error, Protocol, ReadFrom, Resolve, Tls};

/// How long connecting to the cluster may take at least.
const CONNECT: Duration = Duration::from_secs(10);

/// A node that the user names.
#[derive(Clone, Default)]
pub(crate) struct Seed {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) is_tls: bool,
    pub(crate) user: Option<String>,
    pub(crate) password: Option<String>,
    pub(crate) is_resp3: bool,
    pub(crate) database: i64,
    /// What it says that cannot be had, and what to do about it.
    pub(crate) refused: Vec<(&'static str, &'static str)>,
}

type Change = Arc<dyn Fn(Config) -> Config + Send + Sync>;

/// What the methods of a builder were told.
#[derive(Clone, Default)]
pub(crate) struct Settings {
    pub(crate) user: Option<String>,
    pub(crate) password: Option<String>,
    pub(crate) is_tls: Option<bool>,
    pub(crate) accepts_invalid_hostnames: bool,
    pub(crate) root_cert: Option<Vec<u8>>,
    pub(crate) client_cert: Option<(Vec<u8>, Vec<u8>)>,
    pub(crate) read_from: ReadFrom,
    pub(crate) connection_timeout: Option<Duration>,
    pub(crate) response_timeout: Option<Duration>,
    pub(crate) overall_response_timeout: Option<Duration>,
    pub(crate) is_resp3: Option<bool>,
    pub(crate) database: Option<i64>,
    pub(crate) address_map: Option<HashMap<Endpoint, Endpoint>>,
    pub(crate) resolver: Option<Arc<dyn Resolve>>,
    pub(crate) max_in_flight: Option<usize>,
    pub(crate) watch_limit: Option<Duration>,
    pub(crate) changes: Vec<Change>,
    refused: Vec<(&'static str, &'static str)>,
}

/// No secrets, and no addresses: a builder is not worth more.
impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings").field("refused", &self.refused).finish_non_exhaustive()
    }
}

/// Why no client can be built.
#[derive(Debug)]
pub(crate) enum Unusable {
    /// An option cannot be had.
    Refused(String),
    /// The client says so.
    Config(Error),
}

impl From<Error> for Unusable {
    fn from(error: Error) -> Self {
        Self::Config(error)
    }
}

impl Settings {
    /// Notes an option that cannot be had.
    pub(crate) fn refuse(&mut self, option: &'static str, advice: &'static str) {
        self.refused.push((option, advice));
    }

    /// Notes time-outs that replace all others, those of [`changes`](Self::changes) included.
    pub(crate) fn replace_times(&mut self, connection: Option<Duration>, response: Option<Duration>) {
        self.connection_timeout = connection.or(self.connection_timeout);
        self.response_timeout = response.or(self.response_timeout);
        let overall = response.and(self.overall_response_timeout);
        let times = Self {
            connection_timeout: connection,
            response_timeout: response,
            overall_response_timeout: overall,
            ..Self::default()
        };
        self.changes.push(Arc::new(move |config| times.timed(config)));
    }

    /// The configuration.
    pub(crate) fn config(&self, seeds: &[Seed]) -> Result<Config, Unusable> {
        self.check(seeds)?;
        let Some(first) = seeds.first() else {
            return Err(Unusable::Refused("no node is given".to_owned()));
        };
        let mut config = Config::new().seeds(seeds.iter().map(|seed| (seed.host.as_str(), seed.port)));
        config = match self.is_tls.unwrap_or(first.is_tls) {
            true => config.tls(self.tls()?),
            false => config.plaintext(),
        };
        let user = self.user.as_ref().or(first.user.as_ref());
        config = match (user, self.password.as_ref().or(first.password.as_ref())) {
            (Some(user), Some(password)) => config.credentials(Credentials::user(user, password)),
            (None, Some(password)) => config.password(password),
            (Some(_), None) => {
                return Err(Unusable::Refused("username: there is no password with it".to_owned()));
            }
            (None, None) => config,
        };
        config = config.protocol(match self.is_resp3.unwrap_or(first.is_resp3) {
            true => Protocol::Auto,
            false => Protocol::Resp2,
        });
        let database = self.database.unwrap_or(first.database);
        let database = u32::try_from(database)
            .map_err(|_| Unusable::Refused(format!("database_id: there is no database {database}")))?;
        config = self.timed(config.database(database).read_from(self.read_from.clone()));
        if let Some(map) = &self.address_map {
            config = mapped(config, map)?;
        }
        if let Some(resolver) = self.resolver.clone() {
            config = config.resolver(move |host: &str, port: u16| resolver.resolve(host, port));
        }
        if let Some(commands) = self.max_in_flight {
            config = config.max_in_flight(commands);
        }
        Ok(self.changes.iter().fold(config, |config, change| change(config)))
    }

    fn tls(&self) -> Result<Tls, Error> {
        let mut tls = Tls::new();
        if let Some(pem) = &self.root_cert {
            tls = tls.ca_pem(pem)?;
        }
        if let Some((chain, key)) = &self.client_cert {
            tls = tls.client_certificate_pem(chain, key)?;
        }
        Ok(match self.accepts_invalid_hostnames {
            true => tls.danger_accept_invalid_hostnames(),
            false => tls,
        })
    }

    fn timed(&self, mut config: Config) -> Config {
        if let Some(time) = self.connection_timeout {
            config = config.node_connect_timeout(time).connect_timeout(time.max(CONNECT));
        }
        match (self.response_timeout, self.overall_response_timeout) {
            (Some(each), Some(all)) => config.command_timeout(all).stall_timeout(each),
            (Some(time), None) | (None, Some(time)) => config.command_timeout(time),
            (None, None) => config,
        }
    }

    /// Refuses what cannot be had, and nodes that contradict each other.
    fn check(&self, seeds: &[Seed]) -> Result<(), Unusable> {
        let of_seeds = seeds.iter().flat_map(|seed| &seed.refused);
        let mut told: Vec<String> = Vec::new();
        for (option, advice) in self.refused.iter().chain(of_seeds) {
            let text = format!("{option}: {advice}");
            if !told.contains(&text) {
                told.push(text);
            }
        }
        let differ = |differ: fn(&Seed, &Seed) -> bool| seeds.iter().any(|seed| differ(seed, &seeds[0]));
        let rows = [
            (self.password.is_none() && differ(|a, b| a.password != b.password), "password"),
            (self.user.is_none() && differ(|a, b| a.user != b.user), "username"),
            (self.is_tls.is_none() && differ(|a, b| a.is_tls != b.is_tls), "tls"),
            (self.is_resp3.is_none() && differ(|a, b| a.is_resp3 != b.is_resp3), "protocol"),
            (self.database.is_none() && differ(|a, b| a.database != b.database), "database"),
        ];
        told.extend(
            rows.iter()
                .filter(|(differ, _)| *differ)
                .map(|(_, what)| format!("{what}: the nodes' URLs differ")),
        );
        if told.is_empty() { Ok(()) } else { Err(Unusable::Refused(told.join("; "))) }
    }
}

/// With a table of where to dial which node. As in redis-rs, a node then has to prove the name that it is dialled by; one
/// that the table lacks has to prove its seed's.
fn mapped(config: Config, map: &HashMap<Endpoint, Endpoint>) -> Result<Config, Unusable> {
    let mut names = HashMap::new();
    let mut dialled = HashMap::new();
    for (announced, to) in map {
        let name = IdentityName::parse(to.host())
            .map_err(|error| Unusable::Refused(format!("node_address_map: {error}")))?;
        names.insert(announced.clone(), name);
        dialled.insert(announced.clone(), DialAddress::new(to.host(), to.port()));
    }
    let identity = move |node: &AnnouncedNode, seed: &Endpoint| {
        let name = names.get(&node.endpoint).cloned();
        name.or_else(|| IdentityName::parse(seed.host()).ok()).into_iter().collect()
    };
    Ok(config
        .node_address_map(dialled)
        .node_address_map_for_seeds(true)
        .identity(IdentityPolicy::Custom(Arc::new(identity))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seed(host: &str) -> Seed {
        Seed { host: host.to_owned(), port: 6379, ..Seed::default() }
    }

    fn refusal(settings: &Settings, seeds: &[Seed]) -> String {
        match settings.config(seeds) {
            Err(Unusable::Refused(text)) => text,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_set_is_what_the_client_gets() {
        let settings = Settings {
            user: Some("ada".into()),
            password: Some("secret".into()),
            connection_timeout: Some(Duration::from_secs(30)),
            response_timeout: Some(Duration::from_secs(1)),
            overall_response_timeout: Some(Duration::from_secs(3)),
            is_resp3: Some(true),
            database: Some(2),
            max_in_flight: Some(7),
            read_from: ReadFrom::PreferReplica,
            ..Settings::default()
        };
        let config = settings.config(&[seed("a.test"), seed("b.test")]).expect("usable");
        let set = config.settings();
        assert_eq!(set.seeds(), [Endpoint::new("a.test", 6379), Endpoint::new("b.test", 6379)]);
        assert!(set.tls().is_none() && set.login() == Some("ada") && set.database() == 2);
        assert_eq!(
            (set.node_connect_timeout(), set.connect_timeout()),
            (Duration::from_secs(30), Duration::from_secs(30))
        );
        assert_eq!(
            (set.stall_timeout(), set.command_timeout()),
            (Duration::from_secs(1), Duration::from_secs(3))
        );
        assert_eq!((set.protocol(), set.max_in_flight()), (Protocol::Auto, 7));
        assert_eq!(set.read_from(), &ReadFrom::PreferReplica);
        // As redis-rs: RESP2 unless somebody says otherwise.
        assert_eq!(
            Settings::default().config(&[seed("a.test")]).expect("usable").settings().protocol(),
            Protocol::Resp2
        );
        assert!(!format!("{settings:?}").contains("secret"));
    }

    #[test]
    fn a_connections_own_times_are_the_last_word() {
        let mut settings = Settings::default();
        settings.changes.push(Arc::new(|config| config.command_timeout(Duration::from_secs(60))));
        settings.replace_times(Some(Duration::from_secs(2)), None);
        let of = |settings: &Settings| {
            let config = settings.config(&[seed("a.test")]).expect("usable");
            (config.settings().node_connect_timeout(), config.settings().command_timeout())
        };
        assert_eq!(of(&settings), (Duration::from_secs(2), Duration::from_secs(60)));
        settings.replace_times(None, Some(Duration::from_secs(1)));
        assert_eq!(of(&settings), (Duration::from_secs(2), Duration::from_secs(1)));
    }

    #[test]
    fn tls_is_what_the_nodes_or_the_options_say() {
        let tls = |host| Seed { is_tls: true, ..seed(host) };
        let config = Settings::default().config(&[tls("a.test")]).expect("usable");
        assert!(config.settings().tls().is_some_and(Tls::is_default));
        let wanted = Settings { is_tls: Some(true), ..Settings::default() };
        assert!(wanted.config(&[seed("a.test")]).expect("usable").settings().tls().is_some());
        let lax = Settings { is_tls: Some(true), accepts_invalid_hostnames: true, ..Settings::default() };
        assert!(
            lax.config(&[seed("a.test")]).expect("usable").settings().tls().is_some_and(Tls::is_weakened)
        );
        assert!(
            refusal(&Settings::default(), &[tls("a.test"), seed("b.test")])
                .starts_with("tls: the nodes' URLs")
        );
        let broken = Settings { root_cert: Some(b"no certificate".to_vec()), ..wanted };
        assert!(matches!(broken.config(&[seed("a.test")]), Err(Unusable::Config(_))));
    }

    #[test]
    fn refusals_are_by_name_and_all_at_once() {
        let mut settings = Settings::default();
        settings.refuse("retries", "leave it out");
        settings.refuse("push_sender", "leave it out, too");
        let mut node = seed("a.test");
        node.refused.push(("#insecure", "no"));
        let text = refusal(&settings, &[node, seed("b.test")]);
        assert_eq!(text, "retries: leave it out; push_sender: leave it out, too; #insecure: no");
        assert_eq!(refusal(&Settings::default(), &[]), "no node is given");
        let other = Seed { password: Some("x".into()), ..seed("b.test") };
        assert_eq!(
            refusal(&Settings::default(), &[seed("a.test"), other]),
            "password: the nodes' URLs differ"
        );
        let no_database = Settings { database: Some(-1), ..Settings::default() };
        assert_eq!(refusal(&no_database, &[seed("a.test")]), "database_id: there is no database -1");
    }

    #[test]
    fn a_mapped_node_proves_the_name_that_it_is_dialled_by() {
        let map = HashMap::from([(Endpoint::new("10.0.0.4", 8501), Endpoint::new("node-1.test", 6380))]);
        let settings = Settings { address_map: Some(map), ..Settings::default() };
        let config = settings.config(&[seed("seed.test")]).expect("usable");
        let Some(IdentityPolicy::Custom(policy)) = config.settings().identity() else { panic!("no policy") };
        let names = |host, port| {
            let node = AnnouncedNode::new(Endpoint::new(host, port), truename::topology::Role::Primary);
            policy(&node, &Endpoint::new("seed.test", 6379))
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
        };
        assert_eq!(names("10.0.0.4", 8501), ["node-1.test"]);
        assert_eq!(names("10.0.0.5", 8501), ["seed.test"]);
    }
}
