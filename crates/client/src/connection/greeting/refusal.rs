//! What an error in answer to the greeting means, and what a broken exchange does.

use truename_resp::ErrorReply;

use crate::connection::io_cause::is_closed;
use crate::connection::wire::WireError;
use crate::error::{Cause, Phase};
use crate::tls::classify_tls_error;

/// Whether the server does not know `HELLO`, or not the version that was asked for.
pub(super) fn lacks_hello(error: &ErrorReply) -> bool {
    error.code() == "NOPROTO" || (error.code() == "ERR" && mentions(error, "unknown command"))
}

fn mentions(error: &ErrorReply, what: &str) -> bool {
    error.message().to_ascii_lowercase().contains(what)
}

/// What an error reply to the login means. The server's words never repeat the password.
pub(crate) fn refusal(error: &ErrorReply) -> (Phase, Cause) {
    match error.code() {
        "WRONGPASS" => (Phase::Auth, Cause::WrongCredentials),
        "NOAUTH" => (Phase::Auth, Cause::AuthRequired),
        "NOPERM" => (Phase::Auth, Cause::NoPermission(error.message().to_owned())),
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
pub(crate) fn broken(error: WireError) -> (Phase, Cause) {
    match error {
        WireError::Closed => (Phase::Hello, Cause::ClosedByPeer),
        WireError::Surplus => {
            (Phase::Hello, Cause::NotRedis("a reply that nothing was asked for".to_owned()))
        }
        WireError::Decode(error) => (Phase::Hello, Cause::NotRedis(error.to_string())),
        WireError::Io(error) => match classify_tls_error(&error) {
            Some((cause, _)) => (Phase::Tls, cause),
            None if is_closed(&error) => (Phase::Hello, Cause::ClosedByPeer),
            None => (Phase::Hello, Cause::Io(error.to_string())),
        },
    }
}
