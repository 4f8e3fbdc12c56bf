//! The floor of a scan: one socket and one `SCAN` loop per shard, at the same time. Keys are found and counted, not kept.

use std::net::SocketAddr;

use bytes::{Buf as _, BytesMut};
use futures_util::future::try_join_all;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::failure::Failure;

/// Scans all shards; returns how many keys there were, and their length.
pub(super) async fn scan(primaries: &[SocketAddr], count: u32) -> Result<(usize, usize), Failure> {
    let shards = try_join_all(primaries.iter().map(|address| shard(*address, count))).await?;
    Ok(shards.into_iter().fold((0, 0), |sum, shard| (sum.0 + shard.0, sum.1 + shard.1)))
}

async fn shard(address: SocketAddr, count: u32) -> Result<(usize, usize), Failure> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let mut socket = Socket { stream, read: BytesMut::with_capacity(64 * 1024) };
    let (mut cursor, mut keys, mut length) = ("0".to_owned(), 0, 0);
    loop {
        let count = count.to_string();
        let parts = ["SCAN", &cursor, "COUNT", &count];
        let encode = |part: &&str| format!("${}\r\n{part}\r\n", part.len());
        let request = format!("*{}\r\n{}", parts.len(), parts.iter().map(encode).collect::<String>());
        socket.stream.write_all(request.as_bytes()).await?;
        socket.header(b'*').await?;
        cursor = String::from_utf8_lossy(&socket.bulk().await?).into_owned();
        for _ in 0..socket.header(b'*').await? {
            keys += 1;
            length += socket.bulk().await?.len();
        }
        if cursor == "0" {
            return Ok((keys, length));
        }
    }
}

struct Socket {
    stream: TcpStream,
    read: BytesMut,
}

impl Socket {
    async fn header(&mut self, kind: u8) -> Result<usize, Failure> {
        loop {
            if let Some(end) = self.read.iter().position(|byte| *byte == b'\n') {
                let line = std::str::from_utf8(&self.read[..end - 1])?;
                let number = line.strip_prefix(char::from(kind)).and_then(|number| number.parse().ok());
                let number = number.ok_or_else(|| Failure::new(format!("an unexpected reply: {line}")))?;
                self.read.advance(end + 1);
                return Ok(number);
            }
            self.more().await?;
        }
    }

    async fn bulk(&mut self) -> Result<BytesMut, Failure> {
        let length = self.header(b'$').await?;
        while self.read.len() < length + 2 {
            self.more().await?;
        }
        let bulk = self.read.split_to(length);
        self.read.advance(2);
        Ok(bulk)
    }

    async fn more(&mut self) -> Result<(), Failure> {
        self.read.reserve(64 * 1024);
        match self.stream.read_buf(&mut self.read).await? {
            0 => Err(Failure::new("the connection is closed")),
            _ => Ok(()),
        }
    }
}
