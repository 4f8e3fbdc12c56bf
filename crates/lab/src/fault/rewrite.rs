//! Other endpoints in what servers announce: `CLUSTER SLOTS` replies, `MOVED` and `ASK`.

use std::fmt;
use std::sync::Arc;

use bytes::BytesMut;
use truename_resp::{Decoder, ErrorReply, Frame, Limits, Reply};

/// An endpoint as a server announces it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Announced {
    /// The host; `None` is NULL in `CLUSTER SLOTS` and an empty host in a redirect.
    pub host: Option<String>,
    /// The port.
    pub port: u16,
}

impl Announced {
    /// This host and port.
    pub fn new(host: impl Into<String>, port: u16) -> Self {
        Self { host: Some(host.into()), port }
    }

    /// No host, this port.
    #[must_use]
    pub const fn unknown(port: u16) -> Self {
        Self { host: None, port }
    }
}

/// What every announced endpoint is replaced by.
#[derive(Clone)]
pub(super) struct Rule(pub(super) Arc<dyn Fn(&Announced) -> Announced + Send + Sync>);

impl fmt::Debug for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Rule")
    }
}

/// Rewrites the replies of one connection. Bytes of a reply are held back until it is complete.
#[derive(Debug)]
pub(super) struct Rewriter {
    rule: Rule,
    decoder: Decoder,
    pending: BytesMut,
    /// The bytes of the frame that is not complete yet, as they came.
    raw: BytesMut,
}

impl Rewriter {
    pub(super) fn new(rule: Rule) -> Self {
        let decoder = Decoder::new(Limits::default());
        Self { rule, decoder, pending: BytesMut::new(), raw: BytesMut::new() }
    }

    /// What to forward now that `bytes` came. Frames without endpoints pass as they came.
    pub(super) fn rewrite(&mut self, bytes: &[u8]) -> BytesMut {
        self.pending.extend_from_slice(bytes);
        self.raw.extend_from_slice(bytes);
        let mut out = BytesMut::new();
        loop {
            match self.decoder.decode(&mut self.pending) {
                Ok(Some(frame)) => {
                    let original = self.raw.split_to(self.raw.len() - self.pending.len());
                    match self.replaced(&frame) {
                        Some(reply) => put_reply(&mut out, &reply),
                        None => out.extend_from_slice(&original),
                    }
                }
                Ok(None) => return out,
                // Not RESP: there is nothing to rewrite in it.
                Err(_) => {
                    out.unsplit(self.raw.split());
                    return out;
                }
            }
        }
    }

    fn replaced(&self, frame: &Frame) -> Option<Reply> {
        match frame {
            Frame::Reply(Reply::Error(error)) => self.redirect(error.message()),
            Frame::Reply(Reply::Array(ranges)) if is_slots(ranges) => {
                Some(Reply::Array(ranges.iter().map(|range| self.range(range)).collect()))
            }
            _ => None,
        }
    }

    fn redirect(&self, text: &str) -> Option<Reply> {
        let [code @ ("MOVED" | "ASK"), slot, address] = text.split(' ').collect::<Vec<_>>()[..] else {
            return None;
        };
        let (host, port) = address.rsplit_once(':')?;
        let host = (!host.is_empty()).then(|| host.to_owned());
        let Announced { host, port } = (self.rule.0)(&Announced { host, port: port.parse().ok()? });
        let host = host.unwrap_or_default();
        Some(Reply::Error(ErrorReply::new(format!("{code} {slot} {host}:{port}"))))
    }

    fn range(&self, range: &Reply) -> Reply {
        let parts = range.as_array().unwrap_or_default();
        Reply::Array(parts.iter().map(|part| self.node(part)).collect())
    }

    fn node(&self, part: &Reply) -> Reply {
        let Some([host, port, rest @ ..]) = part.as_array() else { return part.clone() };
        let Some(port) = port.as_integer().and_then(|port| u16::try_from(port).ok()) else {
            return part.clone();
        };
        let announced = (self.rule.0)(&Announced { host: host.as_str().map(str::to_owned), port });
        let host = announced.host.map_or(Reply::Nil, |host| Reply::Bulk(host.into()));
        let port = Reply::Integer(announced.port.into());
        Reply::Array([host, port].into_iter().chain(rest.iter().cloned()).collect())
    }
}

/// `[[first, last, [host, port, id, ...], ...], ...]` with node ids of 40 digits: nothing else looks like that.
fn is_slots(ranges: &[Reply]) -> bool {
    let is_node = |node: &Reply| {
        let id = node.as_array().and_then(|node| node.get(2)).and_then(Reply::as_str);
        id.is_some_and(|id| id.len() == 40 && id.bytes().all(|digit| digit.is_ascii_hexdigit()))
    };
    let is_range = |range: &Reply| match range.as_array() {
        Some([Reply::Integer(_), Reply::Integer(_), nodes @ ..]) => nodes.iter().all(is_node),
        _ => false,
    };
    !ranges.is_empty() && ranges.iter().all(is_range)
}

/// The kinds of replies that a list of slots or a redirect consists of.
fn put_reply(out: &mut BytesMut, reply: &Reply) {
    let mut line = |text: String| out.extend_from_slice(text.as_bytes());
    match reply {
        Reply::Integer(value) => line(format!(":{value}\r\n")),
        Reply::Error(error) => line(format!("-{}\r\n", error.message())),
        Reply::Bulk(bytes) | Reply::Simple(bytes) => {
            line(format!("${}\r\n", bytes.len()));
            out.extend_from_slice(bytes);
            out.extend_from_slice(b"\r\n");
        }
        Reply::Array(items) => {
            line(format!("*{}\r\n", items.len()));
            items.iter().for_each(|item| put_reply(out, item));
        }
        Reply::Map(pairs) => {
            line(format!("%{}\r\n", pairs.len()));
            for (key, value) in pairs {
                put_reply(out, key);
                put_reply(out, value);
            }
        }
        _ => line("$-1\r\n".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0123456789012345678901234567890123456789";

    fn rewriter(rule: impl Fn(&Announced) -> Announced + Send + Sync + 'static) -> Rewriter {
        Rewriter::new(Rule(Arc::new(rule)))
    }

    #[test]
    fn endpoints_are_replaced_wherever_the_stream_is_cut_and_nothing_else_changes() {
        let slots = |host: &str, port: u16| {
            format!(
                "*1\r\n*3\r\n:0\r\n:5460\r\n*4\r\n{host}:{port}\r\n$40\r\n{ID}\r\n%1\r\n$2\r\nip\r\n$7\r\n10.0.0.4\r\n"
            )
            .replace("$7\r\n10.0.0.4", "$8\r\n10.0.0.4")
        };
        let rows = [
            (slots("$3\r\nold\r\n", 1), slots("$-1\r\n", 2)),
            ("-MOVED 5 old:1\r\n".to_owned(), "-MOVED 5 :2\r\n".to_owned()),
            ("-ASK 5 2001:db8::1:1\r\n".to_owned(), "-ASK 5 :2\r\n".to_owned()),
            ("-ERR no old:1\r\n".to_owned(), "-ERR no old:1\r\n".to_owned()),
            ("*2\r\n:0\r\n*1\r\n_\r\n".to_owned(), "*2\r\n:0\r\n*1\r\n_\r\n".to_owned()),
            (">1\r\n+push\r\n".to_owned(), ">1\r\n+push\r\n".to_owned()),
        ];
        let (before, after): (String, String) = rows.into_iter().unzip();
        for size in 1..before.len() {
            let mut rewriter = rewriter(|known| Announced::unknown(known.port + 1));
            let out: Vec<u8> =
                before.as_bytes().chunks(size).flat_map(|bytes| rewriter.rewrite(bytes)).collect();
            assert_eq!(String::from_utf8_lossy(&out), after, "in portions of {size}");
        }
    }

    #[test]
    fn what_is_no_resp_passes() {
        let mut rewriter = rewriter(|_| Announced::new("x", 1));
        assert_eq!(&rewriter.rewrite(b"\x16\x03hello")[..], b"\x16\x03hello");
        assert_eq!(&rewriter.rewrite(b"again")[..], b"again");
    }
}
