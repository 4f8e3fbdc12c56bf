//! The clients under test, each behind the same few calls.
//!
//! Every client is used as its documentation says, with the cheapest types that it offers for keys and values: what
//! is compared is the clients, not conversions around them. All tasks of a run share one client. One file per client;
//! `raw` is the floor, no client at all. `kind` has their names, `subject` the calls, `synchronous` those
//! without `async`.

mod fred;
mod kind;
pub(crate) mod raw;
mod redis_rs;
mod rustis;
mod subject;
mod synchronous;
pub(crate) mod truename;
mod truename_redis;

pub(crate) use self::fred::Fred;
pub(crate) use self::kind::Kind;
pub(crate) use self::raw::Raw;
pub(crate) use self::redis_rs::RedisRs;
pub(crate) use self::rustis::Rustis;
pub(crate) use self::subject::{Settings, Subject};
pub(crate) use self::synchronous::{Sockets, Synchronous};
pub(crate) use self::truename::Truename;
pub(crate) use self::truename_redis::TruenameRedis;
