//! The tool's advice helps, and what it claims is true.

use crate::support::{AUTHORITY, VARIABLE, finished, on, options, run, truename, words};
use truename_lab::{Lab, LabProfile};

/// Of nodes with a certificate each, `--identity seed` refuses all but one. The advice was to connect by another node's name
/// or to verify that as well, which helps with one more node; and what decided was that the seed's host had led to another
/// node, which says nothing of the certificate that was refused.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_policy_that_is_too_narrow_is_named() {
    let lab = Lab::builder(LabProfile::PerNodeCerts).replicas(0).start().await.unwrap();
    let run = on(&lab, "doctor", "--identity seed", &[]).await.ends_with(26);
    let run = run.says(&["which the cluster announces, and the identity policy", "leave out --identity"]);
    assert!(!run.text().contains("--verify-as"), "{}", run.text());
    lab.shutdown().await;
}

/// Where names are out of scope, the first advice that was to be read was a rule that led all nodes to one address.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_detour_around_a_name_out_of_scope_advises_to_trust_it() {
    let lab = Lab::builder(LabProfile::Aws).replicas(0).start().await.unwrap();
    let (name, port) = lab.seed();
    let seed = format!("{}:{port}", lab.resolve()[0].2);
    let ca = lab.ca_pem_path().unwrap().display().to_string();
    let line =
        options(&lab).replace(&format!(" --cacert {ca}"), "").replacen(&format!("{name}:{port}"), &seed, 1);
    for subcommand in ["doctor", "ping"] {
        let args = words(&[subcommand, &line, "--timeout 2s --verify-as", &name.to_string()]);
        let mut command = truename(&args);
        command.env("SSL_CERT_FILE", &ca).env(VARIABLE, lab.password().unwrap());
        let run = finished(args.join(" "), command).await.ends_with(45);
        let run = run.says(&["answered where node", "allow it with --trust"]);
        assert!(!run.text().contains("HOST:PORT"), "{}", run.text());
    }
    lab.shutdown().await;
}

/// With names unchecked the doctor still said "each proved a name".
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_said_to_have_proved_a_name_that_was_not_checked() {
    let lab = Lab::builder(LabProfile::Azure).replicas(0).start().await.unwrap();
    on(&lab, "doctor", "", &[]).await.ends_with(0).says(&["each proved a name"]);
    let (name, port) = lab.seed();
    let line = options(&lab).replace(&name.to_string(), "elsewhere.example.net");
    assert!(line.starts_with(&format!("elsewhere.example.net:{port} ")), "{line}");
    for danger in ["--danger-accept-invalid-hostnames", "--danger-accept-invalid-certificates"] {
        let line = match danger.ends_with("hostnames") {
            true => line.clone(),
            false => line.replace(&format!(" --cacert {}", lab.ca_pem_path().unwrap().display()), ""),
        };
        let run = run(&words(&["doctor", &line, danger]), lab.password()).await.ends_with(0);
        let run = run.says(&["not checked", "can be used, but 4 of them proved no name"]);
        assert!(!run.text().contains("each proved"), "{}", run.text());
    }
    lab.shutdown().await;
}

/// A dead primary was shown as `PONG`, after the seconds that its replica took to answer in its place.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_primary_answers_no_ping() {
    let lab = Lab::builder(LabProfile::Plain).start().await.unwrap();
    lab.node(1).kill();
    let run = on(&lab, "ping", "--timeout 8s", &[]).await;
    assert_ne!(run.code, 0, "{}", run.text());
    let dead = lab.node(1).socket_addr().to_string();
    let last = run.stdout.lines().last().unwrap_or_default();
    assert!(last.starts_with("1 of 3 primaries failed (connected in"), "{}", run.text());
    let lines: Vec<&str> = run.stdout.lines().filter(|line| line.contains(&dead)).collect();
    assert!(lines.first().is_some_and(|line| line.starts_with("FAIL")), "{}", run.text());
    lab.shutdown().await;
}

/// `-v` printed nothing: what there is to log was logged from `-vv` on.
#[tokio::test]
async fn what_happens_is_logged_where_that_was_asked_for() {
    let lab = Lab::builder(LabProfile::Plain).replicas(0).start().await.unwrap();
    for (option, has_logs) in [("", false), ("-v", true), ("-vv", true)] {
        let run = on(&lab, "ping", option, &[]).await.ends_with(0);
        let has = |part: &str| run.stderr.contains(part);
        assert_eq!(has("DEBUG") && has("connected"), has_logs, "{option}: {}", run.stderr);
        assert!(!has("mio") && !has("TRACE rustls"), "{option}: {}", run.stderr);
    }
    lab.shutdown().await;
}

/// "CLUSTER acts on the node that executes it" was said about `CLUSTER RESET` alone; a command without a name was sent;
/// and what a shared connection cannot run was refused without saying what could. JSON named calls of the library.
#[tokio::test]
async fn a_refused_command_is_named_in_full() {
    let lab = Lab::builder(LabProfile::Plain).replicas(0).start().await.unwrap();
    for (line, code, parts) in [
        (&["--", "cluster", "reset"][..], 2, &["CLUSTER RESET acts on the node", "--node-of"][..]),
        (&["--", "CONFIG", "GET", "x"], 2, &["CONFIG GET acts on the node"]),
        (&["--", ""], 2, &["the command has no name"]),
        (&["--", "MULTI"], 2, &["MULTI changes the state of its connection", "cannot run it"]),
    ] {
        for form in ["", "--json"] {
            let run = on(&lab, "exec", form, line).await.ends_with(code).says(parts);
            assert!(!run.text().contains("::"), "advice for programs: {}", run.text());
        }
    }
    lab.shutdown().await;
}

/// The advice allowed a command that is never sent, and left out some without which a replica is not read from.
#[tokio::test]
async fn a_user_with_the_advised_rights_can_do_everything() {
    let lab = Lab::builder(LabProfile::Plain).start().await.unwrap();
    let acl = async |words: &[&str]| {
        let mut replies = Vec::new();
        for node in lab.nodes() {
            let words = [&["ACL", "SETUSER", "limited"][..], words].concat();
            replies.push(lab.command(node.index, &words).await.unwrap());
        }
        replies
    };
    acl(&["on", ">pw", "~*", "-@all"]).await;
    let args = words(&["ping", &options(&lab), "--user limited"]);
    let refused = run(&args, Some("pw")).await.ends_with(32).text();
    let advised = refused.split([' ', ',', ';', '\n']).filter(|word| word.starts_with('+'));
    for right in advised.chain(["+get"]) {
        for reply in acl(&[right]).await {
            // Redis 7.0 has no such command.
            assert!(reply.as_error().is_none() || right == "+client|setinfo", "{right}: {reply:?}");
        }
    }
    for node in lab.nodes() {
        lab.command(node.index, &["ACL", "LOG", "RESET"]).await.unwrap();
    }
    run(&args, Some("pw")).await.ends_with(0);
    let (host, port) = lab.seed();
    let url = format!("redis://{host}:{port}?read_from=replica");
    let args = words(&["exec", &url, "--user limited --password-env", VARIABLE, "-- GET k"]);
    run(&args, Some("pw")).await.ends_with(0);
    for node in lab.nodes() {
        let log = lab.command(node.index, &["ACL", "LOG"]).await.unwrap();
        assert!(!format!("{log:?}").contains("limited"), "{log:?}");
    }
    lab.shutdown().await;
}

/// A wrong value of an option was answered with the advice to write `rediss://cache.example.net:10000`.
#[tokio::test]
async fn a_url_with_a_wrong_value_is_not_answered_with_another_host() {
    for (option, part) in [("tls_min=1.1", "1.2 or 1.3"), ("identity=all", "any, announced, seed")] {
        let url = format!("rediss://a.test?cacert={AUTHORITY}&{option}");
        let run = run(&["ping", &url], None).await.ends_with(2).says(&[part]);
        assert!(!run.text().contains("cache.example.net"), "{}", run.text());
    }
}

/// The options of a URL and the known providers were shown in refusals only.
#[tokio::test]
async fn help_tells_the_options_of_a_url_and_the_profiles() {
    let help = run(&["ping", "--help"], None).await.ends_with(0).text();
    let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
    for (line, before) in [
        (&["ping", "rediss://a.test?nothing=1"][..], "the options are "),
        (&["ping", "a.test", "--profile", "none"], "the profiles are "),
    ] {
        let refusal = run(line, None).await.ends_with(2).text();
        let names =
            refusal.split_once(before).expect("the names").1.lines().next().expect("a line").to_owned();
        assert!(help.contains(&names), "{names}\n{help}");
    }
}
