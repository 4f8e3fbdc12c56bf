//! The byte stream of a connection: TCP, or TLS over TCP. Which of the two is decided once, when it is made.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use super::tcp;

/// A connected byte stream.
#[derive(Debug)]
pub(crate) enum Transport {
    Tcp(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl AsyncRead for Transport {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Tls(stream) => Pin::new(stream.as_mut()).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Transport {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write(cx, buf),
            Self::Tls(stream) => Pin::new(stream.as_mut()).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream.as_mut()).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream.as_mut()).poll_shutdown(cx),
        }
    }
}

/// What a lane's driver asks of the stream beneath, besides bytes.
pub(crate) trait Carrier {
    /// Sets how long a peer may acknowledge nothing, or take no more bytes, before the stream gives it up by itself.
    fn endure(&self, silence: Duration);

    /// Whether the system holds something that the peer sent, or its end, whatever the runtime has noticed. One system call.
    ///
    /// # Errors
    /// The connection's, which it is told once: it must not be dropped.
    fn holds_unread(&self) -> io::Result<bool>;
}

impl Transport {
    fn socket(&self) -> &TcpStream {
        match self {
            Self::Tcp(stream) => stream,
            Self::Tls(stream) => stream.get_ref().0,
        }
    }
}

impl Carrier for Transport {
    fn endure(&self, silence: Duration) {
        tcp::endure(self.socket(), silence);
    }

    fn holds_unread(&self) -> io::Result<bool> {
        tcp::holds_unread(self.socket())
    }
}

#[cfg(test)]
impl Carrier for tokio::io::DuplexStream {
    fn endure(&self, _: Duration) {}

    fn holds_unread(&self) -> io::Result<bool> {
        Ok(false)
    }
}
