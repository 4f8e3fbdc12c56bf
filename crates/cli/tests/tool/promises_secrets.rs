//! A password that was typed into the wrong place is not repeated anywhere.

use crate::support::{run, words};

/// Its three-letter pieces occur in no word of ours and in no option.
const PASSWORD: &str = "qzxkvwjq";

/// Mistakes that were repeated whole or in part, and others of their kind. `PW` stands for the password.
const MISTAKES: [&str; 37] = [
    // Credentials without a scheme.
    "bob:PW@127.0.0.1:1",
    ":PW@127.0.0.1:1",
    "PW@127.0.0.1:1",
    "//bob:PW@127.0.0.1:1",
    "127.0.0.1:1,bob:PW@127.0.0.1:2",
    "bob:PW@127.0.0.1:1,127.0.0.1:2",
    "bob:PW@127.0.0.1://x",
    "bob:PW",
    // Things that are not schemes.
    "http://bob:PW@127.0.0.1:1",
    "bob:PW://127.0.0.1@x",
    "redis:/bob:PW@127.0.0.1:1",
    "rediss:bob:PW@127.0.0.1:1",
    "rediss//bob:PW@127.0.0.1:1",
    // Marks in the password that end the authority.
    "rediss://:aPW?PWb@127.0.0.1:1",
    "rediss://:aPW#PWb@127.0.0.1:1",
    "rediss://:aPW/PWb@127.0.0.1:1",
    "rediss://:aPW?PWb=PW@127.0.0.1:1?timeout=1s",
    "rediss://127.0.0.1:1?name=PW@x",
    "rediss://bob:PW@127.0.0.1:1#PW",
    // Encoded as a whole.
    "rediss://bob%3APW%40127.0.0.1:1",
    "rediss://PW%40127.0.0.1",
    "bob%3APW%40127.0.0.1:1",
    // Hosts and ports that are missing or wrong.
    "rediss://bob:PW@",
    "rediss://bob:PW",
    "rediss://:PW",
    "rediss://bob:PW@127.0.0.1:port",
    "rediss://bob:PW@127.0.0.1:1,,127.0.0.1:2",
    "rediss://bob:PW@[::1",
    "rediss://PW@127.0.0.1:1",
    // What follows is wrong.
    "rediss://bob:PW@127.0.0.1:1/PW",
    "rediss://bob:PW@127.0.0.1:1?timeout=soon",
    "rediss://bob:PW@127.0.0.1:1?cacert=/does/not/exist",
    "redis://bob:PW@127.0.0.1:1?cacert=ca.pem",
    "rediss://bob:PW@127.0.0.1:1?trust=*",
    "rediss://bob:PW@127.0.0.1:1?identity=PW%40x",
    "rediss://bob:PW@127.0.0.1:1?pin=PW%40x",
    "rediss://bob:PW@127.0.0.1:1?verify_as=PW%40x",
];

fn assert_silent(password: &str, text: &str, line: &str) {
    let letters: Vec<char> = password.chars().collect();
    for piece in letters.windows(3).map(|piece| piece.iter().collect::<String>()) {
        assert!(!text.to_lowercase().contains(&piece), "`{piece}` is repeated: truename {line}\n{text}");
    }
}

/// `user:hunter2@host:6379` was echoed whole, and of `rediss://:hun?ter2@host` a part.
#[tokio::test]
async fn a_url_that_cannot_be_read_is_not_repeated() {
    let mut runs = tokio::task::JoinSet::new();
    for (index, mistake) in MISTAKES.iter().enumerate() {
        let url = mistake.replace("PW", PASSWORD);
        let command = ["ping", "doctor", "exec"][index % 3];
        let rest = if command == "exec" { "-- GET city" } else { "" };
        for how in ["-vvv", "--json -vvv"] {
            let line = words(&[command, &url, how, "--connect-timeout 1s", rest]);
            runs.spawn(async move {
                let run = run(&line, None).await.ends_with(2);
                assert_silent(PASSWORD, &run.text(), &run.line);
            });
        }
    }
    runs.join_all().await;
}

/// The same goes for a URL in place of an option or second argument: the command line parser quotes what it refuses.
#[tokio::test]
async fn nor_is_one_in_the_place_of_something_else() {
    let url = format!("rediss://bob:{PASSWORD}@127.0.0.1:1");
    let bare = format!("bob:{PASSWORD}@127.0.0.1:1");
    for line in [
        format!("ping 127.0.0.1:1 {url}"),
        url.clone(),
        format!("ping 127.0.0.1:1 --timeout {bare}"),
        format!("ping 127.0.0.1:1 --color {bare}"),
        format!("ping 127.0.0.1:1 --{bare}"),
        format!("ping 127.0.0.1:1 --resolve {bare}"),
        format!("ping 127.0.0.1:1 --map {bare}"),
        format!("ping 127.0.0.1:1 --map {bare}=seed:"),
        format!("ping 127.0.0.1:1 --verify-as {url}"),
        format!("ping 127.0.0.1:1 --profile {url}"),
        format!("ping 127.0.0.1:1 --verify-only {url}"),
        format!("ping 127.0.0.1:1 --identity only:{bare}"),
        format!("ping 127.0.0.1:1 --identity {url}"),
        format!("ping 127.0.0.1:1 --trust {bare}"),
        format!("ping 127.0.0.1:1 --pin {bare}"),
        format!("ping 127.0.0.1:1 --crl {url}"),
        format!("ping 127.0.0.1:1 --tls-min {url}"),
        format!("ping 127.0.0.1:1 --password-env {PASSWORD}!"),
        format!("ping 127.0.0.1:1 --password-file {url}"),
        format!("ping 127.0.0.1:1 --cacert {url}"),
        format!("ping 127.0.0.1:1 --password {PASSWORD}"),
        format!("exec 127.0.0.1:1 {url}"),
        format!("lab up --profile {url}"),
    ] {
        let run = run(&words(&[&line, "-vvv"]), None).await;
        assert!(run.code == 2 || run.code == 60, "truename {line}\n{}", run.text());
        assert_silent(PASSWORD, &run.text(), &line);
    }
}

/// Of the commands that take a password file, the lab's did not warn of one that everybody can read.
#[cfg(unix)]
#[tokio::test]
async fn the_lab_warns_of_a_password_file_that_everybody_can_read() {
    use std::os::unix::fs::PermissionsExt;

    let path = std::env::temp_dir().join(format!("truename-lab-password-{}", std::process::id()));
    std::fs::write(&path, PASSWORD).expect("written");
    for (mode, is_warned) in [(0o640, false), (0o644, true)] {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).expect("set");
        // More nodes than a lab has room for: nothing is started.
        let line = format!("lab up --shards 99 --password-file {}", path.display());
        let run = run(&words(&[&line]), None).await.ends_with(61);
        assert_eq!(run.stderr.contains("can read the password"), is_warned, "{mode:o}: {}", run.text());
        assert_silent(PASSWORD, &run.text(), &line);
    }
    std::fs::remove_file(&path).expect("removed");
}
