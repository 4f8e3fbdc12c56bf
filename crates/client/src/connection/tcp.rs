//! Opening a TCP connection to one address, and tuning its socket.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpStream;

use crate::error::Cause;

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
    let tuned = socket.set_tcp_nodelay(true).and_then(|()| socket.set_tcp_keepalive(&keepalive));
    #[cfg(target_os = "linux")]
    let tuned = tuned.and_then(|()| socket.set_tcp_user_timeout(Some(silence.max(Duration::from_secs(1)))));
    #[cfg(not(target_os = "linux"))]
    let _ = silence;
    if let Err(error) = tuned {
        tracing::debug!(%error, "socket options");
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
