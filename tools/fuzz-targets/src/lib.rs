//! What no input may do to the code that reads what others wrote: one function for each fuzz target.
//!
//! A crate of its own because two programs need the same checks. The fuzzer in `fuzz/` is a workspace apart, since it
//! wants every dependency instrumented; `tests/replay.rs` is part of `make test` and repeats the committed corpus and
//! mutations of it. Only public interfaces are called.
//!
//! | target | reads | must hold for every input, besides that nothing panics |
//! |---|---|---|
//! | [`resp()`] | a stream of RESP | the same frames and the same error however it is cut; memory follows what arrived |
//! | [`framer()`] | the same | the frames and the error of the decoder, at the same bytes; memory is bounded |
//! | [`topology()`] | replies to `CLUSTER SLOTS`, `SHARDS`, `NODES` | a view is consistent, and nothing out of scope is dialled or proved |
//! | [`redirect()`] | the text of an error reply | what is shown of a redirect is the same redirect |
//! | [`url()`] | the URL of a configuration | no error repeats a password |
//! | [`rule()`] | dial rules, trust, identity policies, pins, endpoints | what is shown of one is the same one |
//! | [`certificate()`] | a certificate | every text is harmless and of bounded length |
//! | [`revocation()`] | a revocation list | every text is harmless |
//!
//! Must stay true: a target depends on its input alone and touches neither files nor the network, so that a finding can
//! be repeated. Where the clock counts (an outdated list), nothing is compared that depends on it.

mod certificate;
mod framer;
mod harmless;
mod pieces;
mod plan;
mod random;
mod redirect;
mod resp;
mod revocation;
mod rule;
mod topology;
mod url;

pub use certificate::certificate;
pub use framer::framer;
pub use random::Random;
pub use redirect::redirect;
pub use resp::resp;
pub use revocation::revocation;
pub use rule::rule;
pub use topology::topology;
pub use url::url;

/// A name, which is also that of the binary and of the corpus, and the function that panics if an input shows a fault.
pub type Target = (&'static str, fn(&[u8]));

/// All targets.
pub const TARGETS: [Target; 8] = [
    ("resp", resp),
    ("framer", framer),
    ("topology", topology),
    ("redirect", redirect),
    ("url", url),
    ("rule", rule),
    ("certificate", certificate),
    ("revocation", revocation),
];
