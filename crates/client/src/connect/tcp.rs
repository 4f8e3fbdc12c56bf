//! Opening a TCP connection to one address, and tuning its socket.

use std::io;
use std::mem::MaybeUninit;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpStream;

use crate::error::Cause;

/// The least that is set: the system counts retransmissions, not time alone.
const ENDURED_AT_LEAST: Duration = Duration::from_secs(1);
/// The most: the system counts milliseconds in 32 bits, and some versions as signed ones.
const ENDURED_AT_MOST: Duration = Duration::from_secs(14 * 24 * 3600);

/// Connects to one address.
pub(super) async fn connect(address: SocketAddr, silence: Duration) -> Result<TcpStream, Cause> {
    let stream = TcpStream::connect(address).await.map_err(|error| tcp_cause(&error))?;
    tune(&stream, silence);
    Ok(stream)
}

/// No delay for small writes; a peer that stopped acknowledging is noticed by the system too.
fn tune(stream: &TcpStream, silence: Duration) {
    let socket = socket2::SockRef::from(stream);
    let keepalive = socket2::TcpKeepalive::new().with_time(Duration::from_secs(15));
    if let Err(error) = socket.set_tcp_nodelay(true).and_then(|()| socket.set_tcp_keepalive(&keepalive)) {
        tracing::debug!(%error, "socket options");
    }
    endure(stream, silence);
}

/// Makes the system give up a peer that acknowledges nothing, or takes no more bytes, for this long.
pub(super) fn endure(stream: &TcpStream, silence: Duration) {
    let silence = silence.clamp(ENDURED_AT_LEAST, ENDURED_AT_MOST);
    #[cfg(target_os = "linux")]
    if let Err(error) = socket2::SockRef::from(stream).set_tcp_user_timeout(Some(silence)) {
        tracing::debug!(%error, "TCP_USER_TIMEOUT");
    }
    #[cfg(not(target_os = "linux"))]
    let _ = (stream, silence);
}

/// Whether a read would return at once. The sockets of the runtime do not block.
pub(super) fn holds_unread(stream: &TcpStream) -> io::Result<bool> {
    match socket2::SockRef::from(stream).peek(&mut [MaybeUninit::uninit()]) {
        Ok(_) => Ok(true),
        Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

fn tcp_cause(error: &io::Error) -> Cause {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => Cause::Refused,
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => {
            Cause::Unreachable(error.to_string())
        }
        io::ErrorKind::AddrNotAvailable => Cause::NoLocalAddress(error.to_string()),
        io::ErrorKind::TimedOut => Cause::TimedOut,
        _ => Cause::Io(error.to_string()),
    }
}
