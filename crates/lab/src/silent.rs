//! An address where nobody answers: packets are dropped, as by a firewall or a host that is gone. Loopback has no such
//! hosts, but a listener whose queue is full drops every SYN.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::accepting::on_loopback;

/// A handshake over loopback needs nobody but the kernel; one that takes longer than this was dropped.
const UNANSWERED: Duration = Duration::from_millis(150);
/// The shortest queue that can be asked for holds one connection; more are tried in case a system rounds it up.
const MOST_IN_QUEUE: usize = 64;

/// An address whose SYNs stay unanswered: whoever connects waits until its own time is up. Dropping it frees the
/// address; who is still waiting then is refused with the next SYN that its system sends.
///
/// ```
/// use std::time::Duration;
/// use truename_lab::Silent;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
/// let silent = Silent::listen("127.0.0.1:0".parse().unwrap()).await?;
/// let connecting = tokio::net::TcpStream::connect(silent.address());
/// assert!(tokio::time::timeout(Duration::from_millis(50), connecting).await.is_err());
/// # Ok(())
/// # }
/// ```
pub struct Silent {
    // Declared in the order in which they end, so that the queue is reset and nothing lingers.
    _listener: Socket,
    _queue: Vec<TcpStream>,
    address: SocketAddr,
}

impl Silent {
    /// Takes an address and fills its queue; from then on nobody is answered. Needs a tokio runtime, to set it up alone.
    ///
    /// # Errors
    /// When the address cannot be bound, or the system accepts connections in spite of a full queue.
    pub async fn listen(address: SocketAddr) -> io::Result<Self> {
        on_loopback(address)?;
        let listener = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        listener.set_reuse_address(true)?;
        listener.bind(&address.into())?;
        listener.listen(0)?;
        let address = listener.local_addr()?.as_socket().unwrap_or(address);
        let mut queue = Vec::new();
        while queue.len() < MOST_IN_QUEUE {
            match timeout(UNANSWERED, TcpStream::connect(address)).await {
                Ok(queued) => queue.push(queued?),
                Err(_) => return Ok(Self { _listener: listener, _queue: queue, address }),
            }
        }
        Err(io::Error::other(format!("{address} accepts connections although its queue is full")))
    }

    /// Where it is.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }
}

impl fmt::Debug for Silent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Silent").field("address", &self.address).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;

    use tokio::net::TcpListener;

    use super::*;

    const ANY: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

    #[tokio::test]
    async fn nobody_is_answered_until_it_is_dropped() {
        let silent = Silent::listen(ANY).await.unwrap();
        let address = silent.address();
        for _ in 0..3 {
            let connected = timeout(2 * UNANSWERED, TcpStream::connect(address)).await;
            assert!(connected.is_err(), "{connected:?}");
        }
        let mut waiting = std::pin::pin!(TcpStream::connect(address));
        assert!(timeout(UNANSWERED, &mut waiting).await.is_err());
        drop(silent);
        let end =
            timeout(Duration::from_secs(10), waiting).await.expect("a system repeats its SYN").unwrap_err();
        assert_eq!(end.kind(), ErrorKind::ConnectionRefused);
        let refused = TcpStream::connect(address).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
        TcpListener::bind(address).await.expect("the address is free at once");
    }

    #[tokio::test]
    async fn a_taken_address_is_refused() {
        let silent = Silent::listen(ANY).await.unwrap();
        let error = Silent::listen(silent.address()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddrInUse);
    }
}
