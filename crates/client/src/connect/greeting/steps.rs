//! The commands of the greeting, each with how its reply is read.
//!
//! `HELLO 3 [AUTH user password]`, or `[AUTH [user] password]` or `PING` with RESP2, then `[SELECT]`, `CLIENT SETINFO` twice,
//! `[CLIENT SETNAME]`, `[READONLY]`, `CLUSTER MYID`, `CLIENT INFO`.

use truename_resp::{ErrorReply, Reply, Untrusted};
use truename_topology::Metadata;

use super::login::Login;
use super::refusal::refusal;
use super::said::Greeting;
use crate::config::Credentials;
use crate::connect::step::StepResult;
use crate::error::{Cause, Phase};

const LIBRARY: &[u8] = b"truename";
const VERSION: &[u8] = env!("CARGO_PKG_VERSION").as_bytes();
const SETINFO: &str = "CLIENT SETINFO";

/// One command and what its reply is for.
pub(super) struct Step<'a> {
    name: &'static str,
    pub(super) args: Vec<&'a [u8]>,
    read: Read,
}

/// Reads the reply to the command of this name.
type Read = fn(&'static str, &mut Greeting, &Reply) -> StepResult<()>;

impl Step<'_> {
    pub(super) fn read(&self, greeting: &mut Greeting, reply: &Reply) -> StepResult<()> {
        (self.read)(self.name, greeting, reply)
    }
}

/// The whole greeting in this version of the protocol. The first step is the login. `database` is the number as text.
pub(super) fn steps<'a>(
    login: &'a Login,
    database: &'a str,
    protocol: u8,
    is_for_reads: bool,
) -> Vec<Step<'a>> {
    let mut steps = vec![if protocol == 3 { hello(login) } else { login_resp2(login) }];
    if login.database > 0 {
        steps.push(Step { name: "SELECT", args: vec![b"SELECT", database.as_bytes()], read: selected });
    }
    steps.push(Step {
        name: SETINFO,
        args: vec![b"CLIENT", b"SETINFO", b"LIB-NAME", LIBRARY],
        read: acknowledged,
    });
    steps.push(Step {
        name: SETINFO,
        args: vec![b"CLIENT", b"SETINFO", b"LIB-VER", VERSION],
        read: acknowledged,
    });
    if let Some(name) = login.client_name.as_deref().filter(|name| !name.is_empty()) {
        steps.push(Step {
            name: "CLIENT SETNAME",
            args: vec![b"CLIENT", b"SETNAME", name.as_bytes()],
            read: acknowledged,
        });
    }
    if login.readonly && is_for_reads {
        steps.push(Step { name: "READONLY", args: vec![b"READONLY"], read: readonly });
    }
    steps.push(Step { name: "CLUSTER MYID", args: vec![b"CLUSTER", b"MYID"], read: cluster_myid });
    steps.push(Step { name: "CLIENT INFO", args: vec![b"CLIENT", b"INFO"], read: client_info });
    steps
}

fn hello(login: &Login) -> Step<'_> {
    let mut args: Vec<&[u8]> = vec![b"HELLO", b"3"];
    if let Some(credentials) = &login.credentials {
        let user = credentials.user_name().unwrap_or(Credentials::DEFAULT_USER);
        args.extend([b"AUTH".as_slice(), user.as_bytes(), credentials.secret().as_bytes()]);
    }
    Step { name: "HELLO", args, read: described }
}

fn login_resp2(login: &Login) -> Step<'_> {
    let Some(credentials) = &login.credentials else {
        return Step { name: "PING", args: vec![b"PING"], read: logged_in };
    };
    let mut args: Vec<&[u8]> = vec![b"AUTH"];
    args.extend(credentials.user_name().map(str::as_bytes));
    args.push(Credentials::secret(credentials).as_bytes());
    Step { name: "AUTH", args, read: logged_in }
}

/// `HELLO`: a map, or with RESP2 the same as a flat array.
fn described(name: &'static str, greeting: &mut Greeting, reply: &Reply) -> StepResult<()> {
    match reply {
        Reply::Error(error) => return Err(refusal(name, error)),
        Reply::Map(_) | Reply::Array(_) => {}
        other => return Err(unexpected(name, other)),
    }
    let text =
        |key| reply.lookup(key).and_then(Reply::as_str).filter(|text| !text.is_empty()).map(str::to_owned);
    greeting.protocol = 3;
    greeting.server = text("server");
    greeting.version = text("version");
    greeting.mode = text("mode");
    greeting.availability_zone = text("availability_zone");
    Ok(())
}

/// `AUTH` or `PING`.
fn logged_in(name: &'static str, greeting: &mut Greeting, reply: &Reply) -> StepResult<()> {
    match reply {
        Reply::Error(error) => Err(refusal(name, error)),
        Reply::Simple(_) | Reply::Bulk(_) => {
            greeting.protocol = 2;
            Ok(())
        }
        other => Err(unexpected(name, other)),
    }
}

/// `SELECT`: `ERR SELECT is not allowed in cluster mode`, `ERR DB index is out of range` (7.0).
fn selected(name: &'static str, _: &mut Greeting, reply: &Reply) -> StepResult<()> {
    match reply {
        Reply::Error(error) if error.code() == "ERR" => {
            Err((Phase::Hello, Cause::NoDatabase(error.message().to_owned())))
        }
        Reply::Error(error) => Err(refusal(name, error)),
        Reply::Simple(_) => Ok(()),
        other => Err(unexpected(name, other)),
    }
}

/// What a server may not know or not allow, and whose reply does not matter.
fn acknowledged(name: &'static str, _: &mut Greeting, reply: &Reply) -> StepResult<()> {
    match reply {
        Reply::Error(_) | Reply::Simple(_) => Ok(()),
        other => Err(unexpected(name, other)),
    }
}

fn readonly(name: &'static str, greeting: &mut Greeting, reply: &Reply) -> StepResult<()> {
    greeting.is_readonly = matches!(reply, Reply::Simple(_));
    greeting.readonly_refusal = reply.as_error().map(|error| error.message().to_owned());
    acknowledged(name, greeting, reply)
}

fn cluster_myid(name: &'static str, greeting: &mut Greeting, reply: &Reply) -> StepResult<()> {
    greeting.node_id = read_id(name, reply, whole)?;
    Ok(())
}

/// `id=3 addr=127.0.0.1:60188 … user=default …`, since 6.2.
fn client_info(name: &'static str, greeting: &mut Greeting, reply: &Reply) -> StepResult<()> {
    let text = match reply {
        Reply::Error(_) | Reply::Simple(_) => return Ok(()),
        other => other.as_str(),
    };
    let field = |name| text?.split_ascii_whitespace().find_map(|field| field.strip_prefix(name));
    let id = field("id=").ok_or_else(|| unexpected(name, reply))?;
    greeting.client_id = id.parse().ok();
    greeting.client_address = field("addr=").map(str::to_owned);
    greeting.user = field("user=").map(str::to_owned);
    let database = field("db=").map(str::parse).transpose();
    greeting.database = database.map_err(|_| unexpected(name, reply))?;
    Ok(())
}

/// Reads the reply to `PING`. `NOPERM` will do too: the user may not send it, and the server answers.
pub(super) fn ponged(reply: &Reply) -> StepResult<()> {
    match reply {
        Reply::Error(error) if error.code() == "NOPERM" => Ok(()),
        Reply::Error(error) => Err(refusal("PING", error)),
        _ if reply.as_str() == Some("PONG") => Ok(()),
        other => Err(unexpected("PING", other)),
    }
}

/// Reads a node id from the reply to a command that reports it. `Ok(None)` when the server permanently does not report
/// it to this user; anything else that is not an id is a transient failure: treating it as "not reported" would skip the check.
pub(in crate::connect) fn read_id(
    command: &'static str,
    reply: &Reply,
    find: impl Fn(&str) -> Option<&str>,
) -> StepResult<Option<String>> {
    let text = match reply {
        Reply::Error(error) if does_not_tell(error) => return Ok(None),
        Reply::Error(error) => return Err(refusal(command, error)),
        Reply::Bulk(_) | Reply::Verbatim(_) => reply.as_str(),
        other => return Err(unexpected(command, other)),
    };
    let id = text
        .and_then(find)
        .filter(|id| Metadata::NodeId.allows(id))
        .ok_or_else(|| unexpected(command, reply))?;
    Ok(Some(id.to_owned()))
}

/// The reply is the id.
fn whole(text: &str) -> Option<&str> {
    Some(text)
}

/// `ERR`: unknown, unsupported, cluster support disabled, what proxies say; `NOPERM`: the user may not ask.
fn does_not_tell(error: &ErrorReply) -> bool {
    matches!(error.code(), "ERR" | "NOPERM")
}

/// A reply that the command cannot have.
fn unexpected(command: &str, reply: &Reply) -> (Phase, Cause) {
    let text = reply.as_str().map_or_else(String::new, |text| format!(" `{}`", Untrusted(text)));
    (
        Phase::Hello,
        Cause::NotRedis(format!("{command} was answered with a reply of type {}{text}", reply.kind())),
    )
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn read(reply: &Reply) -> Result<Option<String>, &'static str> {
        read_id("CLUSTER MYID", reply, whole).map_err(|(_, cause)| cause.code())
    }

    #[test]
    fn what_a_reply_says_of_the_node_id() {
        let error = |text: &'static str| Reply::Error(ErrorReply::new(Bytes::from_static(text.as_bytes())));
        let bulk = |text: &str| Reply::Bulk(Bytes::copy_from_slice(text.as_bytes()));
        let rows = [
            (bulk("07c3"), Ok(Some("07c3".to_owned()))),
            (bulk(&"x".repeat(64)), Ok(Some("x".repeat(64)))),
            (bulk(&"x".repeat(65)), Err("not-redis")),
            (bulk(""), Err("not-redis")),
            (bulk("a b"), Err("not-redis")),
            (bulk("a\u{1b}[2J"), Err("not-redis")),
            (Reply::Simple("OK".into()), Err("not-redis")),
            (Reply::Nil, Err("not-redis")),
            (error("ERR unknown command"), Ok(None)),
            (error("NOPERM no"), Ok(None)),
            (error("LOADING soon"), Err("loading")),
            (error("BUSY script"), Err("server-refused")),
            (error("TRYAGAIN"), Err("server-refused")),
            (error("odd"), Err("server-refused")),
        ];
        for (reply, expected) in rows {
            assert_eq!(read(&reply), expected, "{reply:?}");
        }
    }

    /// Whatever came first of three commands, `CLIENT SETINFO` was said to have been answered in a wrong way.
    #[test]
    fn the_command_with_the_wrong_answer_is_named() {
        let login = Login {
            credentials: Some(Credentials::password("secret")),
            client_name: Some("app".to_owned()),
            database: 2,
            readonly: true,
            ..Login::default()
        };
        for protocol in [2, 3] {
            for step in steps(&login, "2", protocol, true) {
                let (_, cause) =
                    step.read(&mut Greeting::default(), &Reply::Integer(7)).expect_err("a number");
                let words: Vec<&str> =
                    step.args.iter().filter_map(|word| std::str::from_utf8(word).ok()).collect();
                let text = cause.to_string();
                assert!(words.join(" ").starts_with(step.name), "{} {words:?}", step.name);
                assert!(
                    text.contains(&format!("{} was answered with a reply of type integer", step.name)),
                    "{text}"
                );
            }
        }
    }
}
