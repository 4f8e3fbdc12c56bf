//! The clients that have calls without `async`, each behind one such call, and the floor.
//!
//! redis-rs has a connection that a thread has for itself, truename a client that threads share, and the floor a socket per node and
//! thread.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;

use redis::cluster::ClusterConnection;
use truename::{Reply, blocking, cmd};

use super::redis_rs;
use super::subject::Settings;
use super::truename::{config, length};
use crate::failure::Failure;
use crate::target::{Key, Target};

/// A connected client under test: what one thread uses.
pub(crate) trait Synchronous: Send + Sized {
    /// Connects, once for each thread that will call.
    fn connect(target: &Target, settings: &Settings, threads: usize) -> Result<Vec<Self>, Failure>;

    /// GET; the length of the value.
    fn get(&mut self, key: &Key) -> Result<usize, Failure>;

    /// GET of several keys by the client's pipeline; the length of all values.
    fn get_all(&mut self, keys: &[Key]) -> Result<usize, Failure>;
}

impl Synchronous for blocking::Client {
    fn connect(target: &Target, settings: &Settings, threads: usize) -> Result<Vec<Self>, Failure> {
        let client = Self::connect(&config(target, settings)?)?;
        Ok(vec![client; threads])
    }

    #[inline]
    fn get(&mut self, key: &Key) -> Result<usize, Failure> {
        let reply: Reply = self.execute(cmd("GET").arg(&*key.text))?;
        length(&reply)
    }

    fn get_all(&mut self, keys: &[Key]) -> Result<usize, Failure> {
        let mut batch = self.batch();
        for key in keys {
            batch.add(cmd("GET").arg(&*key.text));
        }
        batch.execute::<Reply>().into_iter().map(|value| length(&value?)).sum()
    }
}

impl Synchronous for ClusterConnection {
    fn connect(target: &Target, settings: &Settings, threads: usize) -> Result<Vec<Self>, Failure> {
        let client = redis_rs::builder(target, settings).build()?;
        let connections = (0..threads).map(|_| Ok::<_, Failure>(client.get_connection()?));
        connections.collect()
    }

    #[inline]
    fn get(&mut self, key: &Key) -> Result<usize, Failure> {
        let value: Vec<u8> = redis::cmd("GET").arg(&*key.text).query(self)?;
        Ok(value.len())
    }

    fn get_all(&mut self, keys: &[Key]) -> Result<usize, Failure> {
        let mut pipeline = redis::cluster::cluster_pipe();
        for key in keys {
            pipeline.cmd("GET").arg(&*key.text);
        }
        let values: Vec<Vec<u8>> = pipeline.query(self)?;
        Ok(values.iter().map(Vec::len).sum())
    }
}

/// No client: hand-encoded commands on blocking sockets, one per shard.
pub(crate) struct Sockets {
    by_shard: Vec<BufReader<TcpStream>>,
    line: Vec<u8>,
    value: Vec<u8>,
}

impl Synchronous for Sockets {
    fn connect(target: &Target, _: &Settings, threads: usize) -> Result<Vec<Self>, Failure> {
        if target.ca_pem.is_some() {
            return Err(Failure::new("the floor has no TLS"));
        }
        let open = |at: &std::net::SocketAddr| {
            let socket = TcpStream::connect(at)?;
            socket.set_nodelay(true)?;
            Ok::<_, Failure>(BufReader::new(socket))
        };
        let sockets = (0..threads).map(|_| {
            let by_shard = target.primaries.iter().map(open).collect::<Result<_, Failure>>()?;
            Ok::<_, Failure>(Self { by_shard, line: Vec::new(), value: Vec::new() })
        });
        sockets.collect()
    }

    #[inline]
    fn get(&mut self, key: &Key) -> Result<usize, Failure> {
        self.ask(key.shard, std::slice::from_ref(key))?;
        self.receive(key.shard)
    }

    fn get_all(&mut self, keys: &[Key]) -> Result<usize, Failure> {
        for shard in 0..self.by_shard.len() {
            self.ask(shard, keys)?;
        }
        keys.iter().map(|key| self.receive(key.shard)).sum()
    }
}

impl Sockets {
    /// Sends a GET for each of the keys that this shard has.
    fn ask(&mut self, shard: usize, keys: &[Key]) -> Result<(), Failure> {
        let Self { by_shard, line, .. } = self;
        line.clear();
        for key in keys.iter().filter(|key| key.shard == shard) {
            write!(line, "*2\r\n$3\r\nGET\r\n${}\r\n{}\r\n", key.text.len(), key.text)?;
        }
        Ok(by_shard[shard].get_mut().write_all(line)?)
    }

    #[inline]
    fn receive(&mut self, shard: usize) -> Result<usize, Failure> {
        let Self { by_shard, line, value } = self;
        let socket = &mut by_shard[shard];
        line.clear();
        socket.read_until(b'\n', line)?;
        let length = line.strip_prefix(b"$").and_then(|line| std::str::from_utf8(line.trim_ascii()).ok());
        let length: usize = length.ok_or_else(|| Failure::new("not a value"))?.parse()?;
        value.resize(length + 2, 0);
        socket.read_exact(value)?;
        Ok(length)
    }
}
