//! One loopback network per lab, so that labs side by side never meet.
//!
//! A network 127.A.B.0/24 belongs to whoever listens on its address .254 at [`LOCK_PORT`]: the kernel releases the
//! lock when the process ends, however it ends.

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};

use crate::LabError;

/// Below the ephemeral port range, so no outgoing connection takes it by chance.
const LOCK_PORT: u16 = 6254;
const LOCK_HOST: u8 = 254;
const TRIES: usize = 256;

/// A loopback network that is ours until dropped.
#[derive(Debug)]
pub(crate) struct Subnet {
    a: u8,
    b: u8,
    _lock: TcpListener,
}

impl Subnet {
    /// Takes a free network, chosen at random.
    pub(crate) fn claim() -> Result<Self, LabError> {
        for _ in 0..TRIES {
            // 127.0/16 to 127.15/16 are left alone: resolvers and hand-made set-ups live there.
            let (a, b) = (fastrand::u8(16..=239), fastrand::u8(..));
            let lock = Ipv4Addr::new(127, a, b, LOCK_HOST);
            match TcpListener::bind((lock, LOCK_PORT)) {
                Ok(listener) => return Ok(Self { a, b, _lock: listener }),
                Err(error) if error.kind() == ErrorKind::AddrInUse => {}
                Err(error) if error.kind() == ErrorKind::AddrNotAvailable => {
                    return Err(LabError::NoLoopbackRange { address: IpAddr::V4(lock) });
                }
                Err(error) => return Err(LabError::io(format!("listen on {lock}:{LOCK_PORT}"))(error)),
            }
        }
        Err(LabError::NoFreeNetwork { tried: TRIES })
    }

    /// The address 127.A.B.`host`.
    pub(crate) fn address(&self, host: u8) -> Ipv4Addr {
        Ipv4Addr::new(127, self.a, self.b, host)
    }
}

/// Whether a server could listen on `address` now.
pub(crate) fn is_free(address: SocketAddr) -> bool {
    TcpListener::bind(address).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_differ_while_both_are_held() {
        let held: Vec<_> = (0..8).map(|_| Subnet::claim().unwrap()).collect();
        let mut addresses: Vec<_> = held.iter().map(|subnet| subnet.address(1)).collect();
        addresses.sort_unstable();
        addresses.dedup();
        assert_eq!(addresses.len(), held.len());
        assert!(!is_free(SocketAddr::from((held[0].address(LOCK_HOST), LOCK_PORT))));
    }
}
