//! The keys of one reply to `SCAN`, read out of it one by one: a million keys are too many to make a value of each twice.

use std::vec::IntoIter;

use bytes::Bytes;
use truename_resp::{Frame, Limits, RawFrame, Reply};

use crate::error::{Error, TypeError};
use crate::from_reply::FromReply;

/// The keys of a page that were not handed out yet.
#[derive(Debug)]
pub(super) enum Page {
    /// In the frame as it came, whose headers were looked at: from `at` on there are `left` bulk strings.
    Framed { frame: Bytes, at: usize, left: usize },
    /// From a frame of another form: with attributes, for example.
    Decoded(IntoIter<Bytes>),
}

impl Page {
    /// The cursor that came with it, and the page.
    pub(super) fn read(frame: RawFrame) -> Result<(String, Self), Error> {
        match framed(frame.as_bytes()) {
            Some((cursor, at, left)) => {
                let cursor = String::from_utf8_lossy(cursor).into_owned();
                Ok((cursor, Self::Framed { frame: frame.into_bytes(), at, left }))
            }
            None => decoded(&frame).map_err(Error::from),
        }
    }
}

impl Iterator for Page {
    type Item = Bytes;

    #[inline]
    fn next(&mut self) -> Option<Bytes> {
        match self {
            Self::Framed { frame, at, left } => {
                *left = left.checked_sub(1)?;
                let (length, start) = header(frame, *at, b'$')?;
                *at = start + length + 2;
                Some(frame.slice(start..start + length))
            }
            Self::Decoded(keys) => keys.next(),
        }
    }
}

/// The cursor of a reply in its usual form, where its first key begins, and how many there are.
fn framed(frame: &[u8]) -> Option<(&[u8], usize, usize)> {
    let (2, at) = header(frame, 0, b'*')? else { return None };
    let (length, start) = header(frame, at, b'$')?;
    let cursor = frame.get(start..start + length)?;
    let (left, first) = header(frame, start + length + 2, b'*')?;
    let mut at = first;
    for _ in 0..left {
        let (length, start) = header(frame, at, b'$')?;
        at = start + length + 2;
    }
    (at == frame.len()).then_some((cursor, first, left))
}

/// The length in a header of this kind, and where what it announces begins.
#[inline]
fn header(frame: &[u8], at: usize, kind: u8) -> Option<(usize, usize)> {
    let digits = frame.get(at..)?.strip_prefix(&[kind])?;
    // Nearly every key is of 10 to 99 bytes.
    if let [tens @ b'0'..=b'9', ones @ b'0'..=b'9', b'\r', ..] = *digits {
        return Some((usize::from(tens - b'0') * 10 + usize::from(ones - b'0'), at + 5));
    }
    let mut digits = digits.iter().copied().enumerate();
    let mut length = 0usize;
    loop {
        match digits.next()? {
            (_, digit @ b'0'..=b'9') => {
                length = length.checked_mul(10)?.checked_add(usize::from(digit - b'0'))?
            }
            // A line feed follows: the frame is complete and sound. No number at all is not.
            (count @ 1.., b'\r') => return Some((length, at + 1 + count + 2)),
            _ => return None,
        }
    }
}

fn decoded(frame: &RawFrame) -> Result<(String, Page), TypeError> {
    let wanted = || TypeError::new("a cursor and keys", "something else");
    // It was framed with the client's own limits, which may be wider.
    let Ok(Frame::Reply(reply)) = frame.decode(Limits::default()) else { return Err(wanted()) };
    let (cursor, keys) = <(String, Vec<Reply>)>::from_reply(reply)?;
    let keys = keys.into_iter().map(|key| match key.without_attributes() {
        Reply::Bulk(key) => Ok(key),
        _ => Err(wanted()),
    });
    Ok((cursor, Page::Decoded(keys.collect::<Result<Vec<_>, _>>()?.into_iter())))
}

#[cfg(test)]
mod tests {
    use truename_resp::Framer;

    use super::*;

    fn frame(bytes: &'static str) -> RawFrame {
        let mut framer = Framer::new(Limits::default());
        let mut buffer = bytes::BytesMut::from(bytes);
        framer.frame(&mut buffer).expect("sound").expect("complete")
    }

    #[test]
    fn keys_are_read_in_every_form() {
        for (bytes, is_framed) in [
            ("*2\r\n$2\r\n17\r\n*3\r\n$1\r\na\r\n$0\r\n\r\n$4\r\n\r\n*1\r\n", true),
            ("|1\r\n+a\r\n+b\r\n*2\r\n$2\r\n17\r\n*3\r\n$1\r\na\r\n$0\r\n\r\n$4\r\n\r\n*1\r\n", false),
            ("*2\r\n+17\r\n~3\r\n$1\r\na\r\n$0\r\n\r\n$4\r\n\r\n*1\r\n", false),
        ] {
            let (cursor, page) = Page::read(frame(bytes)).expect("a page");
            assert_eq!((cursor.as_str(), matches!(page, Page::Framed { .. })), ("17", is_framed));
            assert_eq!(page.collect::<Vec<_>>(), ["a", "", "\r\n*1"], "{bytes}");
        }
        let (cursor, mut page) = Page::read(frame("*2\r\n$1\r\n0\r\n*0\r\n")).expect("a page");
        assert_eq!((cursor.as_str(), page.next()), ("0", None));
    }

    #[test]
    fn keys_of_every_length_are_read() {
        for length in [0usize, 1, 9, 10, 42, 99, 100, 1000] {
            let key = "k".repeat(length);
            let text = format!("*2\r\n$1\r\n0\r\n*2\r\n${length}\r\n{key}\r\n$1\r\nx\r\n");
            let (_, page) = Page::read(frame(text.leak())).expect("a page");
            assert_eq!(page.collect::<Vec<_>>(), [key.as_str(), "x"]);
        }
    }

    #[test]
    fn no_key_is_passed_over_in_silence() {
        for bytes in [
            "*2\r\n$1\r\n0\r\n*1\r\n:1\r\n",
            "*1\r\n$1\r\n0\r\n",
            "$1\r\n0\r\n",
            "*2\r\n$1\r\n0\r\n*1\r\n$-1\r\n",
        ] {
            assert!(Page::read(frame(bytes)).is_err(), "{bytes}");
        }
    }
}
