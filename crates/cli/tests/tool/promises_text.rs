//! Nothing that a peer says reaches the terminal as anything but text.

use std::io::{Read, Write};
use std::net::SocketAddr;

use crate::support::peers::{peer, tls_peer};
use crate::support::{AUTHORITY, Run, run, words};
use bytes::BytesMut;
use rcgen::string::Ia5String;
use rcgen::{CertificateParams, DnType, KeyPair, SanType};
use truename::resp::{Decoder, Frame, Limits, Reply};

/// Clears the screen, moves the cursor, writes a verdict, ends the line, turns what follows around.
const HOSTILE: &str =
    "\u{1b}[2J\u{9b}1;1H\u{1b}]0;owned\u{7}All 7 addresses can be used\r\u{7f}\u{202e}\u{2066}\u{85}";

fn is_dangerous(character: char) -> bool {
    matches!(character,
        '\0'..='\u{9}' | '\u{b}'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{61c}' | '\u{200e}' | '\u{200f}'
        | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn assert_harmless(run: &Run) {
    let text = run.text();
    assert!(!text.chars().any(is_dangerous), "truename {}: {text:?}", run.line);
    // Neither did a line break of the peer's begin a line of its own.
    assert!(!text.lines().any(|line| line.starts_with("All 7")), "truename {}: {text}", run.line);
}

/// Presents a self-signed certificate whose issuer, subject and names are hostile.
fn man_in_the_middle() -> SocketAddr {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, HOSTILE);
    params.distinguished_name.push(DnType::OrganizationName, format!("\n{HOSTILE}"));
    let ascii: String = HOSTILE.chars().filter(char::is_ascii).collect();
    params.subject_alt_names = vec![SanType::DnsName(Ia5String::try_from(ascii).expect("ASCII"))];
    let key = KeyPair::generate().expect("a key");
    let certificate = params.self_signed(&key).expect("a certificate");
    tls_peer(vec![certificate.der().clone()], &key)
}

/// Speaks RESP, and says hostile things of itself, of its neighbour and of every command.
fn hostile_server(announced: &'static str) -> SocketAddr {
    peer(move |mut stream| {
        let Ok(address) = stream.local_addr() else { return };
        let (mut decoder, mut inbound) = (Decoder::new(Limits::default()), BytesMut::new());
        loop {
            let mut bytes = [0; 4096];
            let Ok(read @ 1..) = stream.read(&mut bytes) else { return };
            inbound.extend_from_slice(&bytes[..read]);
            while let Ok(Some(Frame::Reply(command))) = decoder.decode(&mut inbound) {
                if stream.write_all(&answer(&command, announced, address)).is_err() {
                    return;
                }
            }
        }
    })
}

fn bulk(text: &str) -> String {
    format!("${}\r\n{text}\r\n", text.len())
}

fn answer(command: &Reply, announced: &str, address: SocketAddr) -> Vec<u8> {
    let word = |at: usize| command.as_array().and_then(|words| words.get(at)?.as_str()).unwrap_or_default();
    let own = bulk(HOSTILE);
    match (word(0), word(1)) {
        ("HELLO", _) => format!(
            "%4\r\n{}{own}{}{own}{}{own}{}{own}",
            bulk("server"),
            bulk("version"),
            bulk("mode"),
            bulk("availability_zone")
        ),
        ("CLIENT", "INFO") => bulk(&format!("id=1 addr={HOSTILE} user={HOSTILE}")),
        ("CLIENT", _) => "+OK\r\n".to_owned(),
        ("CLUSTER", "MYID") => own,
        ("CLUSTER", "SLOTS") => {
            let node = |host: &str, port: u16| {
                format!("*4\r\n{}:{port}\r\n{own}*2\r\n{}{own}", bulk(host), bulk("hostname"))
            };
            let port = address.port();
            format!("*1\r\n*4\r\n:0\r\n:16383\r\n{}{}", node("127.0.0.1", port), node(announced, port))
        }
        ("PING", _) => "+PONG\r\n".to_owned(),
        _ => format!("!{}\r\n{HOSTILE}\n{HOSTILE}\r\n", 2 * HOSTILE.len() + 1),
    }
    .into_bytes()
}

async fn look(address: SocketAddr, options: &str) {
    let mut runs = tokio::task::JoinSet::new();
    for command in ["doctor", "ping", "exec"] {
        for how in ["", "--json", "-vvv"] {
            let rest = if command == "exec" { "-- STRLEN city" } else { "" };
            let line = words(&[
                command,
                &address.to_string(),
                options,
                how,
                "--color never --connect-timeout 1500ms --timeout 1s",
                rest,
            ]);
            runs.spawn(async move { assert_harmless(&run(&line, None).await) });
        }
    }
    runs.join_all().await;
}

/// Before any trust was established, the issuer of a certificate could clear the screen and write that all is well.
#[tokio::test]
async fn a_man_in_the_middle_writes_nothing_on_the_terminal() {
    look(man_in_the_middle(), &format!("--cacert {AUTHORITY}")).await;
    look(man_in_the_middle(), "--danger-accept-invalid-certificates").await;
}

/// So could node ids, host names, versions, zones and error replies of whoever answers.
#[tokio::test]
async fn nor_does_a_server() {
    for announced in [HOSTILE, "a\u{202e}b.test", "?", ""] {
        look(hostile_server(announced), "--plain").await;
    }
}
