//! RESP2 and RESP3, the wire protocol of Redis and Valkey, without any I/O.
//!
//! Bytes that arrived go into a [`Decoder`], which hands out [`Frame`]s; commands are written by [`encode`]. Whoever
//! wants the bytes of a reply rather than its values uses a [`Framer`] instead, which hands out [`RawFrame`]s.
//! There is no socket, no runtime and no clock in this crate, so everything it does can be tested with
//! byte strings, and it can sit below any transport.
//!
//! ```
//! use bytes::BytesMut;
//! use truename_resp::{Decoder, Frame, Limits, Reply, encode};
//!
//! let mut out = BytesMut::new();
//! encode::put_command(&mut out, [b"GET".as_slice(), b"city"].into_iter());
//! assert_eq!(&out[..], b"*2\r\n$3\r\nGET\r\n$4\r\ncity\r\n");
//!
//! let mut decoder = Decoder::new(Limits::default());
//! let mut read = BytesMut::from("$4\r\nOs");
//! assert_eq!(decoder.decode(&mut read)?, None); // more bytes are needed
//! read.extend_from_slice(b"lo\r\n+OK\r\n");
//! let Some(Frame::Reply(city)) = decoder.decode(&mut read)? else { panic!("a whole reply is there") };
//! assert_eq!(city.as_str(), Some("Oslo"));
//! assert_eq!(decoder.decode(&mut read)?, Some(Frame::Reply(Reply::Simple("OK".into()))));
//! # Ok::<(), truename_resp::DecodeError>(())
//! ```
//!
//! # What holds for every input
//!
//! - **A push is never a reply.** [`Frame::Push`] and [`Frame::Reply`] are different variants, and a push inside
//!   another value is an error. Nothing that counts replies can count a push by mistake.
//! - **Work is linear.** A header that was read is not read again, a line that is still incomplete is searched only in
//!   its new part, a payload is never searched. One byte at a time costs no more than all at once, and gives
//!   the same frames and the same error.
//! - **Memory follows what arrived,** never what a header announced, and [`Limits::memory`] bounds it for one frame in
//!   total.
//! - **The framer agrees with the decoder:** the same frames end at the same bytes, and what one refuses, the other refuses
//!   with the same error. Both follow the same code for every rule and every limit.
//! - **No panic, and errors are final.** The first violation poisons the decoder or the framer: after it nothing says where
//!   the next reply begins, so the connection must be closed.
//!
//! # Grammar
//!
//! Every value opens with one type byte; every header line, and every payload, ends with CR LF. `n` is a
//! length in decimal digits. The types are those of the RESP3 specification
//! (<https://github.com/antirez/RESP3/blob/master/spec.md>); RESP2 is the subset marked 2.
//!
//! | Byte | Version | Wire form | Becomes |
//! |---|---|---|---|
//! | `+` | 2, 3 | `+text` | [`Reply::Simple`] |
//! | `-` | 2, 3 | `-CODE text` | [`Reply::Error`] |
//! | `:` | 2, 3 | `:integer`, 64 bits, signed | [`Reply::Integer`] |
//! | `$` | 2, 3 | `$n`, then `n` bytes | [`Reply::Bulk`] |
//! | `*` | 2, 3 | `*n`, then `n` values | [`Reply::Array`] |
//! | `$-1`, `*-1` | 2 | the two nulls of RESP2 | [`Reply::Nil`] |
//! | `_` | 3 | `_` | [`Reply::Nil`] |
//! | `#` | 3 | `#t` or `#f` | [`Reply::Boolean`] |
//! | `,` | 3 | `,1.5e3`, `,inf`, `,-inf`, `,nan` | [`Reply::Double`] |
//! | `(` | 3 | `(` and any number of digits | [`Reply::BigNumber`] |
//! | `!` | 3 | `!n`, then `n` bytes | [`Reply::Error`] |
//! | `=` | 3 | `=n`, then three format bytes, a colon and the text: `n` bytes in total | [`Reply::Verbatim`] |
//! | `~` | 3 | `~n`, then `n` values | [`Reply::Set`] |
//! | `%` | 3 | `%n`, then `n` times key and value | [`Reply::Map`] |
//! | `\|` | 3 | `\|n`, then `n` times key and value, then the value they describe | [`Reply::Attributed`] |
//! | `>` | 3 | `>n`, then `n` values, the first one text; only outside of other values | [`Frame::Push`] |
//! | `$?` | 3 | `$?`, then any number of `;n` with `n` bytes, then `;0` | [`Reply::Bulk`] |
//! | `*?` `~?` `%?` | 3 | values until a line `.` | array, set, map |
//!
//! An attribute may precede any value, at the top level or inside another one, and does not count as an element.

pub mod encode;

mod decode;
mod error;
mod error_reply;
mod frame;
mod framer;
mod grammar;
mod limits;
mod raw_frame;
mod reply;
mod scan;
mod untrusted;

pub use decode::Decoder;
pub use error::{DecodeError, DecodeErrorKind};
pub use error_reply::ErrorReply;
pub use frame::{Frame, Push};
pub use framer::Framer;
pub use limits::Limits;
pub use raw_frame::RawFrame;
pub use reply::{Attributed, Reply, Verbatim};
pub use untrusted::{Untrusted, UntrustedUpTo};
