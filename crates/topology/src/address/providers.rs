//! The table of [`Profile`]s.
//!
//! Facts are from the providers' documentation and from reports of their users; whatever is only
//! inferred from those says so in a comment beside it. Nothing here was observed in an account of ours.

use super::{DialRule, DialTo, HostMatch, IdentityPolicy, PortRule, Profile, ProfileTraits};

/// IP addresses are reached through the seed's host, each on its announced port.
const IP_AT_SEED: DialRule = DialRule::new(HostMatch::Ip, DialTo::SeedHost { port: PortRule::Keep });

/// Nodes are different machines: the announced address, and never the seed's host in its place.
const AS_ANNOUNCED: DialRule = DialRule::new(HostMatch::Any, DialTo::Announced);

/// An open-source server, as far as is known.
const OPEN_SOURCE: ProfileTraits = ProfileTraits {
    rejects_cluster_myid: false,
    rejects_readonly: false,
    rejects_asking: false,
    rejects_cluster_shards: false,
    resp3: false,
    private_ca: false,
};

/// Redis Enterprise with the OSS Cluster API: of `CLUSTER` only HELP, INFO, KEYSLOT, NODES, SHARDS and SLOTS
/// (Redis documentation, "Cluster management commands" of Redis Software).
const REDIS_ENTERPRISE: ProfileTraits =
    ProfileTraits { rejects_cluster_myid: true, rejects_readonly: true, rejects_asking: true, ..OPEN_SOURCE };

/// The nodes of `my.abc123.clustercfg.use1.cache.amazonaws.com` are `my-0001-001.abc123.0001.use1.cache.amazonaws.com`
/// and so on (AWS documentation, "Finding connection endpoints"), and each of them can be a seed. In the other form of
/// endpoint, which begins with `clustercfg.`, nodes lie under the seed's parent.
fn elasticache_infix(seed: &str) -> Option<String> {
    let mut labels = seed.splitn(4, '.');
    let (first, hash, infix, rest) = (labels.next()?, labels.next()?, labels.next()?, labels.next()?);
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let cluster = if infix == "clustercfg" {
        first
    } else if is_number(infix) {
        let (rest, node) = first.rsplit_once('-')?;
        let (cluster, shard) = rest.rsplit_once('-')?;
        (is_number(node) && is_number(shard)).then_some(cluster)?
    } else {
        return None;
    };
    (!cluster.is_empty()).then(|| format!("{cluster}-#-#.{hash}.#.{rest}"))
}

/// Nodes are `ID-SHARD-NODE.redis.REGION.oci.oraclecloud.com` (OCI documentation, "Getting an OCI Cache Sharded
/// Cluster's Connection Details"), and each of them can be a seed. Inference: other endpoints of a cluster, such as
/// `ID-p`, begin with the same ID.
fn oci_nodes(seed: &str) -> Option<String> {
    let (first, rest) = seed.split_once('.')?;
    let id = first.split('-').next().filter(|id| !id.is_empty())?;
    rest.starts_with("redis.").then(|| format!("{id}-#-#.{rest}"))
}

pub(super) static PROFILES: [Profile; 13] = [
    Profile {
        name: "azure-managed",
        title: "Azure Managed Redis",
        seed_suffixes: &[
            ".redis.azure.net",
            ".redis.chinacloudapi.cn",
            ".redis.usgovcloudapi.net",
            ".redis.sovcloud-api.de",
            ".redis.sovcloud-api.fr",
        ],
        default_seed_port: Some(10_000),
        tls_default: true,
        // Inference: nodes share one address and differ in their ports, which change at run time.
        dial: &[IP_AT_SEED],
        identity: IdentityPolicy::AnyOf,
        traits: ProfileTraits { resp3: true, ..REDIS_ENTERPRISE },
        hints: &[
            "Nodes announce an IP address and ports 85xx, which change over time: open all of 8500-8599, and 10000.",
            "The certificate carries DNS names only, so every node is verified by the seed's name.",
            "With the Enterprise cluster policy, CLUSTER commands are blocked: connect to it as you would to a single server.",
            "Connect by the public name; a name with `privatelink` in it is not in the certificate.",
        ],
        // The certificate is the region's: every customer's cache proves every name there.
        narrows_scope: true,
        siblings: None,
    },
    Profile {
        name: "azure-enterprise",
        title: "Azure Cache for Redis Enterprise",
        seed_suffixes: &[".redisenterprise.cache.azure.net"],
        default_seed_port: Some(10_000),
        tls_default: true,
        // Announced is the private endpoint's address (reported); that all nodes share it is inference.
        dial: &[IP_AT_SEED],
        identity: IdentityPolicy::AnyOf,
        traits: REDIS_ENTERPRISE,
        hints: &[
            "Nodes announce the private endpoint's IP address and ports 85xx: open all of 8500-8599, and 10000.",
            "The certificate carries DNS names only, so every node is verified by the seed's name.",
            "With the Enterprise cluster policy, CLUSTER commands are blocked: connect to it as you would to a single server.",
        ],
        // As for azure-managed.
        narrows_scope: true,
        siblings: None,
    },
    Profile {
        name: "azure-premium",
        title: "Azure Cache for Redis, Premium tier",
        seed_suffixes: &[
            ".redis.cache.windows.net",
            ".redis.cache.chinacloudapi.cn",
            ".redis.cache.usgovcloudapi.net",
            ".redis.cache.sovcloud-api.de",
            ".redis.cache.sovcloud-api.fr",
        ],
        default_seed_port: Some(6380),
        tls_default: true,
        dial: &[IP_AT_SEED],
        identity: IdentityPolicy::AnyOf,
        // Redis 6: no CLUSTER SHARDS.
        traits: ProfileTraits { rejects_cluster_shards: true, ..OPEN_SOURCE },
        hints: &[
            "Nodes share the seed's IP address, on ports 15000 and up with TLS and 13000 and up without.",
            "The certificate is for *.redis.cache.windows.net, so every node is verified by the seed's name.",
        ],
        // One certificate for every customer's cache.
        narrows_scope: true,
        siblings: None,
    },
    Profile {
        name: "elasticache",
        title: "Amazon ElastiCache, node-based cluster",
        seed_suffixes: &[
            ".cache.amazonaws.com",
            // General knowledge, without a source at hand.
            ".cache.amazonaws.com.cn",
        ],
        default_seed_port: Some(6379),
        // An option of the cluster that its name does not show; so the safe side is assumed.
        tls_default: true,
        dial: &[],
        identity: IdentityPolicy::AnyOf,
        traits: OPEN_SOURCE,
        hints: &[
            "With encryption in transit, nodes announce host names; without it, IP addresses.",
            "From outside the VPC, a tunnel needs a rule, such as `*.cache.amazonaws.com=127.0.0.1`.",
            "Turning encryption on gives the cluster a new endpoint name, and the old one disappears.",
        ],
        narrows_scope: false,
        siblings: Some(elasticache_infix),
    },
    Profile {
        name: "elasticache-serverless",
        title: "Amazon ElastiCache Serverless",
        seed_suffixes: &[
            ".serverless.*.cache.amazonaws.com",
            // As for node-based clusters.
            ".serverless.*.cache.amazonaws.com.cn",
        ],
        default_seed_port: Some(6379),
        tls_default: true,
        dial: &[],
        // Inference: the certificate carries the endpoint's own name.
        identity: IdentityPolicy::AnyOf,
        traits: OPEN_SOURCE,
        hints: &["One host name for everything: port 6379 is the primary, port 6380 the replica."],
        // Every customer's endpoint lies under the same parent; all nodes have the seed's own name.
        narrows_scope: true,
        siblings: None,
    },
    Profile {
        name: "memorydb",
        title: "Amazon MemoryDB",
        seed_suffixes: &[".memorydb.*.amazonaws.com", ".memorydb.*.amazonaws.com.cn"],
        default_seed_port: Some(6379),
        tls_default: true,
        // Inference: nodes announce host names under the cluster's wildcard certificate.
        dial: &[],
        identity: IdentityPolicy::AnyOf,
        traits: OPEN_SOURCE,
        hints: &["Clusters are reached from within their VPC; from outside, a tunnel and a rule are needed."],
        narrows_scope: false,
        siblings: None,
    },
    Profile {
        name: "gcp",
        title: "Google Memorystore for Redis Cluster and for Valkey",
        // The seed is a private IP address, which gives nobody away.
        seed_suffixes: &[],
        default_seed_port: Some(6379),
        // TLS is chosen at creation and is off unless chosen.
        tls_default: false,
        // Inference: nodes announce the data endpoint's address with ports from 11000 to 13047, and every
        // node's certificate carries the discovery endpoint's IP address; hence announced IP or seed IP.
        dial: &[AS_ANNOUNCED],
        identity: IdentityPolicy::AnyOf,
        traits: ProfileTraits { private_ca: true, ..OPEN_SOURCE },
        hints: &[
            "Open ports 11000-13047 as well as the seed's 6379.",
            "The certificates are signed by a private authority: supply its bundle; the system's roots never suffice.",
        ],
        narrows_scope: false,
        siblings: None,
    },
    Profile {
        name: "redis-cloud",
        title: "Redis Cloud",
        seed_suffixes: &[".redislabs.com", ".rlrcp.com", ".redis-cloud.com", ".db.redis.io"],
        // Every database has a port of its own, from 10000 to 19999.
        default_seed_port: None,
        tls_default: false,
        // Inference. The fallback to the seed's host would reach another machine with the same
        // certificate, and CLUSTER MYID, which could settle it, is rejected.
        dial: &[AS_ANNOUNCED],
        identity: IdentityPolicy::AnyOf,
        traits: REDIS_ENTERPRISE,
        hints: &[
            "The announced addresses are either internal or external, a setting of the database: if they cannot be \
             reached, the other one is needed.",
            "The authority's file redis_ca.pem holds several certificates, and all of them are needed.",
            "The certificates are for names of Redis Cloud, not for those of a private link.",
        ],
        // Databases of several customers share a cluster, and `db.redis.io` is everybody's.
        narrows_scope: true,
        siblings: None,
    },
    Profile {
        name: "redis-enterprise",
        title: "Redis Enterprise Software with the OSS Cluster API",
        seed_suffixes: &[],
        default_seed_port: None,
        tls_default: false,
        // Inference, as for redis-cloud.
        dial: &[AS_ANNOUNCED],
        identity: IdentityPolicy::AnyOf,
        traits: REDIS_ENTERPRISE,
        hints: &[
            "Nodes announce internal IP addresses; `oss_cluster_api_preferred_ip_type external` changes that, and \
             `oss_cluster_api_preferred_endpoint_type hostname` makes them announce names.",
            "The default certificate is self-signed.",
        ],
        narrows_scope: false,
        siblings: None,
    },
    Profile {
        name: "oci",
        title: "OCI Cache",
        seed_suffixes: &[".redis.*.oci.oraclecloud.com"],
        default_seed_port: Some(6379),
        tls_default: true,
        // Partly inference: nodes announce the host names that the documentation tells clients to use.
        dial: &[],
        identity: IdentityPolicy::AnyOf,
        traits: OPEN_SOURCE,
        hints: &["Nodes announce host names; do not connect by IP address."],
        // Every customer's nodes of a region lie under the same parent.
        narrows_scope: true,
        siblings: Some(oci_nodes),
    },
    Profile {
        name: "alibaba",
        title: "Alibaba Cloud Tair (Redis), direct connection",
        seed_suffixes: &[".redis.rds.aliyuncs.com"],
        default_seed_port: Some(6379),
        tls_default: false,
        // Inference: nodes announce addresses of the VPC. Which names the certificates carry is unknown.
        dial: &[],
        identity: IdentityPolicy::AnyOf,
        traits: ProfileTraits { private_ca: true, ..OPEN_SOURCE },
        hints: &[
            "In proxy mode the instance is not a cluster: connect to it as you would to a single server.",
            "The authority is private: supply ApsaraDB-CA-Chain.pem.",
        ],
        // Every customer's instance lies under the same parent.
        narrows_scope: true,
        siblings: None,
    },
    Profile {
        name: "kubernetes",
        title: "A cluster inside Kubernetes",
        seed_suffixes: &[".svc.cluster.local"],
        default_seed_port: Some(6379),
        tls_default: false,
        dial: &[],
        identity: IdentityPolicy::AnyOf,
        traits: ProfileTraits { private_ca: true, ..OPEN_SOURCE },
        hints: &[
            "Pods that announce their short name need a template, such as \
             `*={host}.<headless service>.<namespace>.svc.cluster.local`.",
            "Pods that announce IP addresses are verified by the seed's name if the certificate carries it; \
             `cluster-announce-hostname` with `cluster-preferred-endpoint-type hostname` is the fix on the server side.",
        ],
        narrows_scope: false,
        siblings: None,
    },
    Profile {
        name: "local-nat",
        title: "A local cluster, behind container ports, NAT or a tunnel",
        seed_suffixes: &["127.0.0.1", "::1", "localhost"],
        default_seed_port: Some(6379),
        tls_default: false,
        // Equal ports need no rule: the seed's host is tried as well as the announced address.
        dial: &[],
        identity: IdentityPolicy::AnyOf,
        traits: OPEN_SOURCE,
        hints: &[
            "Where ports differ too, a rule for the announced network is needed, such as \
             `172.16.0.0/12=seed:+10000`, or one rule for each node.",
            "`cluster-announce-ip` and `cluster-announce-port` are the fix on the server side.",
        ],
        narrows_scope: false,
        siblings: None,
    },
];
