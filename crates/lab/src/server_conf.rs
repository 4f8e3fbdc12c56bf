//! The configuration file of one server. It holds the password, so that no command line does; its mode is 0600.

use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::config::LabConfig;
use crate::nodes_conf::BUS_OFFSET;
use crate::plan::NodePlan;
use crate::user::{OPERATOR, User};

/// What Redis Enterprise does not have.
const NOT_IN_ENTERPRISE: [&str; 3] = ["READONLY", "READWRITE", "ASKING"];
/// All that it leaves of `CLUSTER`.
const CLUSTER_IN_ENTERPRISE: &str = "-cluster +cluster|help +cluster|info +cluster|keyslot +cluster|nodes \
                                     +cluster|shards +cluster|slots";

/// Where a server finds its certificates.
#[derive(Debug, Clone)]
pub(crate) struct TlsFiles {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
    /// What the node presents when it is the client: on the bus and to its primary.
    pub(crate) client_certificate: PathBuf,
    pub(crate) client_key: PathBuf,
    pub(crate) trusted: PathBuf,
}

/// The directives of one server; later lines win, so the user's own come last.
pub(crate) fn render(
    config: &LabConfig,
    plan: &NodePlan,
    endpoint_type: &str,
    dir: &Path,
    password: Option<&str>,
    tls: Option<&TlsFiles>,
) -> String {
    let mut file = Directives::default();
    let bound: Vec<_> =
        [Some(plan.address), plan.also_at].into_iter().flatten().map(|ip| ip.to_string()).collect();
    file.raw("bind", bound.join(" "));
    file.quoted("dir", &dir.display().to_string());
    file.raw("protected-mode", "no");
    file.raw("save", r#""""#);
    file.raw("appendonly", "no");
    file.raw("enable-debug-command", "local");
    // The defaults cost four and ten seconds: a full synchronisation waits for more replicas, and clients are not told
    // of a replica whose offset is still 0, which on an idle primary first moves with this ping.
    file.raw("repl-diskless-sync-delay", "0");
    file.raw("repl-ping-replica-period", "1");
    if let Some(password) = password {
        file.quoted("requirepass", password);
        file.quoted("masterauth", password);
        if config.enterprise_commands {
            file.enterprise(password);
        }
    }
    config.users.iter().for_each(|user| file.user(user));
    match tls {
        None => file.raw("port", plan.port),
        Some(files) => file.tls(plan.port, files, config),
    }
    if config.cluster {
        file.cluster(config, plan, endpoint_type);
    }
    let own = config.node_args.get(&plan.index).into_iter().flatten();
    for (directive, value) in config.server_args.iter().chain(own) {
        file.raw(directive, value);
    }
    file.0
}

#[derive(Default)]
struct Directives(String);

impl Directives {
    fn raw(&mut self, directive: &str, value: impl std::fmt::Display) {
        let _ = writeln!(self.0, "{directive} {value}");
    }

    fn quoted(&mut self, directive: &str, value: &str) {
        self.raw(directive, format_args!("\"{}\"", escaped(value)));
    }

    /// A `user` directive replaces what `requirepass` said about the default user.
    fn enterprise(&mut self, password: &str) {
        for command in NOT_IN_ENTERPRISE {
            self.raw("rename-command", format_args!("{command} \"\""));
        }
        let login = escaped(&format!(">{password}"));
        self.raw("user", format_args!("default on \"{login}\" ~* &* +@all {CLUSTER_IN_ENTERPRISE}"));
        self.raw("user", format_args!("{OPERATOR} on \"{login}\" ~* &* +@all"));
    }

    fn user(&mut self, user: &User) {
        let User { name, password, rules } = user;
        let login = password.as_ref().map_or_else(
            || "nopass".to_owned(),
            |password| format!("\"{}\"", escaped(&format!(">{password}"))),
        );
        self.raw("user", format_args!("{name} on {login} {rules}"));
    }

    fn tls(&mut self, port: u16, files: &TlsFiles, config: &LabConfig) {
        self.raw("port", 0);
        self.raw("tls-port", port);
        self.raw("tls-cluster", "yes");
        self.raw("tls-replication", "yes");
        self.raw("tls-auth-clients", if config.require_client_certificate { "yes" } else { "no" });
        self.quoted("tls-cert-file", &files.certificate.display().to_string());
        self.quoted("tls-key-file", &files.key.display().to_string());
        self.quoted("tls-client-cert-file", &files.client_certificate.display().to_string());
        self.quoted("tls-client-key-file", &files.client_key.display().to_string());
        self.quoted("tls-ca-cert-file", &files.trusted.display().to_string());
    }

    fn cluster(&mut self, config: &LabConfig, plan: &NodePlan, endpoint_type: &str) {
        self.raw("cluster-enabled", "yes");
        self.raw("cluster-config-file", "nodes.conf");
        self.raw("cluster-node-timeout", config.node_timeout.as_millis());
        // Replicas stay in their shard whatever happens to the others.
        self.raw("cluster-migration-barrier", 99);
        self.raw("cluster-announce-ip", plan.address);
        self.raw("cluster-preferred-endpoint-type", endpoint_type);
        if let Some(hostname) = &plan.hostname {
            self.raw("cluster-announce-hostname", hostname);
        }
        let (_, announced) = plan.announced;
        if announced != plan.port {
            let directive = if config.tls { "cluster-announce-tls-port" } else { "cluster-announce-port" };
            self.raw(directive, announced);
            self.raw("cluster-announce-bus-port", plan.port + BUS_OFFSET);
        }
    }
}

fn escaped(value: &str) -> String {
    value.replace('\\', r"\\").replace('"', r#"\""#)
}

/// Writes a file that only its owner can read.
pub(crate) fn write_private(path: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Site;
    use crate::{Announce, Lab, LabProfile};

    fn rendered(config: &LabConfig, password: Option<&str>) -> String {
        let site = Site::new(config).unwrap();
        let plan = site.plan(0, &[]).unwrap().swap_remove(0);
        render(config, &plan, site.endpoint_type(), Path::new("/tmp/a b"), password, None)
    }

    #[test]
    fn paths_and_passwords_are_quoted() {
        let file = rendered(&Lab::builder(LabProfile::Plain), Some(r#"a"b\c d"#));
        assert!(file.contains("dir \"/tmp/a b\"\n"), "{file}");
        assert!(file.contains(r#"requirepass "a\"b\\c d""#), "{file}");
    }

    #[test]
    fn the_users_directives_come_last() {
        let file = rendered(&Lab::builder(LabProfile::Plain).server_arg("maxmemory", "10mb"), None);
        assert!(file.ends_with("maxmemory 10mb\n"), "{file}");
        assert!(!file.contains("requirepass"));
    }

    #[test]
    fn a_nodes_own_directives_come_last_and_are_nobody_elses() {
        let config = || Lab::builder(LabProfile::Plain).server_arg("maxmemory", "10mb");
        assert!(
            rendered(&config().node_arg(0, "maxmemory", "20mb"), None).ends_with("10mb\nmaxmemory 20mb\n")
        );
        assert!(rendered(&config().node_arg(1, "maxmemory", "20mb"), None).ends_with("10mb\n"));
    }

    #[test]
    fn users_have_a_password_or_need_none() {
        let config = Lab::builder(LabProfile::Plain)
            .user("app", Some(r#"a"b"#), "~* +@all -watch")
            .user("any", None, "~a* +get");
        let file = rendered(&config, None);
        assert!(file.contains("user app on \">a\\\"b\" ~* +@all -watch\n"), "{file}");
        assert!(file.contains("user any on nopass ~a* +get\n"), "{file}");
    }

    #[test]
    fn another_port_is_announced_and_the_bus_stays() {
        let config = || Lab::builder(LabProfile::Plain).announce(0, Announce::new().port(6379));
        let file = rendered(&config(), None);
        assert!(file.contains("cluster-announce-port 6379\n"), "{file}");
        assert!(file.contains("cluster-announce-bus-port 17"), "{file}");
        assert!(rendered(&config().tls(true), None).contains("cluster-announce-tls-port 6379\n"));
        assert!(!rendered(&Lab::builder(LabProfile::Plain), None).contains("-port 6379"));
    }

    #[test]
    fn a_standalone_server_has_no_cluster_directives() {
        assert!(!rendered(&Lab::builder(LabProfile::Plain).no_cluster(), None).contains("cluster-"));
    }
}
