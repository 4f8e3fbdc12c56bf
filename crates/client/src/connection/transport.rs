//! The byte stream of a connection: TCP, or TLS over TCP. Which of the two is decided once, when it is made.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

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

/// A stream that gives up by itself a peer that acknowledges nothing, or takes no more bytes.
pub(crate) trait Endure {
    /// Sets how long the peer may do so.
    fn endure(&self, silence: Duration);
}

/// The least that is asked of the system: it counts retransmissions, not time alone.
const ENDURED_AT_LEAST: Duration = Duration::from_secs(1);
/// The most: the system counts milliseconds in 32 bits, and some versions as signed ones.
const ENDURED_AT_MOST: Duration = Duration::from_secs(14 * 24 * 3600);

impl Endure for Transport {
    fn endure(&self, silence: Duration) {
        let stream = match self {
            Self::Tcp(stream) => stream,
            Self::Tls(stream) => stream.get_ref().0,
        };
        let silence = silence.clamp(ENDURED_AT_LEAST, ENDURED_AT_MOST);
        #[cfg(target_os = "linux")]
        if let Err(error) = socket2::SockRef::from(stream).set_tcp_user_timeout(Some(silence)) {
            tracing::debug!(%error, "TCP_USER_TIMEOUT");
        }
        #[cfg(not(target_os = "linux"))]
        let _ = (stream, silence);
    }
}

#[cfg(test)]
impl Endure for tokio::io::DuplexStream {
    fn endure(&self, _: Duration) {}
}
