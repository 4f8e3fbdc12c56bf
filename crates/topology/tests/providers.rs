//! For every provider: what is dialled, which SNI is sent, and which names are acceptable.

mod common;

use common::endpoint;
use truename_topology::{AnnouncedNode, Boundary, NodePlan, Profile, Role, Scope};

const AMR: &str = "my.westeurope.redis.azure.net:10000";
const ACRE: &str = "my.westus3.redisenterprise.cache.azure.net:10000";
const EC: &str = "clustercfg.my.ozh0ii.euc1.cache.amazonaws.com:6379";
const EC_INFIX: &str = "my.ozh0ii.clustercfg.euc1.cache.amazonaws.com:6379";
const SERVERLESS: &str = "my-abc123.serverless.use1.cache.amazonaws.com:6379";
const MEMORYDB: &str = "clustercfg.my.abc123.memorydb.us-east-1.amazonaws.com:6379";
const CLOUD: &str = "redis-12000.c1.us-east-1-2.ec2.cloud.rlrcp.com:12000";
const SOFTWARE: &str = "redis-12000.cluster.example.net:12000";
const OCI: &str = "amaaaa-p.redis.us-ashburn-1.oci.oraclecloud.com:6379";
const ALIBABA: &str = "r-bp1abc.redis.rds.aliyuncs.com:6379";
const K8S: &str = "redis.cache.svc.cluster.local:6379";

/// One node as a provider's cluster announces it, and the plan it must get.
struct Row {
    profile: &'static str,
    /// Rules of the user, which come before those of the profile.
    rules: &'static [&'static str],
    seed: &'static str,
    announced: &'static str,
    hostname: &'static str,
    /// What users of the provider have: public authorities, or a private one, or plaintext.
    boundary: Boundary,
    dial: &'static str,
    sni: Option<&'static str>,
    names: &'static [&'static str],
}

const fn row(profile: &'static str, seed: &'static str, announced: &'static str) -> Row {
    let boundary = Boundary::Scope;
    Row { profile, rules: &[], seed, announced, hostname: "", boundary, dial: "", sni: None, names: &[] }
}

/// The same for a provider whose certificates a private authority signs, or without TLS.
const fn private(profile: &'static str, seed: &'static str, announced: &'static str) -> Row {
    Row { boundary: Boundary::Lifted, ..row(profile, seed, announced) }
}

const ROWS: &[Row] = &[
    Row {
        dial: "my.westeurope.redis.azure.net:8501",
        sni: Some("my.westeurope.redis.azure.net"),
        names: &["my.westeurope.redis.azure.net (seed)"],
        ..row("azure-managed", AMR, "10.0.0.4:8501")
    },
    Row {
        dial: "my.westus3.redisenterprise.cache.azure.net:8502",
        sni: Some("my.westus3.redisenterprise.cache.azure.net"),
        names: &["my.westus3.redisenterprise.cache.azure.net (seed)"],
        ..row("azure-enterprise", ACRE, "10.0.0.4:8502")
    },
    Row {
        dial: "my.redis.cache.windows.net:15001",
        sni: Some("my.redis.cache.windows.net"),
        names: &["my.redis.cache.windows.net (seed)"],
        ..row("azure-premium", "my.redis.cache.windows.net:6380", "52.1.2.3:15001")
    },
    // A tunnel to a private endpoint: the user's rule comes before the profile's.
    Row {
        rules: &["ip:8500-8599=127.0.0.1:+10000"],
        dial: "127.0.0.1:18501",
        sni: Some("my.westeurope.redis.azure.net"),
        names: &["my.westeurope.redis.azure.net (seed)"],
        ..row("azure-managed", AMR, "10.0.0.4:8501")
    },
    // With encryption in transit: names.
    Row {
        dial: "my-0001-001.my.ozh0ii.euc1.cache.amazonaws.com:6379, else clustercfg.my.ozh0ii.euc1.cache.amazonaws.com:6379",
        sni: Some("my-0001-001.my.ozh0ii.euc1.cache.amazonaws.com"),
        names: &[
            "my-0001-001.my.ozh0ii.euc1.cache.amazonaws.com (announced address)",
            "clustercfg.my.ozh0ii.euc1.cache.amazonaws.com (seed)",
        ],
        ..row("elasticache", EC, "my-0001-001.my.ozh0ii.euc1.cache.amazonaws.com:6379")
    },
    // The form of endpoint with `clustercfg` inside: nodes do not lie under the seed's parent.
    Row {
        dial: "my-0001-001.ozh0ii.0001.euc1.cache.amazonaws.com:6379, else my.ozh0ii.clustercfg.euc1.cache.amazonaws.com:6379",
        sni: Some("my-0001-001.ozh0ii.0001.euc1.cache.amazonaws.com"),
        names: &[
            "my-0001-001.ozh0ii.0001.euc1.cache.amazonaws.com (announced address)",
            "my.ozh0ii.clustercfg.euc1.cache.amazonaws.com (seed)",
        ],
        ..row("elasticache", EC_INFIX, "my-0001-001.ozh0ii.0001.euc1.cache.amazonaws.com:6379")
    },
    // The same from outside of the VPC, through a tunnel.
    Row {
        rules: &["*.cache.amazonaws.com=127.0.0.1"],
        dial: "127.0.0.1:6379",
        sni: Some("my-0001-001.my.ozh0ii.euc1.cache.amazonaws.com"),
        names: &[
            "my-0001-001.my.ozh0ii.euc1.cache.amazonaws.com (announced address)",
            "clustercfg.my.ozh0ii.euc1.cache.amazonaws.com (seed)",
        ],
        ..row("elasticache", EC, "my-0001-001.my.ozh0ii.euc1.cache.amazonaws.com:6379")
    },
    // Without it: IP addresses, reached as announced.
    Row {
        dial: "172.31.0.9:6379, else clustercfg.my.ozh0ii.euc1.cache.amazonaws.com:6379",
        sni: Some("clustercfg.my.ozh0ii.euc1.cache.amazonaws.com"),
        names: &["172.31.0.9 (announced address)", "clustercfg.my.ozh0ii.euc1.cache.amazonaws.com (seed)"],
        ..private("elasticache", EC, "172.31.0.9:6379")
    },
    Row {
        dial: "my-abc123.serverless.use1.cache.amazonaws.com:6380",
        sni: Some("my-abc123.serverless.use1.cache.amazonaws.com"),
        names: &["my-abc123.serverless.use1.cache.amazonaws.com (announced address)"],
        ..row("elasticache-serverless", SERVERLESS, "my-abc123.serverless.use1.cache.amazonaws.com:6380")
    },
    Row {
        dial: "my-0001-001.my.abc123.memorydb.us-east-1.amazonaws.com:6379, \
               else clustercfg.my.abc123.memorydb.us-east-1.amazonaws.com:6379",
        sni: Some("my-0001-001.my.abc123.memorydb.us-east-1.amazonaws.com"),
        names: &[
            "my-0001-001.my.abc123.memorydb.us-east-1.amazonaws.com (announced address)",
            "clustercfg.my.abc123.memorydb.us-east-1.amazonaws.com (seed)",
        ],
        ..row("memorydb", MEMORYDB, "my-0001-001.my.abc123.memorydb.us-east-1.amazonaws.com:6379")
    },
    // No names anywhere, hence no SNI; the certificate has the discovery address.
    Row {
        dial: "10.128.0.12:11000",
        sni: None,
        names: &["10.128.0.12 (announced address)", "10.128.0.9 (seed)"],
        ..private("gcp", "10.128.0.9:6379", "10.128.0.12:11000")
    },
    // Different machines: the announced address and never the seed's host.
    Row {
        dial: "10.8.0.3:12000",
        sni: Some("redis-12000.c1.us-east-1-2.ec2.cloud.rlrcp.com"),
        names: &["redis-12000.c1.us-east-1-2.ec2.cloud.rlrcp.com (seed)"],
        ..row("redis-cloud", CLOUD, "10.8.0.3:12000")
    },
    Row {
        dial: "10.8.0.3:12000",
        sni: Some("redis-12000.cluster.example.net"),
        names: &["10.8.0.3 (announced address)", "redis-12000.cluster.example.net (seed)"],
        ..private("redis-enterprise", SOFTWARE, "10.8.0.3:12000")
    },
    // `oss_cluster_api_preferred_endpoint_type hostname`.
    Row {
        dial: "node2.cluster.example.net:12000",
        sni: Some("node2.cluster.example.net"),
        names: &["node2.cluster.example.net (announced address)", "redis-12000.cluster.example.net (seed)"],
        ..row("redis-enterprise", SOFTWARE, "node2.cluster.example.net:12000")
    },
    Row {
        dial: "amaaaa-1-1.redis.us-ashburn-1.oci.oraclecloud.com:6379, \
               else amaaaa-p.redis.us-ashburn-1.oci.oraclecloud.com:6379",
        sni: Some("amaaaa-1-1.redis.us-ashburn-1.oci.oraclecloud.com"),
        names: &[
            "amaaaa-1-1.redis.us-ashburn-1.oci.oraclecloud.com (announced address)",
            "amaaaa-p.redis.us-ashburn-1.oci.oraclecloud.com (seed)",
        ],
        ..row("oci", OCI, "amaaaa-1-1.redis.us-ashburn-1.oci.oraclecloud.com:6379")
    },
    Row {
        dial: "192.168.1.20:6379, else r-bp1abc.redis.rds.aliyuncs.com:6379",
        sni: Some("r-bp1abc.redis.rds.aliyuncs.com"),
        names: &["192.168.1.20 (announced address)", "r-bp1abc.redis.rds.aliyuncs.com (seed)"],
        ..private("alibaba", ALIBABA, "192.168.1.20:6379")
    },
    Row {
        dial: "10.233.79.29:6379, else redis.cache.svc.cluster.local:6379",
        sni: Some("redis.cache.svc.cluster.local"),
        names: &["10.233.79.29 (announced address)", "redis.cache.svc.cluster.local (seed)"],
        ..private("kubernetes", K8S, "10.233.79.29:6379")
    },
    // A pod that announces its short name, and a host name with it.
    Row {
        rules: &["*.local=announced", "*={host}.redis-headless.cache.svc.cluster.local"],
        hostname: "redis-0.redis-headless.cache.svc.cluster.local",
        dial: "redis-0.redis-headless.cache.svc.cluster.local:6379",
        sni: Some("redis-0"),
        names: &[
            "redis-0 (announced address)",
            "redis-0.redis-headless.cache.svc.cluster.local (announced host name)",
            "redis.cache.svc.cluster.local (seed)",
        ],
        ..private("kubernetes", K8S, "redis-0:6379")
    },
    // Containers with equal published ports need no rule.
    Row {
        dial: "172.18.0.2:7001, else 127.0.0.1:7001",
        sni: None,
        names: &["172.18.0.2 (announced address)", "127.0.0.1 (seed)"],
        ..private("local-nat", "127.0.0.1:7000", "172.18.0.2:7001")
    },
    // Shifted ports need one.
    Row {
        rules: &["172.16.0.0/12=seed:+10000"],
        dial: "localhost:17001",
        sni: Some("localhost"),
        names: &["172.18.0.2 (announced address)", "localhost (seed)"],
        ..private("local-nat", "localhost:17000", "172.18.0.2:7001")
    },
    // unknown-endpoint: the parsers have put the host that answered in its place.
    Row {
        hostname: "node-1.example.net",
        dial: "cluster.example.net:8502",
        sni: Some("cluster.example.net"),
        names: &["cluster.example.net (announced address)", "node-1.example.net (announced host name)"],
        ..row("", "cluster.example.net:6379", "cluster.example.net:8502")
    },
    // One certificate per node, and addresses announced with the names.
    Row {
        hostname: "node-1.example.net",
        dial: "10.0.0.5:6379, else cluster.example.net:6379",
        sni: Some("node-1.example.net"),
        names: &["node-1.example.net (announced host name)", "cluster.example.net (seed)"],
        ..row("", "cluster.example.net:6379", "10.0.0.5:6379")
    },
    // Out of scope: names that anybody can have a certificate for. What is left is the seed's host, or nothing.
    Row {
        dial: "my.westeurope.redis.azure.net:8501",
        sni: Some("my.westeurope.redis.azure.net"),
        names: &["my.westeurope.redis.azure.net (seed)"],
        ..row("azure-managed", AMR, "evil.westeurope.redis.azure.net:8501")
    },
    Row {
        dial: "my-abc123.serverless.use1.cache.amazonaws.com:6379",
        sni: Some("my-abc123.serverless.use1.cache.amazonaws.com"),
        names: &["my-abc123.serverless.use1.cache.amazonaws.com (seed)"],
        ..row("elasticache-serverless", SERVERLESS, "evil-abc123.serverless.use1.cache.amazonaws.com:6379")
    },
    // In China, where other customers' endpoints were in scope: the seed passed for that of a node-based cluster.
    Row {
        dial: "my-abc123.serverless.cnn1.cache.amazonaws.com.cn:6379",
        sni: Some("my-abc123.serverless.cnn1.cache.amazonaws.com.cn"),
        names: &["my-abc123.serverless.cnn1.cache.amazonaws.com.cn (seed)"],
        ..row(
            "elasticache-serverless",
            "my-abc123.serverless.cnn1.cache.amazonaws.com.cn:6379",
            "evil-abc123.serverless.cnn1.cache.amazonaws.com.cn:6379",
        )
    },
    Row {
        dial: "clustercfg.my.ozh0ii.euc1.cache.amazonaws.com:6379",
        sni: Some("clustercfg.my.ozh0ii.euc1.cache.amazonaws.com"),
        names: &["clustercfg.my.ozh0ii.euc1.cache.amazonaws.com (seed)"],
        ..row("elasticache", EC, "evil-0001-001.evil.abc123.euc1.cache.amazonaws.com:6379")
    },
    Row {
        dial: "amaaaa-p.redis.us-ashburn-1.oci.oraclecloud.com:6379",
        sni: Some("amaaaa-p.redis.us-ashburn-1.oci.oraclecloud.com"),
        names: &["amaaaa-p.redis.us-ashburn-1.oci.oraclecloud.com (seed)"],
        ..row("oci", OCI, "evil-1-1.redis.us-ashburn-1.oci.oraclecloud.com:6379")
    },
    Row {
        rules: &["*.local=announced", "*={host}.redis-headless.cache.svc.cluster.local"],
        dial: "redis-0.redis-headless.cache.svc.cluster.local:6379",
        sni: Some("redis.cache.svc.cluster.local"),
        names: &["redis.cache.svc.cluster.local (seed)"],
        ..row("kubernetes", K8S, "redis-0:6379")
    },
    // Metadata out of scope is ignored.
    Row {
        hostname: "evil.attacker.example",
        dial: "node-1.example.net:6379, else cluster.example.net:6379",
        sni: Some("node-1.example.net"),
        names: &["node-1.example.net (announced address)", "cluster.example.net (seed)"],
        ..row("", "cluster.example.net:6379", "node-1.example.net:6379")
    },
];

fn names(plan: &NodePlan) -> Vec<String> {
    plan.identities.iter().map(ToString::to_string).collect()
}

fn announced(address: &str, hostname: &str) -> AnnouncedNode {
    AnnouncedNode::new(endpoint(address), Role::Primary).with_hostname(hostname)
}

#[test]
fn every_provider() {
    for row in ROWS {
        let own = row.rules.iter().map(|rule| rule.parse().unwrap());
        let profile = Profile::named(row.profile);
        let policy = profile.map(Profile::policy).unwrap_or_default().with_rules(own);
        let seed = endpoint(row.seed);
        let policy = policy.with_scope(Scope::new().with_seed(seed.host(), profile));
        let plan = policy.plan_node(&announced(row.announced, row.hostname), &seed, row.boundary).unwrap();
        let context = format!("{} {}", row.profile, row.announced);
        assert_eq!(plan.dial.to_string(), row.dial, "{context}");
        assert_eq!(plan.sni.as_deref(), row.sni, "{context}");
        assert_eq!(names(&plan), row.names, "{context}");
    }
}

#[test]
fn every_profile_has_a_row_and_its_seed_is_detected() {
    for profile in Profile::all() {
        let mut rows = ROWS.iter().filter(|row| row.profile == profile.name).peekable();
        assert!(rows.peek().is_some(), "{} has no row", profile.name);
        for row in rows.filter(|_| !profile.seed_suffixes.is_empty()) {
            let detected = Profile::detect(endpoint(row.seed).host());
            assert_eq!(detected.map(|found| found.name), Some(profile.name), "{}", row.seed);
        }
    }
}

#[test]
fn seeds_are_dialled_as_configured_and_prove_their_configured_host() {
    for row in ROWS {
        let policy = Profile::named(row.profile).map(Profile::policy).unwrap_or_default();
        let seed = endpoint(row.seed);
        let plan = policy.plan_seed(&seed, Boundary::Scope).unwrap();
        assert_eq!(
            (plan.dial.first().to_string(), plan.dial.fallback()),
            (row.seed.to_owned(), None),
            "{}",
            row.profile
        );
        assert_eq!(names(&plan), [format!("{} (seed)", seed.host())], "{}", row.profile);
        let sni = seed.ip().is_none().then_some(seed.host());
        assert_eq!(plan.sni.as_deref(), sni, "{}", row.profile);
    }
}
