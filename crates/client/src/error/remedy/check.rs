//! [`Check`]: what to look at, to change or to wait for outside of the configuration.

/// Something outside of the configuration that would fix a failure, or show what does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Check {
    /// The configured address, the firewall, and whether the server runs.
    SeedAddress,
    /// The configured address, and a firewall that drops packets.
    Firewall,
    /// The node, or what leads to it: the cluster's other nodes answer.
    NodeOrItsRule,
    /// The ports that are left on this machine.
    LocalPorts,
    /// Whether the port speaks TLS.
    TlsServer,
    /// The server's load.
    Server,
    /// What listens on the port.
    Port,
    /// Whether a server listens there and has room.
    RoomForClients,
    /// The server's limit of connections.
    Maxclients,
    /// Other attempts of this client.
    OtherDials,
    /// This machine's clock.
    Clock,
    /// The server's certificate, which has expired.
    Renewal,
    /// The server's certificate, which was revoked.
    Revocation,
    /// The client certificate.
    ClientCertificate,
    /// The commands that the user may run.
    Permissions,
    /// The commands that a scan sends.
    ScanPermissions,
    /// What hands over connections that are not as a server makes them.
    ResetConnections,
    /// Whether the user may ask for the node's id.
    NodeIdPermission,
    /// The names that the nodes announce.
    AnnouncedNames,
}

impl Check {
    pub(super) fn text(self) -> &'static str {
        match self {
            Self::SeedAddress => "check host and port, the firewall, and that the server is running",
            Self::Firewall => "check host and port: a firewall that drops packets looks like this",
            Self::NodeOrItsRule => {
                "other nodes answer, so this one is down, or the rule, tunnel or port mapping that leads to it is wrong: \
                 check these, that the node is running, and the firewall"
            }
            Self::LocalPorts => {
                "this machine has no port left to dial from: close connections that are not needed, or widen \
                 net.ipv4.ip_local_port_range"
            }
            Self::TlsServer => {
                "the port accepts connections and does not answer TLS: check that it is the TLS port of a server that is \
                 not frozen"
            }
            Self::Server => {
                "the server accepts connections and does not answer: check that it is not frozen or overloaded"
            }
            Self::Port => "check the port: something other than Redis or Valkey listens there",
            Self::RoomForClients => {
                "check that a Redis or Valkey server listens there, that it has room for another client (without any, it \
                 closes TLS connections unread: maxclients), and that no proxy on the way closes the connection"
            }
            Self::Maxclients => "raise maxclients on the server, or close connections that are not needed",
            Self::OtherDials => "try again later: attempts to connect to silent nodes are using up the limit",
            Self::Clock => "check this machine's clock",
            Self::Renewal => "renew the server's certificate",
            Self::Revocation => {
                "the CA revoked the certificate: find out why and install a new one on the server"
            }
            Self::ClientCertificate => {
                "check that the client certificate is signed by an authority that the server trusts, is valid now, and \
                 allows client authentication"
            }
            Self::Permissions => {
                "allow the user what a client sends on its connections: ACL SETUSER NAME +hello +client|setinfo \
                 +client|setname +client|info +cluster|slots +cluster|myid +ping +readonly +asking, without \
                 +client|setinfo before 7.2 and with +select where a database is configured; allow +cluster|nodes \
                 +command|info +client|list +client|unblock +client|kill +readwrite too, which it sends where needed, \
                 and +watch +unwatch +multi +exec for transactions"
            }
            Self::ScanPermissions => {
                "allow the user what a scan sends: ACL SETUSER NAME +info +cluster|nodes, and +scan for the keys of a cluster \
                 or +hscan +sscan +zscan for those of a value"
            }
            Self::ResetConnections => {
                "a proxy on the way does not pass SELECT on, or hands over connections that others used before: dial the \
                 servers themselves, or have the proxy reset every connection"
            }
            Self::NodeIdPermission => {
                "allow the user to ask for the node's id (ACL SETUSER NAME +cluster|myid)"
            }
            Self::AnnouncedNames => {
                "give every node a `cluster-announce-hostname`, or set `cluster-preferred-endpoint-type ip`"
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;

    use super::*;

    /// Commands whose rights are given by subcommand.
    const CONTAINERS: [&str; 3] = ["CLIENT", "CLUSTER", "COMMAND"];
    /// What every user may send.
    const LOGIN: &str = "+auth";

    /// The advice named `CLUSTER SHARDS`, which is never sent, and left out six commands that are.
    #[test]
    fn the_permissions_are_for_what_is_sent() {
        let mut sent = BTreeSet::new();
        collect(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut sent);
        assert!(sent.remove(LOGIN), "{sent:?}");
        let words = Check::Permissions.text().split([' ', ',', ';']);
        let advised: BTreeSet<String> =
            words.filter(|word| word.starts_with('+')).map(str::to_owned).collect();
        assert_eq!(advised, sent);
    }

    /// The rights for the commands of a folder's sources: byte strings at the head of a list, or encoded ones.
    fn collect(folder: &Path, sent: &mut BTreeSet<String>) {
        for entry in fs::read_dir(folder).expect("our sources") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                collect(&path, sent);
                continue;
            }
            let text = fs::read_to_string(&path).expect("our source");
            let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
            // An example is what somebody else sends.
            let is_code = |line: &&str| !line.trim_start().starts_with("//");
            let code = code.split_inclusive('\n').filter(is_code).collect::<String>();
            if path.to_string_lossy().ends_with("tests.rs") {
                continue;
            }
            let lists = code.split("[b\"").skip(1).filter_map(|list| {
                let (name, rest) = list.split_once('"')?;
                let next = rest.strip_prefix(", b\"").and_then(|rest| rest.split('"').next());
                Some((name, next.filter(|_| CONTAINERS.contains(&name))))
            });
            let encoded = code.split("b\"*1\\r\\n$").skip(1).filter_map(|text| {
                let name = text.split("\\r\\n").nth(1)?;
                Some((name, None))
            });
            let is_name = |(name, _): &(&str, _)| name.bytes().all(|byte| byte.is_ascii_uppercase());
            for (name, next) in lists.chain(encoded).filter(is_name) {
                let words = [Some(name), next].into_iter().flatten();
                sent.insert(format!("+{}", words.collect::<Vec<_>>().join("|").to_ascii_lowercase()));
            }
        }
    }
}
