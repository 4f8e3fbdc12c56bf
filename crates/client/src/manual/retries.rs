//! What is sent again, what an error says about the execution of a command, and what a program can do with that.
//!
//! # What is known about an attempt
//!
//! A command that got no reply was either not sent completely, or refused, or nobody knows what became of it. The client
//! keeps these apart ([`Execution`]), and [`Error::may_have_executed`] is the answer in one bit: `false` is a promise that
//! the command had no effect, whatever happened to the last of several attempts.
//!
//! | what happened to an attempt | is it sent again? |
//! |---|---|
//! | it was not sent completely: no connection, no room, a cut in the middle | yes, until the deadline; not if the reason will not pass, such as a certificate that is refused |
//! | a server refused it for now ([which answers](super::redirects#what-a-server-may-answer)) | yes, until the deadline |
//! | it was sent, and the connection ended before the reply | if it changes nothing; a write only if you said so |
//! | it was sent, and the deadline passed | no |
//! | a server refused it for good, such as `EVALSHA` of a script that it does not have | no |
//! | a script, a function or an unknown command that may be executed twice ended with `CLUSTERDOWN`, `LOADING` or the like | yes, until the deadline |
//! | the server answered with another error | no |
//!
//! # Commands that change nothing
//!
//! Whether a command changes nothing depends on its arguments: `SORT` with `STORE` writes. It is decided by a table of all
//! commands of Redis and Valkey, which [`Spec::changes_nothing`] gives access to. Commands that are not in the table, and
//! scripts unless their command is a read-only one (`EVAL_RO`), never count as such.
//!
//! Even a read is not sent again for ever, since it may be the reason why a connection ends:
//!
//! - If the client gave a connection up (the server was silent, broke the protocol, or its reply passed a limit), the oldest
//!   command on it is not sent again. Reads after it are, once.
//! - If the server closed the connection, the oldest command is sent three times at most.
//!
//! # Writes
//!
//! A write whose reply was lost is reported as [`Error::Interrupted`] and not repeated. Repeating it could undo what others
//! wrote in between. Two options change that:
//!
//! - [`Command::repeatable`] for one call. It overrides the table, for commands that are not in it as well.
//! - [`Config::repeat_writes_of_unknown_fate`] for a client. It applies only to writes that leave the same state whether executed
//!   once or twice, with the same reply ([`Spec::repeatable`]: `SET`, `EXPIRE`, `SUNIONSTORE`; not `DEL`, whose reply
//!   differs), and only if the server ended the connection.
//!
//! A command on a connection that the client gave up may still lie unread in the server's socket. Before the connection that
//! takes its place is used, the server is asked to drop the old one, so that the command is not executed late, after
//! something newer. This needs the permission for `CLIENT KILL` and a server of 6.2 or later; everything else here holds
//! without it.
//!
//! # What each error says
//!
//! | error | [`may_have_executed`] | [`is_retryable`]: the same call may succeed later, and repeating it is safe |
//! |---|---|---|
//! | [`Config`](crate::Error::Config), [`Closed`](crate::Error::Closed) | no | no |
//! | [`Connect`](crate::Error::Connect) | no | if a cause is [transient](crate::error::Cause::is_transient) |
//! | [`Route`](crate::Error::Route) | no | for `Unassigned`, `NoExclusiveConnection`, and `NoReplica` unless the replicas refused |
//! | [`Server`](crate::Error::Server) | unless it was a refusal | no: what may succeed later was tried until the deadline, and is a `Timeout`, or this error where a script may have run |
//! | [`Timeout`](crate::Error::Timeout) | unless it was not sent, or refused | if not sent, or refused |
//! | [`Interrupted`](crate::Error::Interrupted), [`Protocol`](crate::Error::Protocol) | yes | no |
//! | [`Type`](crate::Error::Type) | yes: there is a reply, of another type | no |
//! | [`Partial`](crate::Error::Partial) | if a part may have been | if no part had an effect, and each that failed is retryable |
//! | [`InBatch`](crate::Error::InBatch) | as the command's own error says ([`Error::inner`](crate::Error::inner)) | likewise |
//!
//! Only the servers' own words for "not here" and "not now" count as a refusal, and `CROSSSLOT`, since servers look at the
//! slots of all keys before they execute anything. `WRONGTYPE` and the like do not, so
//! `may_have_executed` is `true` for them; the reply in [`Error::Server`] says what they mean. Nor does any error of a
//! script, of a function or of a command that the table lacks: it may have written before it failed. Two exceptions
//! are the servers' own words: `NOSCRIPT` in answer to `EVALSHA`, and `TRYAGAIN` to two or more different keys of a slot that is on
//! its way. A script that [may be executed twice](crate::ScriptCall::repeatable) is sent again after `CLUSTERDOWN`, `LOADING`,
//! `MASTERDOWN`, `READONLY` or `TRYAGAIN` all the same, and the error that it ends with still says that it may have run. Once an attempt may have been executed, no later error of the
//! call says that it was not.
//!
//! # When nobody knows
//!
//! Make writes recognisable, and look:
//!
//! ```no_run
//! use truename::{Client, Error, cmd};
//!
//! /// Stores an order under an id of its own, so that it can be looked for.
//! async fn store(client: &Client, id: &str, order: &str) -> Result<(), Error> {
//!     let put = || cmd("HSET").arg("orders").arg(id).arg(order);
//!     match client.run(put()).await {
//!         // Certainly not stored, and worth another call, perhaps after a while.
//!         Err(error) if error.is_retryable() => client.execute(put()).await,
//!         // It may be there.
//!         Err(error) if error.may_have_executed() => {
//!             let stored: Option<String> = client.execute(cmd("HGET").arg("orders").arg(id)).await?;
//!             if stored.as_deref() == Some(order) { Ok(()) } else { Err(error) }
//!         }
//!         other => other,
//!     }
//! }
//! ```
//!
//! Here `put().repeatable(true)` would do as well: nobody else writes this field, so twice is as good as once.
//!
//! [`Command::repeatable`]: crate::Command::repeatable
//! [`Config::repeat_writes_of_unknown_fate`]: crate::Config::repeat_writes_of_unknown_fate
//! [`Error::Interrupted`]: crate::Error::Interrupted
//! [`Error::Server`]: crate::Error::Server
//! [`Error::may_have_executed`]: crate::Error::may_have_executed
//! [`Execution`]: crate::error::Execution
//! [`Spec::changes_nothing`]: crate::command::Spec::changes_nothing
//! [`Spec::repeatable`]: crate::command::Spec::repeatable
//! [`is_retryable`]: crate::Error::is_retryable
//! [`may_have_executed`]: crate::Error::may_have_executed
