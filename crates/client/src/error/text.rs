//! How an error shows the words of others.

use truename_resp::{Untrusted, UntrustedUpTo};

/// Text that may hold a peer's words, in one line of an error: harmless, and long enough for what servers say.
pub(super) fn shown(text: &str) -> UntrustedUpTo<'_> {
    Untrusted(text).up_to(1024)
}
