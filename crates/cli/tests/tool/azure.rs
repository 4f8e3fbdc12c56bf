//! Everything on one healthy azure lab, and what is wrong with the user's side of it.

use std::process::Stdio;
use std::time::Duration;

use crate::support::{AUTHORITY, VARIABLE, on, options, run, truename, words};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use truename_lab::{Lab, LabProfile, Role};

const SOON: Duration = Duration::from_secs(8);

/// One lab for all of it: a lab takes seconds to start, and nothing in here changes it for the others.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn azure() {
    let lab = Lab::builder(LabProfile::Azure).start().await.unwrap();
    ping(&lab).await;
    exec(&lab).await;
    doctor_for_people(&lab).await;
    doctor_for_programs(&lab).await;
    closed_pipe(&lab).await;
    wrong_addresses(&lab).await;
    wrong_trust(&lab).await;
    wrong_logins(&lab).await;
    without_ping(&lab).await;
    url(&lab).await;
    lab.shutdown().await;
}

async fn ping(lab: &Lab) {
    let (host, _) = lab.seed();
    let proof = format!("verified as {host} (seed)");
    let run = on(lab, "ping", "", &[]).await.ends_with(0).says(&[&proof, "connected in"]);
    assert_eq!(run.stdout.matches("PONG").count(), 3, "{}", run.stdout);

    let document = on(lab, "ping", "--json", &[]).await.ends_with(0).json();
    let nodes = document["nodes"].as_array().unwrap();
    assert_eq!(nodes.len(), 3);
    for node in nodes {
        assert_eq!(node["identity"]["source"], "seed");
        assert_eq!(node["tls"], "TLSv1_3");
        assert!(node["ping_ms"].is_f64() && node["error"].is_null(), "{node}");
    }
}

async fn exec(lab: &Lab) {
    let rows: [(&str, &[&str], u8, &str, &str); 13] = [
        ("", &["SET", "city", "Oslo"], 0, "OK\n", ""),
        ("", &["GET", "city"], 0, "Oslo\n", ""),
        ("--no-raw", &["GET", "city"], 0, "\"Oslo\"\n", ""),
        ("--no-raw", &["GET", "none"], 0, "(nil)\n", ""),
        ("", &["RPUSH", "list", "a", "b c"], 0, "2\n", ""),
        ("--no-raw", &["LRANGE", "list", "0", "-1"], 0, "1) \"a\"\n2) \"b c\"\n", ""),
        ("", &["LRANGE", "list", "0", "-1"], 0, "a\nb c\n", ""),
        ("", &["INCR", "city"], 1, "", "(error) ERR value is not an integer"),
        ("", &["MULTI"], 2, "", "MULTI changes the state of its connection"),
        (
            "",
            &["FLUSHALL"],
            2,
            "",
            "FLUSHALL concerns every node of a cluster, but a call goes to one; run it on all primaries with --all-primaries, or",
        ),
        ("", &["DBSIZE"], 0, "2\n", ""),
        ("", &["MGET", "city", "none", "{none}2"], 0, "Oslo\n\n\n", ""),
        ("", &["RENAME", "city", "town"], 2, "", "\"city\" of slot 11479, \"town\" of slot"),
    ];
    for (option, words, code, stdout, stderr) in rows {
        let run = on(lab, "exec", option, &[&["--"], words].concat()).await.ends_with(code);
        assert_eq!(run.stdout, stdout, "{words:?}");
        assert!(run.stderr.contains(stderr), "{words:?}: {}", run.stderr);
    }
    on_many(lab).await;
    let document = on(lab, "exec", "--json", &["--", "GET", "city"]).await.ends_with(0).json();
    assert_eq!((document["reply"].as_str(), document["exit_code"].as_u64()), (Some("Oslo"), Some(0)));
    let document = on(lab, "exec", "--json", &["--", "INCR", "city"]).await.ends_with(1).json();
    assert_eq!(
        (document["error"]["kind"].as_str(), document["error"]["code"].as_str()),
        (Some("server"), Some("ERR"))
    );
}

async fn on_many(lab: &Lab) {
    let run = on(lab, "exec", "--all-primaries", &["--", "ECHO", "here"]).await.ends_with(0);
    for node in lab.nodes().iter().filter(|node| node.role == Role::Primary) {
        let (host, port) = node.announced();
        assert!(run.stdout.contains(&format!("# {host}:{port}\nhere\n")), "{}", run.stdout);
    }
    let document = on(lab, "exec", "--json", &["--all-nodes", "--", "GET", "city"]).await.ends_with(1).json();
    let nodes = document["nodes"].as_array().unwrap();
    let answered = nodes.iter().filter(|node| node["reply"] == "Oslo").count();
    let moved = nodes.iter().filter(|node| node["error"]["code"] == "MOVED").count();
    assert_eq!((nodes.len(), answered, moved), (6, 1, 5), "{document}");
    let (host, port) = lab.nodes()[0].announced();
    let node = format!("--node={host}:{port}");
    let run = on(lab, "exec", &node, &["--", "CONFIG", "GET", "port"]).await.ends_with(0);
    assert!(run.stdout.starts_with("port\n"), "{}", run.stdout);
    on(lab, "exec", "--node=10.1.1.1", &["--", "PING"]).await.ends_with(2);
}

async fn doctor_for_people(lab: &Lab) {
    let (host, port) = lab.seed();
    let seed = format!("{host}:{port}");
    let run = on(lab, "doctor", "", &[]).await.ends_with(0);
    let verdict = "All 7 addresses can be used, each proved a name, and all 16384 slots are served";
    let run = run.says(&[&seed, verdict]);
    for absent in ["redis-cli", "No replica"] {
        assert!(!run.text().contains(absent), "{}", run.text());
    }
    for node in lab.nodes() {
        let (host, port) = node.announced();
        let announced = format!("{host}:{port} ");
        let row = run.stdout.lines().find(|line| line.trim_start().starts_with(&announced)).unwrap();
        for part in
            ["ok", "as announced", " 1.3 ", " (seed) ", "truename lab CA", "default", "confirmed", " ms"]
        {
            assert!(row.contains(part), "{part}: {row}");
        }
    }
    on(lab, "doctor", "--profile azure-managed", &[]).await.ends_with(0).says(&["Provider:", "8500-8599"]);
}

async fn doctor_for_programs(lab: &Lab) {
    let document = on(lab, "doctor", "--json --profile azure-managed", &[]).await.ends_with(0).json();
    assert_eq!(document["schema"], "truename.doctor/1");
    assert_eq!((document["healthy"].as_bool(), document["exit_code"].as_u64()), (Some(true), Some(0)));
    assert_eq!(document["profile"]["name"], "azure-managed");
    assert_eq!(document["topology"]["slots_assigned"], 16_384);
    assert_eq!(document["seeds"][0]["role"], "seed");
    let nodes = document["nodes"].as_array().unwrap();
    assert_eq!(nodes.len(), lab.nodes().len());
    for node in nodes {
        assert_eq!(node["healthy"], true);
        assert_eq!(node["identity"]["name"], lab.seed().0.as_str());
        assert_eq!(node["is_announced_node"], true);
        assert_eq!(node["certificate"]["chain_length"].as_u64().map(|length| length > 0), Some(true));
        assert!(lab.node_by_id(node["announced"]["node_id"].as_str().unwrap()).is_some());
    }
}

/// A reader who has seen enough gets no complaint.
async fn closed_pipe(lab: &Lab) {
    let mut command = truename(&words(&["doctor", &options(lab)]));
    command.env(VARIABLE, lab.password().unwrap_or_default()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    drop(child.stdout.take());
    let mut stderr = String::new();
    child.stderr.take().unwrap().read_to_string(&mut stderr).await.unwrap();
    let status = tokio::time::timeout(SOON, child.wait()).await.unwrap().unwrap();
    assert!(status.success() && stderr.is_empty(), "{status} {stderr}");

    // The same for one who reads a line first.
    let mut child = truename(&["--help"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).await.unwrap();
    assert!(tokio::time::timeout(SOON, child.wait()).await.unwrap().unwrap().success());
}

async fn wrong_addresses(lab: &Lab) {
    let (host, port) = lab.seed();
    let ca = lab.ca_pem_path().unwrap().display().to_string();
    let address = lab.resolve()[0].2;
    let rows: [(String, u8, &[&str]); 3] = [
        (
            format!("no-such-host.invalid:{port}"),
            10,
            &["resolve", "does not resolve", "--resolve no-such-host.invalid:ADDR"],
        ),
        (format!("{host}:9 --resolve {host}:{address}"), 11, &["tcp", "refused", "check host and port"]),
        (
            format!("{host}:{port} --plain --resolve {host}:{address}"),
            21,
            &["hello", "the port speaks TLS", "rediss://"],
        ),
    ];
    for (line, code, parts) in rows {
        let tls = if line.contains("--plain") { "" } else { &format!("--cacert {ca}") };
        for command in ["ping", "doctor"] {
            let args = words(&[command, &line, tls, "--connect-timeout 3s"]);
            run(&args, None)
                .await
                .ends_with(code)
                .says(parts)
                .says(&[line.split(' ').next().unwrap()])
                .within(SOON);
        }
    }
}

async fn wrong_trust(lab: &Lab) {
    let (host, port) = lab.seed();
    let address = lab.resolve()[0].2;
    let seed = format!("{host}:{port}");
    let line = format!("{seed} --resolve {host}:{address} --cacert {AUTHORITY} --password-env {VARIABLE}");
    for command in ["ping", "doctor"] {
        let run = run(&words(&[command, &line]), lab.password()).await.ends_with(23).within(SOON);
        let run = run.says(&[&seed, "tls", "no trusted root", "--cacert FILE", "CN=truename lab CA"]);
        let run = run.says(&["only if it is the one that you expect"]);
        // The names were in order.
        for absent in ["presents", "redis-cli"] {
            assert!(!run.text().contains(absent), "{}", run.text());
        }
    }
    // A name that the certificate does not carry: found out at the seed already.
    let ca = lab.ca_pem_path().unwrap().display().to_string();
    let line = format!("ping wrong.test:{port} --resolve wrong.test:{address} --cacert {ca}");
    let run = run(&words(&[&line]), None).await.ends_with(26).within(SOON);
    let run =
        run.says(&["seed wrong.test", "acceptable wrong.test (seed)", "presented  *.westus3", "--verify-as"]);
    assert!(!run.text().contains("panicked"));
    // ... and how to accept it.
    let line = format!(
        "ping wrong.test:{port} --resolve wrong.test:{address} --cacert {ca} --verify-as {host} --password-env {VARIABLE}"
    );
    crate::support::run(&words(&[&line]), lab.password()).await.ends_with(0).says(&["(fixed name)"]);
}

async fn wrong_logins(lab: &Lab) {
    for node in lab.nodes() {
        let acl = ["ACL", "SETUSER", "limited", "on", ">pw", "~*", "+@all", "-cluster"];
        assert!(lab.command(node.index, &acl).await.unwrap().as_error().is_none());
    }
    let rows: [(&str, Option<&str>, u8, &[&str]); 4] = [
        ("", Some("wrong"), 31, &["auth", "refused the user name or password", "--user"]),
        ("--user nobody", lab.password(), 31, &["auth", "refused the user name or password"]),
        ("--user limited", Some("pw"), 32, &["topology", "CLUSTER SLOTS", "ACL SETUSER"]),
        ("--user limited", Some("wrong"), 31, &["auth"]),
    ];
    let (host, port) = lab.seed();
    let seed = format!("{host}:{port}");
    for (option, password, code, parts) in rows {
        for command in ["ping", "doctor"] {
            let args = words(&[command, &options(lab), option]);
            run(&args, password).await.ends_with(code).says(parts).says(&[&seed]).within(SOON);
        }
    }
    // A seed that answers and returns no topology was `ok`; a login that failed left TLS empty and was reported in two
    // columns.
    for (user, password, cells, last) in [
        ("limited", "pw", ["limited", " 1.3 "], "; decisive: "),
        ("default", "wrong", ["wrong-credentials", " ok "], "1 of 1 addresses cannot be used; decisive: "),
    ] {
        let run = on_as(lab, user, password).await;
        let row = run.stdout.lines().find(|line| line.trim_start().starts_with(&seed)).unwrap();
        assert!(row.contains("FAIL") && cells.iter().all(|cell| row.contains(cell)), "{row}");
        assert_eq!(row.matches("wrong-credentials").count(), usize::from(user == "default"), "{row}");
        let verdict = run.stdout.lines().last().unwrap();
        assert!(verdict.contains(last) && verdict.contains(&seed), "{verdict}");
    }
    let without = options(lab).replace(&format!("--password-env {VARIABLE}"), "");
    run(&words(&["ping", &without]), None)
        .await
        .ends_with(30)
        .says(&["asks for a password", "--password-env"]);
}

/// A node that answers `NOPERM` was shown as a failure.
async fn without_ping(lab: &Lab) {
    for node in lab.nodes() {
        let acl = ["ACL", "SETUSER", "quiet", "on", ">pw", "~*", "+@all", "-ping"];
        assert!(lab.command(node.index, &acl).await.unwrap().as_error().is_none());
    }
    let args = words(&["ping", &options(lab), "--user quiet"]);
    let run =
        run(&args, Some("pw")).await.ends_with(0).says(&["NOPERM", "may not send PING", "connected in"]);
    assert!(!run.stdout.contains("PONG"), "{}", run.stdout);
}

async fn on_as(lab: &Lab, user: &str, password: &str) -> crate::support::Run {
    run(&words(&["doctor", &options(lab), "--user", user]), Some(password)).await
}

/// The URL form leads to the same place, and says that others can read it.
async fn url(lab: &Lab) {
    let (host, port) = lab.seed();
    let ca = lab.ca_pem_path().unwrap().display().to_string();
    let password = lab.password().unwrap();
    let url = format!("rediss://:{password}@{host}:{port}?cacert={ca}");
    let resolve = format!("--resolve {host}:{}", lab.resolve()[0].2);
    let run = run(&words(&["ping", &url, &resolve]), None).await.ends_with(0).says(&["PONG", "(ps)"]);
    assert!(!run.text().contains(password), "the password was repeated");
}
