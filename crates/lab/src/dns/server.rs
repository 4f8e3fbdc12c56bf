//! The handle of a name server, and its sockets.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hickory_proto::op::Message;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::task::AbortHandle;

use super::records::{DnsAnswer, DnsQuestion, Records, question};
use crate::LabError;
use crate::accepting::{RETRY, accept_each, on_loopback};

/// A port that was free for TCP may be taken for UDP; then another one is tried.
const PORTS_TRIED: usize = 16;
/// The largest request over UDP that is read.
const MOST_REQUEST: usize = 4096;

/// A name server on loopback, over UDP and TCP; dropping it ends it.
///
/// ```
/// use truename_lab::{DnsAnswer, DnsServer};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let dns = DnsServer::listen("127.0.0.1:0".parse()?).await?;
/// dns.set("cache.example.test", DnsAnswer::Alias("node1.example.test".to_owned()))?;
/// dns.set_address("node1.example.test", "127.0.0.1".parse()?)?;
/// dns.set("broken.example.test", DnsAnswer::ServerFailure)?;
/// println!("ask {}", dns.address());
/// dns.set_all(Some(DnsAnswer::Silence))?; // from now on nobody is answered
/// assert!(dns.asked().is_empty());
/// # Ok(())
/// # }
/// ```
///
/// For the names of a lab, at an address of its network:
///
/// ```no_run
/// # async fn example(lab: truename_lab::Lab) -> Result<(), Box<dyn std::error::Error>> {
/// let dns = truename_lab::DnsServer::listen((lab.spare_address(0), 5300).into()).await?;
/// for (name, _, address) in lab.resolve() {
///     dns.set_address(&name, address)?;
/// }
/// # Ok(())
/// # }
/// ```
pub struct DnsServer {
    shared: Arc<Shared>,
    address: SocketAddr,
    tasks: [AbortHandle; 2],
}

#[derive(Default)]
struct Shared {
    records: Mutex<Records>,
    asked: Mutex<Vec<DnsQuestion>>,
}

impl DnsServer {
    /// Listens on `address`, over UDP and TCP; with port 0, on a port that is free for both. Needs a tokio runtime, and
    /// works as long as that does.
    ///
    /// # Errors
    /// When the address cannot be bound. Ports below 1024 may need a privilege.
    pub async fn listen(address: SocketAddr) -> io::Result<Self> {
        on_loopback(address)?;
        let (tcp, udp) = bind(address).await?;
        let address = tcp.local_addr()?;
        let shared = Arc::new(Shared::default());
        let for_clients = Arc::clone(&shared);
        let streams = accept_each(tcp, move |client| {
            let answering = answer(client, Arc::clone(&for_clients));
            // A client that is done closes its connection.
            async move { drop(answering.await) }
        });
        let datagrams = tokio::spawn(serve_udp(udp, Arc::clone(&shared))).abort_handle();
        Ok(Self { shared, address, tasks: [streams, datagrams] })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// What is told about a name from now on. Upper and lower case are the same.
    ///
    /// # Errors
    /// When the name, or the one behind an alias, is none.
    pub fn set(&self, name: &str, answer: DnsAnswer) -> Result<(), LabError> {
        self.shared.records().set(name, answer)
    }

    /// Tells one address of a name.
    ///
    /// # Errors
    /// When the name is none.
    pub fn set_address(&self, name: &str, address: IpAddr) -> Result<(), LabError> {
        self.set(name, DnsAnswer::Addresses(vec![address]))
    }

    /// What is told about every name, whatever is known of it; with `None` what is known is told again.
    ///
    /// # Errors
    /// When the name behind an alias is none.
    pub fn set_all(&self, answer: impl Into<Option<DnsAnswer>>) -> Result<(), LabError> {
        self.shared.records().set_all(answer.into())
    }

    /// All questions so far, those that were not answered as well.
    #[must_use]
    pub fn asked(&self) -> Vec<DnsQuestion> {
        self.shared.asked().clone()
    }
}

impl fmt::Debug for DnsServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DnsServer").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Drop for DnsServer {
    fn drop(&mut self) {
        self.tasks.iter().for_each(AbortHandle::abort);
    }
}

impl Shared {
    fn records(&self) -> MutexGuard<'_, Records> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn asked(&self) -> MutexGuard<'_, Vec<DnsQuestion>> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The reply to a request, for UDP no larger than the client can take. `None` where nothing is to be sent, and for
    /// what is no request.
    fn reply(&self, request: &[u8], over_tcp: bool) -> Option<Vec<u8>> {
        let request = Message::from_vec(request).ok()?;
        self.asked().extend(question(&request, over_tcp));
        let reply = self.records().reply(&request)?;
        let bytes = reply.to_vec().ok()?;
        if over_tcp || bytes.len() <= usize::from(request.max_payload()) {
            return Some(bytes);
        }
        reply.truncate().to_vec().ok()
    }
}

async fn bind(address: SocketAddr) -> io::Result<(TcpListener, UdpSocket)> {
    let mut tried = 0;
    loop {
        let tcp = TcpListener::bind(address).await?;
        match UdpSocket::bind(tcp.local_addr()?).await {
            Ok(udp) => return Ok((tcp, udp)),
            Err(_) if address.port() == 0 && tried < PORTS_TRIED => tried += 1,
            Err(error) => return Err(error),
        }
    }
}

async fn serve_udp(socket: UdpSocket, shared: Arc<Shared>) {
    let mut request = vec![0; MOST_REQUEST];
    loop {
        match socket.recv_from(&mut request).await {
            Ok((length, client)) => {
                if let Some(reply) = shared.reply(&request[..length], false) {
                    // A client that is gone needs no reply.
                    let _ = socket.send_to(&reply, client).await;
                }
            }
            // The port of an earlier client is closed by now.
            Err(error) => {
                tracing::debug!(%error, "no request over UDP");
                tokio::time::sleep(RETRY).await;
            }
        }
    }
}

/// Answers requests, each with its length in front, until the client is done.
async fn answer(mut client: TcpStream, shared: Arc<Shared>) -> io::Result<()> {
    loop {
        let length = client.read_u16().await?;
        let mut request = vec![0; usize::from(length)];
        client.read_exact(&mut request).await?;
        let Some(reply) = shared.reply(&request, true) else { continue };
        let Ok(length) = u16::try_from(reply.len()) else { return Ok(()) };
        client.write_all(&[&length.to_be_bytes(), &reply[..]].concat()).await?;
    }
}
