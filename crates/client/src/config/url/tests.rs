//! What a URL may say, and what is refused.

use super::*;

fn seeds(url: &str) -> Vec<String> {
    parse(url)
        .unwrap_or_else(|error| panic!("{url}: {error}"))
        .seeds
        .iter()
        .map(ToString::to_string)
        .collect()
}

#[test]
fn what_a_url_says() {
    let config = parse(
        "rediss://us%40er:p%3Aw@a.example:1,b.example:2?timeout=250ms&connect_timeout=1m&name=svc&lanes=2\
         &map=ip%3Dseed&verify_as=a.example&read_from=prefer-replica&protocol=2",
    )
    .expect("a good URL");
    assert!(config.tls.is_some());
    assert_eq!(config.credentials, Some(Credentials::user("us@er", "p:w")));
    assert_eq!(config.seeds, [Endpoint::new("a.example", 1), Endpoint::new("b.example", 2)]);
    assert_eq!(config.timing.command, Duration::from_millis(250));
    assert_eq!(config.timing.connect, Duration::from_secs(60));
    assert_eq!((config.client_name.as_deref(), config.lanes_per_node), (Some("svc"), 2));
    assert_eq!((config.rules.len(), config.protocol), (1, Protocol::Resp2));
    assert_eq!(config.read_from, ReadFrom::PreferReplica);
}

#[test]
fn hosts_and_the_ports_that_are_missing() {
    let rows: [(&str, &[&str]); 7] = [
        ("redis://localhost", &["localhost:6379"]),
        ("redis://:pw@localhost/0", &["localhost:6379"]),
        ("rediss://[::1]:7000,[::2]", &["[::1]:7000", "[::2]:6379"]),
        ("rediss://c.westus3.redis.azure.net", &["c.westus3.redis.azure.net:10000"]),
        ("rediss://c.redis.cache.windows.net", &["c.redis.cache.windows.net:6380"]),
        ("rediss://cache.internal?profile=azure-managed", &["cache.internal:10000"]),
        ("valkeys://p@ss:w@rd@host:1", &["host:1"]),
    ];
    for (url, expected) in rows {
        assert_eq!(seeds(url), expected, "{url}");
    }
}

/// `3` was the same as nothing: a server without RESP3 was spoken to in RESP2.
#[test]
fn protocols() {
    for (value, protocol) in [("2", Protocol::Resp2), ("3", Protocol::Resp3), ("auto", Protocol::Auto)] {
        let config = parse(&format!("redis://host?protocol={value}")).expect("a good URL");
        assert_eq!(config.protocol, protocol, "{value}");
    }
    assert_eq!(parse("redis://host").expect("a good URL").protocol, Protocol::Auto);
    assert!(parse("redis://host?protocol=4").is_err());
}

#[test]
fn databases() {
    for (url, database) in [
        ("redis://host", 0),
        ("redis://host/", 0),
        ("redis://host/0", 0),
        ("rediss://:pw@host:1,other:2/12?timeout=1s", 12),
    ] {
        assert_eq!(parse(url).expect("a good URL").database, database, "{url}");
    }
}

#[test]
fn what_is_asked_of_peers() {
    let pin = "sha256/47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
    let url = format!("rediss://host?pin={pin}&tls_min=1.3&pin={pin}&map=ip=seed%20pin={pin}");
    let config = parse(&url).expect("a good URL");
    let tls = format!("{:?}", config.tls.expect("TLS"));
    assert!(tls.contains(&format!("[Pin({pin}), Pin({pin})]")) && tls.contains("Tls13"), "{tls}");
    assert_eq!(config.rules[0].to_string(), format!("ip=seed pin={pin}"));
}

#[test]
fn what_is_refused_and_that_no_secret_is_repeated() {
    let rows = [
        ("host:6379", "no scheme"),
        ("http://host", "not a supported scheme"),
        ("redis://", "no host"),
        ("redis://a,,b", "no host"),
        ("redis://host:99999", "host 1 of the URL: the port must be"),
        ("redis://a,b:c", "host 2 of the URL: the port must be"),
        ("rediss://bob:sesame", "the port must be"),
        ("rediss://:ses?ame@host", "before its last `@`"),
        ("rediss://:sesame#@host", "before its last `@`"),
        ("rediss://:sesame/1@host", "before its last `@`"),
        ("rediss://host?name=a@sesame", "%40"),
        ("rediss://host#sesame", "%23"),
        (
            "rediss://:sesame@host/#insecure",
            "trust the authority, or a self-signed certificate, with Tls::ca_file",
        ),
        ("redis://host#insecure", "%23"),
        ("bob:sesame://x@host", "not a supported scheme"),
        ("redis://user@host", "without a password"),
        ("redis://:sesame@host/x", "number of a database"),
        ("redis://:sesame@host/-1", "number of a database"),
        ("redis://:sesame@host/+1", "number of a database"),
        ("redis://:sesame@host/1/2", "number of a database"),
        ("redis://:sesame@host/99999999999", "number of a database"),
        ("rediss://:sesame@host?timeout=fast", "250ms"),
        ("rediss://:sesame@host?timeout=0s", "250ms"),
        ("rediss://:sesame@host?tiemout=1s", "unknown option"),
        ("rediss://:sesame@host?profile=azur", "azure-managed"),
        ("rediss://:sesame@host?map=nonsense", "dial rule"),
        ("rediss://:sesame@host?verify_as=*.example", "example"),
        ("rediss://:sesame@host?read_from=anywhere", "prefer-replica"),
        ("redis://:sesame@host?cacert=ca.pem", "rediss://"),
        ("rediss://:sesame@host?cacert=/does/not/exist", "/does/not/exist"),
        ("rediss://:sesame@host?cert=c.pem", "belong together"),
        ("rediss://:sesame@host?pin=sha256/x", "44 characters"),
        ("rediss://:sesame@host?tls_min=1.1", "1.2 or 1.3"),
        ("rediss://:sesame@host?crl=/does/not/exist", "/does/not/exist"),
        ("redis://:sesame@host?tls_min=1.3", "rediss://"),
    ];
    for (url, part) in rows {
        let text = parse(url).expect_err(url).to_string();
        assert!(text.contains(part), "{url}: {text}");
        assert!(!text.contains("sesame"), "{url}: {text}");
    }
    // In an option, where the `@` after it is encoded, as it has to be.
    for option in OPTIONS.into_iter().filter(|option| *option != "name") {
        let text = parse(&format!("rediss://host?{option}=bob:sesame%40h")).expect_err(option).to_string();
        assert!(!text.contains("sesame"), "{option}: {text}");
    }
}

/// What is listed for people: in the description of the URL, and where an unknown option is refused.
#[test]
fn the_options_are_listed_in_full() {
    let described = include_str!("../url.rs").lines().filter_map(|line| line.strip_prefix("//! | `"));
    let names = described.flat_map(|row| {
        let first = row.split(" |").next().unwrap_or_default();
        let options = first.split(['`', ' ', ',', '?']).filter_map(|word| Some(word.split_once('=')?.0));
        options.map(str::to_owned).collect::<Vec<_>>()
    });
    assert_eq!(names.collect::<Vec<_>>(), OPTIONS);
    let refusal = parse("rediss://host?tiemout=1s").expect_err("misspelt").to_string();
    let listed = refusal.split_once("the options are ").expect("a list").1;
    assert_eq!(listed.replace(" and ", ", ").split(", ").collect::<Vec<_>>(), OPTIONS);
    for name in OPTIONS {
        let outcome = parse(&format!("rediss://host?{name}=%2E"));
        let text = outcome.err().map(|error| error.to_string()).unwrap_or_default();
        assert!(!text.contains("unknown option"), "{name}: {text}");
    }
}
