//! The floor: no client at all, but one socket per node that all tasks share, and commands encoded by hand.
//!
//! What any multiplexing client has to do is done, and nothing else: bytes into a shared buffer, a place in the queue,
//! one task per socket that writes what has gathered, finds the ends of replies and wakes their tasks. There are no
//! slots, no redirects, no deadlines, no errors, no reconnecting and no values: replies are counted, not kept.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker, ready};

use bytes::Bytes;
use futures_util::task::AtomicWaker;
use parking_lot::Mutex;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::subject::{Settings, Subject};
use crate::failure::Failure;
use crate::target::{Key, Target};

const READ_BUFFER: usize = 256 * 1024;

/// The sockets, and the place where one task waits.
pub(crate) struct Raw {
    /// One per shard.
    sockets: Arc<[Socket]>,
    waiter: Arc<Waiter>,
}

/// A clone is for another task and waits by itself.
impl Clone for Raw {
    fn clone(&self) -> Self {
        Self { sockets: Arc::clone(&self.sockets), waiter: Arc::default() }
    }
}

/// A task that waits for a number of replies.
#[derive(Default)]
struct Waiter {
    missing: AtomicUsize,
    length: AtomicUsize,
    broken: AtomicBool,
    waker: AtomicWaker,
}

#[derive(Default)]
struct Socket {
    queue: Mutex<Queue>,
}

#[derive(Default)]
struct Queue {
    out: Vec<u8>,
    waiting: VecDeque<Arc<Waiter>>,
    /// The socket's task, while it has nothing to do.
    idle: Option<Waker>,
    is_closed: bool,
}

impl Subject for Raw {
    async fn connect(target: &Target, _: &Settings) -> Result<Self, Failure> {
        let tls = target.rustls()?.map(|config| TlsConnector::from(Arc::new(config)));
        let sockets: Arc<[Socket]> = target.primaries.iter().map(|_| Socket::default()).collect();
        for (shard, address) in target.primaries.iter().enumerate() {
            let sockets = Arc::clone(&sockets);
            let stream = TcpStream::connect(*address).await?;
            stream.set_nodelay(true)?;
            match &tls {
                None => drop(tokio::spawn(Driver::new(sockets, shard, stream).run())),
                Some(tls) => {
                    let stream = tls.connect(ServerName::from(address.ip()), stream).await?;
                    drop(tokio::spawn(Driver::new(sockets, shard, stream).run()));
                }
            }
        }
        Ok(Self { sockets, waiter: Arc::default() })
    }

    async fn get(&mut self, key: &Key) -> Result<usize, Failure> {
        self.call(key.shard, 1, |out| put_get(out, key)).await
    }

    async fn set(&mut self, key: &Key, value: &Bytes) -> Result<(), Failure> {
        let encode = |out: &mut Vec<u8>| {
            out.extend_from_slice(b"*3\r\n$3\r\nSET\r\n");
            put_bulk(out, &key.bytes);
            put_bulk(out, value);
        };
        self.call(key.shard, 1, encode).await.map(drop)
    }

    async fn get_all(&mut self, keys: &[Key]) -> Result<usize, Failure> {
        let Some(first) = keys.first() else { return Ok(0) };
        if keys.iter().all(|key| key.shard == first.shard) {
            return self
                .call(first.shard, keys.len(), |out| keys.iter().for_each(|key| put_get(out, key)))
                .await;
        }
        self.spread(keys).await
    }

    /// A server takes the keys of one slot only, so what is left of an MGET of many slots is a GET for each.
    async fn mget(&mut self, keys: &[Key]) -> Result<usize, Failure> {
        self.spread(keys).await
    }

    async fn read(&mut self, _: &Key) -> Result<Option<String>, Failure> {
        Err(Failure::new("the floor keeps no values"))
    }

    async fn increment(&mut self, _: &Key) -> Result<u64, Failure> {
        Err(Failure::new("the floor keeps no values"))
    }
}

impl Raw {
    async fn call(
        &self,
        shard: usize,
        commands: usize,
        encode: impl FnOnce(&mut Vec<u8>),
    ) -> Result<usize, Failure> {
        self.waiter.expect(commands);
        self.sockets[shard].submit(&self.waiter, commands, encode)?;
        poll_fn(|context| self.waiter.poll(context)).await
    }

    /// GETs of several shards: one lock and one piece of the buffer for each.
    async fn spread(&self, keys: &[Key]) -> Result<usize, Failure> {
        self.waiter.expect(keys.len());
        for (shard, socket) in self.sockets.iter().enumerate() {
            let own = || keys.iter().filter(move |key| key.shard == shard);
            let count = own().count();
            if count > 0 {
                socket.submit(&self.waiter, count, |out| own().for_each(|key| put_get(out, key)))?;
            }
        }
        poll_fn(|context| self.waiter.poll(context)).await
    }
}

impl Socket {
    fn submit(
        &self,
        waiter: &Arc<Waiter>,
        commands: usize,
        encode: impl FnOnce(&mut Vec<u8>),
    ) -> Result<(), Failure> {
        let mut queue = self.queue.lock();
        if queue.is_closed {
            return Err(Failure::new("the connection is closed"));
        }
        encode(&mut queue.out);
        queue.waiting.extend(std::iter::repeat_n(waiter, commands).cloned());
        let idle = queue.idle.take();
        drop(queue);
        if let Some(idle) = idle {
            idle.wake();
        }
        Ok(())
    }
}

impl Waiter {
    fn expect(&self, replies: usize) {
        self.length.store(0, Ordering::Relaxed);
        self.missing.store(replies, Ordering::Relaxed);
    }

    fn poll(&self, context: &Context<'_>) -> Poll<Result<usize, Failure>> {
        if self.missing.load(Ordering::Acquire) > 0 && !self.broken.load(Ordering::Relaxed) {
            self.waker.register(context.waker());
            // The last reply may have come before the registration.
            if self.missing.load(Ordering::Acquire) > 0 && !self.broken.load(Ordering::Relaxed) {
                return Poll::Pending;
            }
        }
        if self.broken.load(Ordering::Relaxed) {
            return Poll::Ready(Err(Failure::new("the connection was lost")));
        }
        Poll::Ready(Ok(self.length.load(Ordering::Relaxed)))
    }

    fn complete(&self, length: usize) {
        self.length.fetch_add(length, Ordering::Relaxed);
        if self.missing.fetch_sub(1, Ordering::Release) == 1 {
            self.waker.wake();
        }
    }
}

/// The task of one socket.
struct Driver<S> {
    sockets: Arc<[Socket]>,
    shard: usize,
    stream: S,
    input: Box<[u8]>,
    filled: usize,
    output: Vec<u8>,
    written: usize,
    /// Whether it has stood back once, so that other tasks could add to the next write.
    has_yielded: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Driver<S> {
    fn new(sockets: Arc<[Socket]>, shard: usize, stream: S) -> Self {
        let input = vec![0; READ_BUFFER].into_boxed_slice();
        Self { sockets, shard, stream, input, filled: 0, output: Vec::new(), written: 0, has_yielded: false }
    }

    /// Until the connection ends; then every waiting task is notified.
    async fn run(mut self) {
        let Err(_) = poll_fn(|context| self.poll(context)).await;
        let mut queue = self.sockets[self.shard].queue.lock();
        queue.is_closed = true;
        for waiter in queue.waiting.drain(..) {
            waiter.broken.store(true, Ordering::Relaxed);
            waiter.waker.wake();
        }
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Result<std::convert::Infallible, io::Error>> {
        while let Poll::Ready(read) = self.poll_read(context) {
            read?;
        }
        loop {
            if self.written == self.output.len() && !self.take_output(context) {
                return Poll::Pending;
            }
            while self.written < self.output.len() {
                let rest = &self.output[self.written..];
                self.written += ready!(Pin::new(&mut self.stream).poll_write(context, rest))?;
            }
            ready!(Pin::new(&mut self.stream).poll_flush(context))?;
        }
    }

    /// Whether there is something to write now. With several commands under way it stands back once before.
    fn take_output(&mut self, context: &Context<'_>) -> bool {
        let mut queue = self.sockets[self.shard].queue.lock();
        if queue.out.is_empty() {
            queue.idle = Some(context.waker().clone());
            return false;
        }
        if queue.waiting.len() > 1 && !self.has_yielded {
            self.has_yielded = true;
            context.waker().wake_by_ref();
            return false;
        }
        self.has_yielded = false;
        self.output.clear();
        self.written = 0;
        std::mem::swap(&mut queue.out, &mut self.output);
        true
    }

    fn poll_read(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut buffer = ReadBuf::new(&mut self.input[self.filled..]);
        ready!(Pin::new(&mut self.stream).poll_read(context, &mut buffer))?;
        let read = buffer.filled().len();
        if read == 0 {
            return Poll::Ready(Err(ErrorKind::UnexpectedEof.into()));
        }
        self.filled += read;
        let mut at = 0;
        let mut queue = self.sockets[self.shard].queue.lock();
        while let Some((total, length)) = reply(&self.input[at..self.filled])? {
            at += total;
            let waiter = queue.waiting.pop_front().ok_or(ErrorKind::InvalidData)?;
            waiter.complete(length);
        }
        drop(queue);
        self.input.copy_within(at..self.filled, 0);
        self.filled -= at;
        Poll::Ready(Ok(()))
    }
}

fn put_get(out: &mut Vec<u8>, key: &Key) {
    out.extend_from_slice(b"*2\r\n$3\r\nGET\r\n");
    put_bulk(out, &key.bytes);
}

fn put_bulk(out: &mut Vec<u8>, bytes: &[u8]) {
    out.push(b'$');
    out.extend_from_slice(itoa::Buffer::new().format(bytes.len()).as_bytes());
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(bytes);
    out.extend_from_slice(b"\r\n");
}

/// How long the first reply is, in total and its value alone, if it is complete. Knows what GET and SET answer.
fn reply(input: &[u8]) -> io::Result<Option<(usize, usize)>> {
    let Some(end) = input.iter().position(|byte| *byte == b'\n') else { return Ok(None) };
    match input[0] {
        b'+' => Ok(Some((end + 1, 0))),
        b'$' if end > 2 => {
            let digits = &input[1..end - 1];
            let length =
                digits.iter().fold(0, |length, digit| length * 10 + usize::from(digit.wrapping_sub(b'0')));
            let total = end + 1 + length + 2;
            Ok((input.len() >= total).then_some((total, length)))
        }
        _ => Err(ErrorKind::InvalidData.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_are_found_when_complete() {
        let rows: [(&[u8], _); 6] = [
            (b"+OK\r\n+OK\r\n", Some((5, 0))),
            (b"$3\r\nabc\r\n", Some((9, 3))),
            (b"$12\r\n0123456789ab\r\n$", Some((19, 12))),
            (b"$3\r\nabc\r", None),
            (b"$3", None),
            (b"", None),
        ];
        for (input, expected) in rows {
            assert_eq!(reply(input).unwrap(), expected, "{input:?}");
        }
        assert!(reply(b"-ERR\r\n").is_err());
    }
}
