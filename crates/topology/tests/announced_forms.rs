//! Every way in which servers announce a node, in `CLUSTER SLOTS`, `CLUSTER SHARDS` and `MOVED`, and in both
//! versions of the protocol. All three have to give the same endpoint, or redirects would miss the map.

mod common;

use common::{PROTOS, Proto, array, bulk, int, map};
use truename_resp::Reply;
use truename_topology::view::SkipReason;
use truename_topology::{RedirectError, View, parse_redirect, parse_shards, parse_slots};

const ANSWERED_BY: &str = "seed.example.net";

/// One setting of a server. Measured on Redis 6.2, 7.0, 7.2 and Valkey 8.0.
struct Form {
    setting: &'static str,
    /// Element 0 of a node in `CLUSTER SLOTS`; `None` is NULL.
    host: Option<&'static str>,
    /// Element 3; `None` for servers that send three elements.
    metadata: Option<&'static [(&'static str, &'static str)]>,
    /// `endpoint` in `CLUSTER SHARDS`, where the server knows the command.
    shards_endpoint: Option<&'static str>,
    moved_host: &'static str,
    /// The host of the endpoint; `None` if the node has to be skipped.
    endpoint: Option<&'static str>,
    hostname: Option<&'static str>,
    ip: Option<&'static str>,
}

const FORMS: &[Form] = &[
    Form {
        setting: "6.2",
        host: Some("127.0.10.1"),
        metadata: None,
        shards_endpoint: None,
        moved_host: "127.0.10.1",
        endpoint: Some("127.0.10.1"),
        hostname: None,
        ip: None,
    },
    Form {
        setting: "ip, no host name",
        host: Some("127.0.10.1"),
        metadata: Some(&[]),
        shards_endpoint: Some("127.0.10.1"),
        moved_host: "127.0.10.1",
        endpoint: Some("127.0.10.1"),
        hostname: None,
        ip: None,
    },
    Form {
        setting: "ip, with host name",
        host: Some("127.0.10.1"),
        metadata: Some(&[("hostname", "node-1.example.net")]),
        shards_endpoint: Some("127.0.10.1"),
        moved_host: "127.0.10.1",
        endpoint: Some("127.0.10.1"),
        hostname: Some("node-1.example.net"),
        ip: None,
    },
    Form {
        setting: "hostname",
        host: Some("node-1.example.net"),
        metadata: Some(&[("ip", "127.0.10.1")]),
        shards_endpoint: Some("node-1.example.net"),
        moved_host: "node-1.example.net",
        endpoint: Some("node-1.example.net"),
        hostname: None,
        ip: Some("127.0.10.1"),
    },
    Form {
        setting: "unknown-endpoint",
        host: None,
        metadata: Some(&[("ip", "127.0.10.1"), ("hostname", "node-1.example.net")]),
        shards_endpoint: Some(""),
        moved_host: "",
        endpoint: Some(ANSWERED_BY),
        hostname: Some("node-1.example.net"),
        ip: Some("127.0.10.1"),
    },
    Form {
        setting: "hostname, none announced",
        host: Some("?"),
        metadata: Some(&[("ip", "127.0.10.1")]),
        shards_endpoint: Some("?"),
        moved_host: "?",
        endpoint: None,
        hostname: None,
        ip: None,
    },
    Form {
        setting: "not joined, no address announced",
        host: Some(""),
        metadata: Some(&[]),
        shards_endpoint: Some(""),
        moved_host: "",
        endpoint: Some(ANSWERED_BY),
        hostname: None,
        ip: None,
    },
    Form {
        setting: "unspecified address",
        host: Some("0.0.0.0"),
        metadata: Some(&[]),
        shards_endpoint: Some("0.0.0.0"),
        moved_host: "0.0.0.0",
        endpoint: Some(ANSWERED_BY),
        hostname: None,
        ip: None,
    },
    Form {
        setting: "unspecified IPv6 address",
        host: Some("::"),
        metadata: Some(&[]),
        shards_endpoint: Some("::"),
        moved_host: "::",
        endpoint: Some(ANSWERED_BY),
        hostname: None,
        ip: None,
    },
    Form {
        setting: "a name in cluster-announce-ip",
        host: Some("node-1.example.net"),
        metadata: Some(&[]),
        shards_endpoint: Some("node-1.example.net"),
        moved_host: "node-1.example.net",
        endpoint: Some("node-1.example.net"),
        hostname: None,
        ip: None,
    },
    Form {
        setting: "unknown-endpoint, a name in cluster-announce-ip",
        host: None,
        metadata: Some(&[("ip", "node-1.example.net")]),
        shards_endpoint: Some(""),
        moved_host: "",
        endpoint: Some(ANSWERED_BY),
        hostname: Some("node-1.example.net"),
        ip: None,
    },
    Form {
        setting: "IPv6",
        host: Some("2001:db8::7"),
        metadata: Some(&[("hostname", "")]),
        shards_endpoint: Some("2001:db8::7"),
        moved_host: "2001:db8::7",
        endpoint: Some("2001:db8::7"),
        hostname: None,
        ip: None,
    },
    Form {
        setting: "metadata of the future",
        host: Some("127.0.10.1"),
        metadata: Some(&[("colour", "blue"), ("hostname", "node-1.example.net")]),
        shards_endpoint: Some("127.0.10.1"),
        moved_host: "127.0.10.1",
        endpoint: Some("127.0.10.1"),
        hostname: Some("node-1.example.net"),
        ip: None,
    },
];

fn text_pairs(pairs: &[(&'static str, &'static str)]) -> Vec<(&'static str, Reply)> {
    pairs.iter().map(|&(key, value)| (key, bulk(value))).collect()
}

fn slots_reply(form: &Form, proto: Proto) -> Reply {
    let host = form.host.map_or(Reply::Nil, bulk);
    let mut node = vec![host, int(8501), bulk("id-1")];
    node.extend(form.metadata.map(|pairs| map(proto, text_pairs(pairs))));
    array([array([int(0), int(16383), array(node)])])
}

fn shards_reply(form: &Form, endpoint: &str, proto: Proto) -> Reply {
    let mut node = vec![
        ("id", bulk("id-1")),
        ("port", int(6379)),
        ("tls-port", int(8501)),
        ("endpoint", bulk(endpoint)),
        ("role", bulk("master")),
        ("replication-offset", int(77)),
        ("health", bulk("online")),
    ];
    node.extend(text_pairs(form.metadata.unwrap_or_default()));
    let shard =
        [("slots", array([int(0), int(16383)])), ("nodes", array([map(proto, node)])), ("id", bulk("s"))];
    array([map(proto, shard)])
}

fn check(form: &Form, view: &View, what: &str) {
    let context = format!("{} as {what}", form.setting);
    assert_eq!(view.assigned_slots(), 16384, "{context}");
    let Some(host) = form.endpoint else {
        assert_eq!(view.nodes().count(), 0, "{context}");
        assert_eq!(view.skipped.len(), 1, "{context}");
        assert_eq!(view.skipped[0].why, SkipReason::UnknownEndpoint, "{context}");
        assert_eq!(view.skipped[0].to_string().split(" (id-1): ").next(), Some("?:8501"), "{context}");
        return;
    };
    let node = view.nodes().next().expect("one node is announced");
    assert_eq!((node.endpoint.host(), node.endpoint.port()), (host, 8501), "{context}");
    assert_eq!(node.hostname.as_deref(), form.hostname, "{context}");
    assert_eq!(node.ip.map(|ip| ip.to_string()).as_deref(), form.ip, "{context}");
    assert_eq!(node.id.as_ref().map(|id| id.as_str()), Some("id-1"), "{context}");
}

#[test]
fn slots() {
    for (form, proto) in FORMS.iter().flat_map(|form| PROTOS.map(|proto| (form, proto))) {
        let view = parse_slots(&slots_reply(form, proto), ANSWERED_BY).unwrap();
        check(form, &view, &format!("SLOTS {proto:?}"));
    }
}

#[test]
fn shards() {
    for (form, proto) in FORMS.iter().flat_map(|form| PROTOS.map(|proto| (form, proto))) {
        let Some(endpoint) = form.shards_endpoint else { continue };
        let view = parse_shards(&shards_reply(form, endpoint, proto), ANSWERED_BY, true).unwrap();
        check(form, &view, &format!("SHARDS {proto:?}"));
    }
}

#[test]
fn redirects_name_the_same_endpoint() {
    for form in FORMS {
        let parsed = parse_redirect(&format!("MOVED 3999 {}:8501", form.moved_host), ANSWERED_BY);
        match (form.endpoint, parsed.expect("it is a redirect")) {
            (Some(host), Ok(redirect)) => {
                assert_eq!((redirect.to().host(), redirect.to().port()), (host, 8501), "{}", form.setting);
            }
            (None, Err(RedirectError::UnknownEndpoint { slot })) => assert_eq!(slot.value(), 3999),
            (wanted, got) => panic!("{}: wanted {wanted:?}, got {got:?}", form.setting),
        }
    }
}
