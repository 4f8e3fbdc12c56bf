//! Opening a TCP connection to one of a host's addresses, and tuning its socket.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::error::Cause;

/// Time between starting to dial one address of a host and starting the next.
const ADDRESS_STAGGER: Duration = Duration::from_millis(250);
/// Dials the host's addresses, each a little after the one before; the first that answers wins. `peer` is told which
/// address was heard of last.
pub(super) async fn connect(
    addresses: &[SocketAddr],
    peer: &mut Option<SocketAddr>,
    silence: Duration,
    deadline: Instant,
) -> Result<TcpStream, Cause> {
    let mut dials = FuturesUnordered::new();
    for (position, &address) in addresses.iter().enumerate() {
        dials.push(async move {
            tokio::time::sleep(ADDRESS_STAGGER * position as u32).await;
            (address, TcpStream::connect(address).await)
        });
    }
    *peer = addresses.first().copied();
    let mut last = None;
    loop {
        match tokio::time::timeout_at(deadline, dials.next()).await.map_err(|_| Cause::TimedOut)? {
            Some((address, Ok(stream))) => {
                *peer = Some(address);
                drop(dials);
                tune(&stream, silence);
                return Ok(stream);
            }
            Some((address, Err(error))) => {
                *peer = Some(address);
                last = Some(error);
            }
            None => break,
        }
    }
    Err(last.map_or_else(|| Cause::NameNotFound("no address".to_owned()), |error| tcp_cause(&error)))
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
