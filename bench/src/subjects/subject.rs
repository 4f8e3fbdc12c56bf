//! The calls that every client is put behind.

use std::future::Future;
use std::time::Duration;

use bytes::Bytes;

use crate::failure::Failure;
use crate::target::{Key, Target};

/// What a client is given besides the servers; `None` leaves the client's own default.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Settings {
    /// How long a call may take in total.
    pub(crate) deadline: Option<Duration>,
    /// How long connecting to one node may take.
    pub(crate) connect: Option<Duration>,
}

/// A connected client under test. A clone is what one task uses.
pub(crate) trait Subject: Clone + Send + Sync + 'static {
    /// Connects.
    fn connect(target: &Target, settings: &Settings) -> impl Future<Output = Result<Self, Failure>> + Send;

    /// GET; the length of the value.
    fn get(&mut self, key: &Key) -> impl Future<Output = Result<usize, Failure>> + Send;

    /// SET.
    fn set(&mut self, key: &Key, value: &Bytes) -> impl Future<Output = Result<(), Failure>> + Send;

    /// GET of several keys by the client's pipeline; the length of all values.
    fn get_all(&mut self, keys: &[Key]) -> impl Future<Output = Result<usize, Failure>> + Send;

    /// MGET; the length of all values.
    fn mget(&mut self, keys: &[Key]) -> impl Future<Output = Result<usize, Failure>> + Send;

    /// GET of a text.
    fn read(&mut self, key: &Key) -> impl Future<Output = Result<Option<String>, Failure>> + Send;

    /// INCR.
    fn increment(&mut self, key: &Key) -> impl Future<Output = Result<u64, Failure>> + Send;
}
