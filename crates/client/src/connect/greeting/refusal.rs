//! What an error in answer to the greeting means, and what a broken exchange means.

use truename_resp::ErrorReply;

use crate::config::Credentials;
use crate::connect::io_cause::is_closed;
use crate::connect::wire::WireError;
use crate::error::{Cause, Phase};
use crate::tls::classify_tls_error;

/// Whether the server does not know `HELLO`, or not the version that was asked for.
pub(super) fn lacks_hello(error: &ErrorReply) -> bool {
    error.code() == "NOPROTO" || (error.code() == "ERR" && mentions(error, "unknown command"))
}

fn mentions(error: &ErrorReply, what: &str) -> bool {
    error.message().to_ascii_lowercase().contains(what)
}

/// The cause without the password: there are servers and proxies that repeat what they do not like.
pub(crate) fn without_secret(mut cause: Cause, credentials: Option<&Credentials>) -> Cause {
    if let Cause::ServerRefused(text)
    | Cause::NoPermission { reply: text, .. }
    | Cause::NotRedis(text)
    | Cause::NoDatabase(text)
    | Cause::BadTopology(text)
    | Cause::NoResp3(text) = &mut cause
    {
        hide_secret(text, credentials);
    }
    cause
}

/// Takes the password out of a server's words.
pub(crate) fn hide_secret(text: &mut String, credentials: Option<&Credentials>) {
    let secret = credentials.map(Credentials::secret).filter(|secret| !secret.is_empty());
    if let Some(secret) = secret.filter(|secret| text.contains(*secret)) {
        *text = text.replace(secret, "[hidden]");
    }
}

/// What an error in answer to a command of the handshake means.
pub(crate) fn refusal(command: &'static str, error: &ErrorReply) -> (Phase, Cause) {
    match error.code() {
        "WRONGPASS" => (Phase::Auth, Cause::WrongCredentials),
        "NOAUTH" => (Phase::Auth, Cause::AuthRequired),
        "NOPERM" => (Phase::Auth, Cause::NoPermission { command, reply: error.message().to_owned() }),
        "LOADING" => (Phase::Hello, Cause::Loading),
        // Before 6.0, and for the one-argument form.
        "ERR" if mentions(error, "invalid password") => (Phase::Auth, Cause::WrongCredentials),
        "ERR" if mentions(error, "without any password configured") => {
            (Phase::Auth, Cause::ServerRefused("a password was given, but the server has none".to_owned()))
        }
        _ => (Phase::Hello, Cause::ServerRefused(error.message().to_owned())),
    }
}

/// What a broken round trip of the handshake means. With TLS 1.3 a missing client certificate shows only here.
pub(crate) fn handshake_cause(error: WireError) -> (Phase, Cause) {
    match error {
        WireError::Closed => (Phase::Hello, Cause::ClosedByPeer),
        WireError::Surplus => (Phase::Hello, Cause::NotRedis("an unsolicited reply".to_owned())),
        WireError::Decode(error) => (Phase::Hello, Cause::NotRedis(error.to_string())),
        WireError::Io(error) => match classify_tls_error(&error) {
            Some((cause, _)) => (Phase::Tls, cause),
            None if is_closed(&error) => (Phase::Hello, Cause::ClosedByPeer),
            None => (Phase::Hello, Cause::Io(error.to_string())),
        },
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;
    use crate::config::Protocol;
    use crate::connect::greeting::{Login, exchange};
    use crate::connect::wire::Wire;

    /// A server's words about the login were taken to be free of the password, and shown.
    #[tokio::test]
    async fn a_server_that_repeats_the_password_has_it_neither_logged_nor_shown() {
        let login = Login { credentials: Some(Credentials::user("bob", "sesame")), ..Login::default() };
        for said in [
            "-ERR Syntax error in HELLO option 'AUTH bob sesame'\r\n",
            "-NOPERM bob may not AUTH bob sesame\r\n",
            "-sesame\r\n",
            "$6\r\nsesame\r\n",
            // The second round trip, without `HELLO`.
            "-NOPROTO\r\n+OK\r\n+OK\r\n-ERR\r\n-ERR\r\n-ERR AUTH bob sesame\r\n",
        ] {
            let (client, mut server) = tokio::io::duplex(4096);
            let mut wire = Wire::new(client);
            let (failed, ()) = tokio::join!(exchange(&mut wire, &login, true), async {
                let (first, second) = said.split_at(said.rfind("-ERR AUTH").unwrap_or(said.len()));
                server.write_all(first.as_bytes()).await.expect("room");
                tokio::task::yield_now().await;
                tokio::task::yield_now().await;
                server.write_all(second.as_bytes()).await.expect("room");
            });
            let (_, cause) = failed.expect_err(said);
            assert!(!format!("{cause} {cause:?}").contains("sesame"), "{said}: {cause}");
            assert!(cause.to_string().contains("[hidden]"), "{said}: {cause}");
        }
    }

    /// There was no way to say that RESP2 will not do.
    #[tokio::test]
    async fn a_server_without_resp3_is_refused_where_that_was_asked_for() {
        for (protocol, said, expected) in [
            (Protocol::Resp3, "-NOPROTO unsupported\r\n", Some("NOPROTO unsupported")),
            (
                Protocol::Resp3,
                "-ERR unknown command 'HELLO' sesame\r\n",
                Some("ERR unknown command 'HELLO' [hidden]"),
            ),
            (Protocol::Resp3, "%0\r\n", None),
            (Protocol::Auto, "%0\r\n", None),
        ] {
            let login =
                Login { protocol, credentials: Some(Credentials::password("sesame")), ..Login::default() };
            let (client, mut server) = tokio::io::duplex(4096);
            let mut wire = Wire::new(client);
            let (greeted, ()) = tokio::join!(exchange(&mut wire, &login, true), async {
                let rest = "-ERR\r\n-ERR\r\n-ERR\r\n$9\r\nid=7 db=0\r\n";
                server.write_all(format!("{said}{rest}").as_bytes()).await.expect("room");
            });
            let refused = expected.map(|said| (Phase::Hello, Cause::NoResp3(said.to_owned())));
            assert_eq!(greeted.err(), refused, "{protocol:?} {said}");
        }
    }

    /// An error in answer to `CLIENT INFO` is what older servers say. One that was some other command's had its own reply,
    /// which came a moment later, taken for that of the first caller's command.
    #[tokio::test]
    async fn a_reply_that_is_still_on_its_way_is_waited_for() {
        let login = Login::default();
        let before = "%0\r\n-ERR\r\n-ERR\r\n-ERR\r\n-ERR no such subcommand\r\n";
        for (late, is_sound) in [
            ("+PONG\r\n", true),
            ("-NOPERM no\r\n", true),
            ("-LOADING soon\r\n", false),
            ("$9\r\nid=7 db=0\r\n+PONG\r\n", false),
            ("-ERR\r\n+PONG\r\n", false),
            ("+PONG\r\n+PONG\r\n", false),
        ] {
            let (client, mut server) = tokio::io::duplex(4096);
            let mut wire = Wire::new(client);
            let (greeted, ()) = tokio::join!(exchange(&mut wire, &login, true), async {
                server.write_all(before.as_bytes()).await.expect("room");
                let mut heard = Vec::new();
                while !heard.ends_with(b"PING\r\n") {
                    server.read_buf(&mut heard).await.expect("open");
                }
                server.write_all(late.as_bytes()).await.expect("room");
            });
            assert_eq!(greeted.is_ok(), is_sound, "{late}: {greeted:?}");
        }
    }

    /// A proxy that acknowledges `SELECT` without passing it on would have everything done in another database.
    #[tokio::test]
    async fn a_connection_is_used_only_in_its_database() {
        let two = || Login { database: 2, ..Login::default() };
        let zero = Login::default;
        let hello = |select: &str, info: &str| {
            format!("%0\r\n{select}+OK\r\n+OK\r\n-ERR\r\n${}\r\n{info}\r\n", info.len())
        };
        let out_of_range = "-ERR DB index is out of range\r\n";
        // A server without `HELLO` is greeted again.
        let old = |select: &str| {
            format!("-ERR unknown command\r\n{select}-ERR\r\n-ERR\r\n-ERR\r\n-ERR\r\n|+PONG\r\n{select}")
        };
        let other = |wanted, actual| Some(Cause::OtherDatabase { wanted, actual });
        let no_database = || Some(Cause::NoDatabase("ERR DB index is out of range".to_owned()));
        let not_permitted = || {
            let reply = "NOPERM no permission to run the 'select' command".to_owned();
            Some(Cause::NoPermission { command: "SELECT", reply })
        };
        let unreadable = "CLIENT INFO was answered with a reply of type bulk string `id=7 db=x`".to_owned();
        let may_not = "-NOPERM no permission to run the 'select' command\r\n";
        for (login, said, refused) in [
            (two(), hello("+OK\r\n", "id=7 db=2"), None),
            (two(), hello("+OK\r\n", "id=7"), None),
            (two(), hello("+OK\r\n", "id=7 db=0"), other(2, 0)),
            (two(), hello("+OK\r\n", "id=7 db=x"), Some(Cause::NotRedis(unreadable))),
            (two(), hello(out_of_range, "id=7 db=0"), no_database()),
            (two(), hello(may_not, "id=7 db=0"), not_permitted()),
            (two(), old(out_of_range), no_database()),
            (zero(), hello("", "id=7 db=0"), None),
            (zero(), hello("", "id=7 db=3"), other(0, 3)),
        ] {
            let (client, mut server) = tokio::io::duplex(4096);
            let mut wire = Wire::new(client);
            let (greeted, ()) = tokio::join!(exchange(&mut wire, &login, true), async {
                for part in said.split('|') {
                    server.write_all(part.as_bytes()).await.expect("room");
                    tokio::task::yield_now().await;
                    tokio::task::yield_now().await;
                }
            });
            assert_eq!(greeted.err().map(|(_, cause)| cause), refused, "{said}");
        }
    }
}
