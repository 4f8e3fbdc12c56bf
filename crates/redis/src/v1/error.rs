//! Errors as redis-rs has them, by functions: neither type is ours, so there can be no `From`.
//!
//! What must stay true: nobody who repeats what redis-rs says may be repeated repeats a write of unknown fate; what may have been
//! executed is told from what certainly was not, and that cannot be forged by a script.

use std::io;

use truename::Error;

use super::value::{MAYBE_EXECUTED, NOT_EXECUTED, error_value, error_words, server_error};
use super::version::redis::{ErrorKind, RedisError, RedisResult, Value, make_extension_error};
use super::version::{CLIENT, EXTENSION, TYPE, io_error};
use crate::engine::Failure;

/// A client's error as redis-rs has it.
///
/// | what happened | what it becomes |
/// |---|---|
/// | the server answered with an error | the same error; code `MAYBEEXECUTED` before it where redis-rs would repeat what may have been executed, as when a script answers `TRYAGAIN` |
/// | nobody knows whether it was executed | code `MAYBEEXECUTED`, an extension that nobody retries |
/// | it was certainly not executed | an I/O error, from which [`native_error`] gets ours: `TimedOut`; `HostUnreachable` where there is no connection; `PermissionDenied` where there will be none, as with a wrong password or certificate; `Unsupported` where it would fail again |
/// | some of several nodes failed, and it only reads | an I/O error, `HostUnreachable` |
/// | the configuration cannot work | `InvalidClientConfig` |
/// | the client was closed | an I/O error, `NotConnected` |
///
/// # Examples
/// ```
/// use truename_redis::{may_have_executed, native_error, to_redis_error};
///
/// let error = to_redis_error(truename::Error::Closed);
/// assert!(error.is_io_error() && !may_have_executed(&error));
/// assert!(matches!(native_error(&error), Some(truename::Error::Closed)));
/// ```
pub fn to_redis_error(error: Error) -> RedisError {
    let kind = match error.inner() {
        Error::Server(refused) => {
            let error = server_error(&error_words(&refused.reply, refused.is_refusal()));
            return error.unwrap_or_else(|| maybe_executed(refused));
        }
        Error::Type(unexpected) => return (TYPE, "unexpected reply", unexpected.to_string()).into(),
        Error::Config(unusable) => {
            return (ErrorKind::InvalidClientConfig, "unusable configuration", unusable.to_string()).into();
        }
        // Only reads can be.
        Error::Partial(_) if error.is_retryable() => io::ErrorKind::HostUnreachable,
        error if error.may_have_executed() => return maybe_executed(error),
        Error::Timeout(_) => io::ErrorKind::TimedOut,
        Error::Closed => io::ErrorKind::NotConnected,
        error if error.is_retryable() => io::ErrorKind::HostUnreachable,
        Error::Connect(_) => io::ErrorKind::PermissionDenied,
        _ => io::ErrorKind::Unsupported,
    };
    io::Error::new(kind, error).into()
}

fn maybe_executed(what: &impl ToString) -> RedisError {
    make_extension_error(MAYBE_EXECUTED.to_owned(), Some(what.to_string()))
}

/// Whether the command may have been executed, by the error that it ended with.
///
/// `false` is a promise: it was not. `true` means that nobody can know without asking the server, except for the
/// server's own errors, where it did answer. The error of a pipeline is `true`, as others of its commands were executed;
/// each of its items has an error of its own.
///
/// # Examples
/// ```
/// use truename_redis::redis::{ErrorKind, RedisError, make_extension_error};
/// use truename_redis::may_have_executed;
///
/// let unknown = make_extension_error("MAYBEEXECUTED".into(), Some("the connection was lost".into()));
/// assert!(may_have_executed(&unknown));
/// assert!(!may_have_executed(&RedisError::from((ErrorKind::Client, "never sent"))));
/// ```
pub fn may_have_executed(error: &RedisError) -> bool {
    if let Some(native) = native_error(error) {
        return native.may_have_executed();
    }
    match error.kind() {
        ErrorKind::InvalidClientConfig => false,
        kind if kind == CLIENT => false,
        kind if kind == EXTENSION => error.code() != Some(NOT_EXECUTED),
        _ => true,
    }
}

/// The client's own error, where that is where an error came from: with the node, the slot, and what would help. See the
/// [example](to_redis_error#examples).
pub fn native_error(error: &RedisError) -> Option<&Error> {
    io_error(error)?.get_ref()?.downcast_ref()
}

/// Why a call has no reply, as redis-rs has it.
pub(super) fn failed(failure: Failure) -> RedisError {
    match failure {
        Failure::Native(error) => to_redis_error(error),
        Failure::Partial(told) => maybe_executed(&told),
        Failure::Unexpected(why) => (TYPE, "unexpected reply", why.to_owned()).into(),
        Failure::Discarded(said) => {
            let said = String::from_utf8_lossy(&said);
            let words = format!("EXECABORT Transaction discarded because of: {said}");
            server_error(&words).unwrap_or_else(|| (CLIENT, "transaction discarded").into())
        }
        Failure::Unsupported(why) => (CLIENT, "not supported by truename-redis", why.to_owned()).into(),
        Failure::Misused(why) => (CLIENT, "cannot be done", why.to_owned()).into(),
    }
}

/// A failure as one of several results.
pub(super) fn failed_item(failure: &Failure) -> Value {
    let (code, told) = match failure {
        Failure::Native(Error::Server(error)) => {
            return error_value(&error_words(&error.reply, error.is_refusal()));
        }
        Failure::Native(error) if error.may_have_executed() => (MAYBE_EXECUTED, error.to_string()),
        Failure::Native(error) => (NOT_EXECUTED, error.to_string()),
        Failure::Partial(told) => (MAYBE_EXECUTED, told.clone()),
        Failure::Unexpected(why) => (MAYBE_EXECUTED, (*why).to_owned()),
        Failure::Discarded(said) => (NOT_EXECUTED, String::from_utf8_lossy(said).into_owned()),
        Failure::Unsupported(why) | Failure::Misused(why) => (NOT_EXECUTED, (*why).to_owned()),
    };
    error_value(&format!("{code} {told}"))
}

/// The replies of a transaction, as `EXEC` has them: nil where a watched key was changed.
pub(super) fn transaction<T>(
    outcomes: Result<Option<Vec<Result<T, Failure>>>, Failure>,
    value: impl Fn(T) -> Value,
) -> RedisResult<Vec<Value>> {
    let Some(outcomes) = outcomes.map_err(failed)? else { return Ok(vec![Value::Nil]) };
    let items =
        outcomes.into_iter().map(|outcome| outcome.map_or_else(|failure| failed_item(&failure), &value));
    Ok(vec![Value::Array(items.collect())])
}

/// The results of a pipeline. An error alone if none of its commands was executed, for certain.
pub(super) fn results<T>(
    outcomes: Vec<Result<T, Failure>>,
    value: impl Fn(T) -> Value,
) -> RedisResult<Vec<Value>> {
    let is_certain = |outcome: &Result<T, Failure>| match outcome {
        Err(Failure::Native(error)) => !matches!(error, Error::Server(_)) && !error.may_have_executed(),
        Err(Failure::Unsupported(_) | Failure::Misused(_) | Failure::Discarded(_)) => true,
        Err(Failure::Partial(_) | Failure::Unexpected(_)) | Ok(_) => false,
    };
    let is_nothing_executed = outcomes.iter().all(is_certain);
    let mut values = Vec::with_capacity(outcomes.len());
    for outcome in outcomes {
        match outcome {
            Ok(reply) => values.push(value(reply)),
            Err(failure) if is_nothing_executed => return Err(failed(failure)),
            Err(failure) => values.push(failed_item(&failure)),
        }
    }
    Ok(values)
}

#[cfg(test)]
mod tests {
    use truename::Reply;

    use super::super::value::value;
    use super::*;

    #[test]
    fn what_was_certainly_not_executed_is_an_error_alone_or_has_a_code() {
        let closed = || Err(Failure::Native(Error::Closed));
        let nothing = results(vec![closed(), closed()], value).expect_err("nothing was executed");
        assert!(!may_have_executed(&nothing) && matches!(native_error(&nothing), Some(Error::Closed)));

        let partial = || Err(Failure::Partial("one of three nodes".to_owned()));
        let some =
            results(vec![Ok(Reply::Integer(1)), closed(), partial()], value).expect("one was executed");
        let [Value::Int(1), Value::ServerError(not), Value::ServerError(maybe)] = &some[..] else {
            panic!("{some:?}")
        };
        assert_eq!((not.code(), maybe.code()), (NOT_EXECUTED, MAYBE_EXECUTED));
        let alone = |item: &Value| item.clone().extract_error().expect_err("an error");
        assert!(!may_have_executed(&alone(&some[1])) && may_have_executed(&alone(&some[2])));
        assert_eq!(results(Vec::new(), value).expect("nothing to do"), []);
    }

    #[test]
    fn an_unknown_fate_is_never_a_reason_to_retry() {
        let error = failed(Failure::Partial("unknown".to_owned()));
        assert_eq!((error.kind(), error.code()), (EXTENSION, Some(MAYBE_EXECUTED)));
        assert!(!error.is_io_error() && !error.is_unrecoverable_error() && may_have_executed(&error));
        let unexpected = failed(Failure::Unexpected("of another kind"));
        assert!(unexpected.kind() == TYPE && may_have_executed(&unexpected));
        let misused = failed(Failure::Misused("no such thing"));
        assert!(misused.kind() == CLIENT && !may_have_executed(&misused));
    }
}
