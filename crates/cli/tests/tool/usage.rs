//! Command lines that need no server: what cannot be understood or cannot work, help, completions.

use std::time::Duration;

use crate::support::{AUTHORITY, finished, run, truename, words};

#[tokio::test]
async fn what_cannot_be_understood_says_what_where_and_how_to_write_it() {
    let rows: [(&str, u8, &[&str]); 20] = [
        ("ping", 2, &["<HOST[:PORT]|URL>"]),
        ("ping http://a.test", 2, &["http://", "rediss://"]),
        ("ping rediss://", 2, &["names no host", "rediss://user:password@host:port"]),
        ("ping rediss://:secret@a.test/x", 2, &["database", "leave it out"]),
        ("ping rediss://a.test?colour=red", 2, &["unknown option"]),
        ("ping rediss://a.test?map=10.0.0.4", 2, &["not a dial rule", "for example"]),
        ("ping a.test:99999", 2, &["HOST:", "cache.example.net:10000"]),
        ("ping a.test,", 2, &["HOST:", "separated by commas"]),
        ("ping a.test --map 10.0.0.4", 2, &["--map <RULE>", "MATCH=TARGET", "for example `10.0.0.4=seed`"]),
        ("ping a.test --map ip=seed:port", 2, &["--map <RULE>", "port of TARGET"]),
        ("ping a.test --resolve a.test", 2, &["--resolve", "HOST:PORT:ADDR"]),
        ("ping a.test --verify-as *.a.test", 2, &["--verify-as <NAME>", "wildcard", "cache.example.net"]),
        ("ping a.test --timeout 5", 2, &["--timeout <TIME>", "250ms, 2s or 1m"]),
        ("ping a.test --profile azur", 2, &["--profile <NAME>", "azure-managed"]),
        ("ping a.test -a secret", 2, &["ps", "--password-env NAME", "--password-file FILE"]),
        ("ping a.test --password secret", 2, &["ps", "--password-env NAME"]),
        ("ping a.test --user bob", 2, &["without a password"]),
        ("exec a.test GET k", 2, &["--"]),
        ("lab up --profile azur", 2, &["per-node-certs"]),
        ("ping redis://a.test --cacert x.pem", 2, &["need a TLS connection", "rediss://"]),
    ];
    for (line, code, parts) in rows {
        let run = run(&words(&[line]), None).await.ends_with(code).says(parts).within(Duration::from_secs(2));
        let echoes_secret = run.text().contains("secret");
        assert!(!echoes_secret, "a password was repeated: {}", run.text());
        assert!(run.stdout.is_empty(), "{}", run.stdout);
    }
}

#[tokio::test]
async fn what_cannot_work_here_names_the_file_or_variable() {
    let empty = env!("CARGO_MANIFEST_DIR");
    let not_pem = format!("ping a.test --cacert {empty}/Cargo.toml");
    let rows: [(&str, &[&str]); 6] = [
        ("ping a.test --cacert /nonexistent.pem", &["cannot read the CA bundle `/nonexistent.pem`"]),
        (&not_pem, &["holds no certificate", "BEGIN CERTIFICATE"]),
        (
            "ping a.test --cert /nonexistent.pem --key /nonexistent.key",
            &["client certificate `/nonexistent.pem`"],
        ),
        ("ping a.test --password-env NO_SUCH_VARIABLE", &["NO_SUCH_VARIABLE", "export"]),
        ("ping a.test --password-file /nonexistent", &["--password-file `/nonexistent`", "first line"]),
        ("ping a.test --password-file -", &["--password-file `-`", "empty"]),
    ];
    for (line, parts) in rows {
        run(&words(&[line]), None).await.ends_with(60).says(parts).within(Duration::from_secs(2));
    }
}

#[tokio::test]
async fn failures_are_json_where_json_was_asked_for() {
    let run = run(&["ping", "a.test", "--user", "bob", "--json"], None).await.ends_with(2);
    let document = run.json();
    assert_eq!(
        (document["exit_code"].as_u64(), document["error"]["kind"].as_str()),
        (Some(2), Some("usage"))
    );
    assert!(run.stderr.is_empty(), "{}", run.stderr);
}

#[tokio::test]
async fn help_documents_the_exit_codes_and_every_command_has_examples() {
    run(&["--help"], None).await.ends_with(0).says(&[
        "Exit codes:",
        " 26  the certificate is valid for none",
        "130  ended by a signal",
    ]);
    for command in ["ping", "exec", "doctor", "lab up", "lab profiles", "demo", "completions"] {
        run(&words(&[command, "--help"]), None)
            .await
            .ends_with(0)
            .says(&["Examples:", &format!("truename {command}")]);
    }
    run(&["--version"], None).await.ends_with(0).says(&[concat!("truename ", env!("CARGO_PKG_VERSION"))]);
    run(&["lab", "profiles"], None).await.ends_with(0).says(&["azure", "unknown-endpoint", "ports 85xx"]);
    let profiles = run(&["lab", "profiles", "--json"], None).await.json();
    assert_eq!(profiles["profiles"].as_array().map(Vec::len), Some(truename_lab::LabProfile::ALL.len()));
}

#[tokio::test]
async fn completions_know_the_commands() {
    for shell in ["bash", "zsh", "fish"] {
        run(&["completions", shell], None).await.ends_with(0).says(&["doctor", "verify-as"]);
    }
}

#[tokio::test]
async fn colours_only_where_they_are_wanted() {
    let failing = words(&["ping 127.0.0.1:1 --plain --connect-timeout 200ms"]);
    let with = |extra: &str, no_color: bool| {
        let mut args = failing.clone();
        args.extend(words(&[extra]));
        let mut command = truename(&args);
        if no_color {
            command.env("NO_COLOR", "1");
        }
        let line = extra.to_owned();
        async move { finished(line, command).await.ends_with(11).text().contains('\u{1b}') }
    };
    assert!(!with("", false).await, "a pipe is not a terminal");
    assert!(with("--color always", false).await);
    assert!(!with("--color never", false).await);
    assert!(!with("", true).await, "NO_COLOR");
}

#[tokio::test]
async fn dangerous_options_warn_loudly() {
    for (option, part) in [
        ("--danger-accept-invalid-hostnames", "names are NOT checked"),
        ("--danger-accept-invalid-certificates", "certificates are NOT checked"),
    ] {
        let run = run(&words(&["ping 127.0.0.1:1 --cacert", AUTHORITY, option]), None).await.ends_with(11);
        assert!(run.stderr.contains("warning:") && run.stderr.contains(part), "{}", run.stderr);
    }
    run(&["ping", "redis://:secret@127.0.0.1:1"], None).await.ends_with(11).says(&["ps", "--password-file"]);
}
