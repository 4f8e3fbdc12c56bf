//! What the tool says about announced names that are out of scope, with the authority among the system's roots; and the
//! options that accept less or more.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use crate::support::{Run, VARIABLE, finished, options, truename, words};
use truename_lab::{CertificateSpec, Forwarder, Lab, LabProfile};

const STRANGER: &str = "node.attacker.test";

/// A cluster of which node 1 announces a stranger's name, with a certificate for that.
async fn scene() -> (Lab, Forwarder) {
    let lab = Lab::builder(LabProfile::Aws).replicas(0).certificate(1, CertificateSpec::new([STRANGER]));
    let lab = lab.start().await.unwrap();
    let node = lab.node(1).socket_addr();
    let IpAddr::V4(address) = node.ip() else { panic!("{node}") };
    let [a, b, c, _] = address.octets();
    let address = SocketAddr::from((Ipv4Addr::new(a, b, c, 201), node.port()));
    let counter = Forwarder::listen(address, vec![node]).await.unwrap();
    let rename = ["CONFIG", "SET", "cluster-announce-hostname", STRANGER];
    assert!(lab.command(1, &rename).await.unwrap().as_error().is_none());
    let deadline = Instant::now() + Duration::from_secs(10);
    for node in [0, 2] {
        while !format!("{:?}", lab.command(node, &["CLUSTER", "SLOTS"]).await.unwrap()).contains(STRANGER) {
            assert!(Instant::now() < deadline, "node {node} does not know the new name");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    (lab, counter)
}

/// Runs a command against the scene, with the authority given or among the system's roots.
async fn on(scene: &(Lab, Forwarder), command: &str, more: &str, is_given: bool) -> Run {
    let (lab, counter) = scene;
    let ca = lab.ca_pem_path().unwrap().display().to_string();
    let mut line = format!("{} --resolve {STRANGER}:{} {more}", options(lab), counter.address().ip());
    if !is_given {
        line = line.replace(&format!(" --cacert {ca}"), "");
    }
    let args = words(&[command, "--timeout 2s", &line]);
    let mut command = truename(&args);
    command.env(VARIABLE, lab.password().unwrap());
    if !is_given {
        command.env("SSL_CERT_FILE", &ca);
    }
    finished(args.join(" "), command).await
}

/// `ping` used to print "verified as node.attacker.test".
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_foreign_name_is_refused_and_the_option_is_named() {
    let scene = scene().await;
    for command in ["ping", "doctor"] {
        let run = on(&scene, command, "", false).await.ends_with(45);
        run.says(&["out of scope", &format!("--trust {STRANGER} ")]);
    }
    assert_eq!(scene.1.accepted(), 0, "the name was dialled");
    let trust = format!("--trust {STRANGER}");
    for (options, is_given) in [(trust.as_str(), false), ("--trust *.attacker.test", false), ("", true)] {
        let run = on(&scene, "ping", options, is_given).await.ends_with(0);
        run.says(&[&format!("verified as {STRANGER} (announced address)")]);
    }
    let before = scene.1.accepted();
    assert!(before > 0);
    // With an authority of one's own the name is dialled, and where one name alone is acceptable it proves another.
    let seed = scene.0.seed().0;
    for only in
        [format!("--verify-only {seed}"), format!("--identity only:{seed}"), "--identity seed".to_owned()]
    {
        let run = on(&scene, "ping", &only, true).await;
        assert_ne!(run.code, 0, "{}", run.text());
        let run = run.says(&["PONG", "valid for none of the acceptable names"]);
        assert!(!run.text().contains(&format!("verified as {STRANGER}")), "{}", run.text());
    }
    scene.0.shutdown().await;
}

#[tokio::test]
async fn options_that_contradict_each_other_are_refused() {
    for (line, code, part) in [
        ("ping a.test --identity all", 2, "any, announced, seed, or only:NAME"),
        ("ping a.test --trust *", 2, "*.example.net"),
        ("ping a.test --verify-only b.test --verify-as c.test", 2, "--verify-as"),
        ("ping a.test --verify-only b.test --identity seed", 2, "--identity"),
        ("ping a.test --identity only:b.test --verify-as c.test", 60, "choose one"),
    ] {
        crate::support::run(&words(&[line]), None).await.ends_with(code).says(&[part]);
    }
}
