//! The tool sends no password in plaintext to a provider that speaks TLS.

use std::io::Read;
use std::sync::mpsc;
use std::time::Duration;

use crate::support::peers::peer;
use crate::support::{VARIABLE, run, words};
use truename::topology::Profile;

/// `--plain` with the name of a cloud provider used to send `HELLO 3 AUTH default <password>` to whoever answered.
#[tokio::test]
async fn no_provider_that_speaks_tls_hears_a_password() {
    let (heard, all) = mpsc::channel();
    let listener = peer(move |mut stream| {
        let mut bytes = [0; 4096];
        let read = stream.read(&mut bytes).unwrap_or_default();
        let _ = heard.send(String::from_utf8_lossy(&bytes[..read]).into_owned());
    });
    let port = listener.port();
    let providers = Profile::all().iter().filter(|profile| profile.tls_default);
    let endings = providers.flat_map(|profile| profile.seed_suffixes);
    let hosts: Vec<String> = endings.map(|ending| format!("my{}", ending.replace('*', "region1"))).collect();
    assert!(hosts.len() >= 13, "{hosts:?}");
    for (index, host) in hosts.iter().enumerate() {
        let command = ["ping", "doctor", "exec"][index % 3];
        let seed = [format!("{host}:{port} --plain"), format!("redis://{host}:{port}?protocol=2")];
        let line = format!(
            "{command} {} --password-env {VARIABLE} --resolve {host}:127.0.0.1 --connect-timeout 1s",
            seed[index % 2]
        );
        let rest = if command == "exec" { "-- PING" } else { "" };
        let run = run(&words(&[&line, rest]), Some("sesame")).await.ends_with(60);
        run.says(&["not sent in plaintext", "--danger-plaintext-credentials"]);
    }
    assert_eq!(all.try_recv().ok(), None, "somebody was dialled");

    let host = &hosts[0];
    let line = format!(
        "ping {host}:{port} --plain --password-env {VARIABLE} --resolve {host}:127.0.0.1 --connect-timeout 1s \
         --danger-plaintext-credentials"
    );
    run(&words(&[&line]), Some("sesame")).await.says(&["warning:", "DANGER", "plaintext"]);
    let text = all.recv_timeout(Duration::from_secs(5)).expect("the listener does listen");
    assert!(text.contains("sesame"), "{text}");
}
