//! Finding the arguments of a command that is encoded already: an array of bulk strings, and nothing else.
//!
//! What must stay true: what is accepted here is a whole command and no byte more, since it goes into a connection that
//! others share; nothing is allocated for what is announced and not there.

use std::fmt;

use smallvec::SmallVec;

/// Where an argument is in an encoded command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    start: u32,
    end: u32,
}

impl Span {
    #[inline]
    pub(super) fn of(self, frame: &[u8]) -> &[u8] {
        &frame[self.start as usize..self.end as usize]
    }
}

/// Bytes that are not one encoded command.
///
/// # Examples
/// ```
/// use truename::Command;
///
/// let error = Command::encoded(b"*2\r\n$3\r\nGET\r\n$4\r\nca").expect_err("cut off");
/// assert_eq!(error.to_string(), "not an encoded command: it ends too early, at byte 19");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct MalformedCommand {
    /// What is wrong.
    pub what: &'static str,
    /// At which byte.
    pub at: usize,
}

impl fmt::Display for MalformedCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not an encoded command: {}, at byte {}", self.what, self.at)
    }
}

impl std::error::Error for MalformedCommand {}

/// Finds the arguments.
pub(super) fn spans<const N: usize>(frame: &[u8]) -> Result<SmallVec<[Span; N]>, MalformedCommand>
where
    [Span; N]: smallvec::Array<Item = Span>,
{
    if u32::try_from(frame.len()).is_err() {
        return Err(MalformedCommand { what: "it is longer than 4 GiB", at: 0 });
    }
    let mut at = 0;
    let count = header(frame, &mut at, b'*')?;
    if count == 0 {
        return Err(MalformedCommand { what: "it has no name", at });
    }
    let mut spans = SmallVec::new();
    for _ in 0..count {
        let len = header(frame, &mut at, b'$')?;
        let end = at.checked_add(len).filter(|end| *end <= frame.len()).ok_or_else(|| cut_off(frame))?;
        spans.push(Span { start: at as u32, end: end as u32 });
        at = end;
        line_end(frame, &mut at)?;
    }
    match at == frame.len() {
        true => Ok(spans),
        false => Err(MalformedCommand { what: "more follows", at }),
    }
}

/// Reads a type byte, digits, CR LF.
fn header(frame: &[u8], at: &mut usize, kind: u8) -> Result<usize, MalformedCommand> {
    match frame.get(*at) {
        Some(&byte) if byte == kind => *at += 1,
        Some(_) => return Err(MalformedCommand { what: "it is not an array of bulk strings", at: *at }),
        None => return Err(cut_off(frame)),
    }
    let digits = frame[*at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    if digits == 0 && *at < frame.len() {
        return Err(MalformedCommand { what: "a length is missing", at: *at });
    }
    if digits > 1 && frame[*at] == b'0' {
        // Servers take the first zero for the whole length, or end the connection.
        return Err(MalformedCommand { what: "a length begins with 0", at: *at });
    }
    let mut value = 0_usize;
    for digit in &frame[*at..*at + digits] {
        let next = value.checked_mul(10).and_then(|value| value.checked_add(usize::from(digit - b'0')));
        value = next.ok_or(MalformedCommand { what: "a length is too large", at: *at })?;
    }
    *at += digits;
    line_end(frame, at)?;
    Ok(value)
}

fn line_end(frame: &[u8], at: &mut usize) -> Result<(), MalformedCommand> {
    match &frame[*at..] {
        [b'\r', b'\n', ..] => {
            *at += 2;
            Ok(())
        }
        [] | [b'\r'] => Err(cut_off(frame)),
        _ => Err(MalformedCommand { what: "CR LF is missing", at: *at }),
    }
}

fn cut_off(frame: &[u8]) -> MalformedCommand {
    MalformedCommand { what: "it ends too early", at: frame.len() }
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;
    use proptest::prelude::*;
    use truename_resp::encode;

    use super::*;

    fn found(frame: &[u8]) -> Result<Vec<&[u8]>, MalformedCommand> {
        Ok(spans::<16>(frame)?.into_iter().map(|span| span.of(frame)).collect())
    }

    #[test]
    fn what_is_not_one_command_is_refused() {
        let rows = [
            ("", "it ends too early", 0),
            ("*", "it ends too early", 1),
            ("*1", "it ends too early", 2),
            ("*1\r", "it ends too early", 3),
            ("*1\r\n", "it ends too early", 4),
            ("*1\r\n$4\r\nPING", "it ends too early", 12),
            ("*1\r\n$4\r\nPING\r", "it ends too early", 13),
            ("*2\r\n$4\r\nPING\r\n", "it ends too early", 14),
            ("*18446744073709551615\r\n$4\r\nPING\r\n", "it ends too early", 33),
            ("*1\r\n$18446744073709551615\r\nPING\r\n", "it ends too early", 33),
            ("*1\r\n$18446744073709551616\r\nPING\r\n", "a length is too large", 5),
            ("*0\r\n", "it has no name", 4),
            ("*-1\r\n", "a length is missing", 1),
            ("*+1\r\n$4\r\nPING\r\n", "a length is missing", 1),
            ("*1\r\n$-1\r\n", "a length is missing", 5),
            ("*01\r\n$4\r\nPING\r\n", "a length begins with 0", 1),
            ("*1\r\n$04\r\nPING\r\n", "a length begins with 0", 5),
            ("*1\r\n$00\r\n\r\n", "a length begins with 0", 5),
            ("*1\n$4\nPING\n", "CR LF is missing", 2),
            ("*1\r\n$3\r\nPING\r\n", "CR LF is missing", 11),
            ("PING\r\n", "it is not an array of bulk strings", 0),
            ("*1\r\n+PING\r\n", "it is not an array of bulk strings", 4),
            ("*1\r\n:7\r\n", "it is not an array of bulk strings", 4),
            ("*1\r\n$4\r\nPING\r\n*1\r\n$4\r\nPING\r\n", "more follows", 14),
            ("*1\r\n$4\r\nPING\r\n ", "more follows", 14),
        ];
        for (frame, what, at) in rows {
            assert_eq!(found(frame.as_bytes()), Err(MalformedCommand { what, at }), "{frame:?}");
        }
    }

    proptest! {
        #[test]
        fn the_arguments_are_those_that_were_encoded(
            args in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 1..40),
        ) {
            let mut frame = BytesMut::new();
            encode::put_command(&mut frame, args.iter().map(Vec::as_slice));
            prop_assert_eq!(found(&frame).expect("a command"), args.iter().map(Vec::as_slice).collect::<Vec<_>>());
        }

        #[test]
        fn a_part_of_a_command_is_never_a_command(
            args in proptest::collection::vec("[a-z]{0,12}", 1..8),
            cut in any::<proptest::sample::Index>(),
        ) {
            let mut frame = BytesMut::new();
            encode::put_command(&mut frame, args.iter().map(String::as_bytes));
            prop_assert!(found(&frame[..cut.index(frame.len())]).is_err());
        }

        #[test]
        fn what_is_accepted_is_what_would_be_encoded(
            mut bytes in proptest::collection::vec(prop_oneof![Just(b'0'), Just(b'1'), Just(b'\r'), Just(b'\n'), any::<u8>()], 0..12),
        ) {
            bytes.splice(0..0, *b"*1\r\n$");
            if let Ok(args) = found(&bytes) {
                let mut again = BytesMut::new();
                encode::put_command(&mut again, args.iter().copied());
                prop_assert_eq!(&again[..], &bytes[..]);
            }
        }
    }
}
