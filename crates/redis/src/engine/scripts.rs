//! The bodies of scripts that were loaded, so that a server which has lost one can be given it again.
//!
//! What must stay true: the memory is bounded; a body is found only under the digest that a server gave it.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;

/// How many scripts are remembered; the oldest are forgotten first.
const SCRIPTS: usize = 1024;
/// How many bytes they may have together.
const BYTES: usize = 16 << 20;

/// What was loaded.
#[derive(Default)]
pub(crate) struct Scripts {
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    bodies: HashMap<Bytes, Bytes>,
    /// Digests, the oldest first.
    order: VecDeque<Bytes>,
    bytes: usize,
}

impl Scripts {
    /// Notes what a server answered to `SCRIPT LOAD`.
    pub(crate) fn remember(&self, digest: &[u8], body: &[u8]) {
        if body.len() > BYTES {
            return;
        }
        let digest = Bytes::from(digest.to_ascii_lowercase());
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.bodies.contains_key(&digest) {
            return;
        }
        known.bytes += body.len();
        known.order.push_back(digest.clone());
        known.bodies.insert(digest, Bytes::copy_from_slice(body));
        while known.order.len() > SCRIPTS || known.bytes > BYTES {
            let Some(oldest) = known.order.pop_front() else { break };
            let forgotten = known.bodies.remove(&oldest).map_or(0, |body| body.len());
            known.bytes -= forgotten;
        }
    }

    /// The script with this digest, in any spelling.
    pub(crate) fn body(&self, digest: &[u8]) -> Option<Bytes> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.bodies.get(digest.to_ascii_lowercase().as_slice()).cloned()
    }

    /// Forgets everything, as servers do at `SCRIPT FLUSH`.
    pub(crate) fn forget(&self) {
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = Known::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_are_forgotten_first() {
        let scripts = Scripts::default();
        for n in 0..=SCRIPTS {
            scripts.remember(format!("ABC{n}").as_bytes(), b"return 1");
        }
        assert_eq!(scripts.body(b"abc0"), None);
        assert_eq!(scripts.body(b"Abc1").as_deref(), Some(&b"return 1"[..]));
        scripts.forget();
        assert_eq!(scripts.body(b"abc1"), None);
    }

    #[test]
    fn bodies_are_bounded_together() {
        let scripts = Scripts::default();
        let large = vec![b'x'; BYTES / 2];
        for digest in [b"a", b"b", b"c"] {
            scripts.remember(digest, &large);
        }
        assert!(scripts.body(b"a").is_none() && scripts.body(b"b").is_some() && scripts.body(b"c").is_some());
        scripts.remember(b"d", &vec![b'x'; BYTES + 1]);
        assert!(scripts.body(b"d").is_none() && scripts.body(b"c").is_some());
    }
}
