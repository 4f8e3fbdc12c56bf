//! Numbers and fixed words of the protocol.
//!
//! Integers and lengths are parsed straight from the buffer, digit by digit: with at most 19 digits this beats
//! searching the line end first, and looking again when the rest arrives costs a bounded handful of bytes.

/// The text cannot become valid, whatever follows.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

/// A value with the number of bytes it took, line end included; `None` while the line is incomplete.
pub(crate) type Parsed<T> = Result<Option<(T, usize)>, Malformed>;

/// The most digits of an integer. 19 nines fit into a `u64`, so the loop needs no check for overflow.
const DIGITS: usize = 19;

const CR_LF: [u8; 2] = *b"\r\n";

/// What the header of a string or an aggregate announces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Length {
    /// This many bytes, values or pairs follow.
    Known(usize),
    /// `-1`, the null of RESP2.
    Null,
    /// `?`, an end marker will follow.
    Streamed,
}

/// An optional sign, digits, CR LF.
#[inline]
pub(crate) fn integer(text: &[u8]) -> Parsed<i64> {
    let (sign, negative) = match text.first() {
        Some(b'-') => (1, true),
        Some(b'+') => (1, false),
        _ => (0, false),
    };
    let Some((magnitude, len)) = digits(&text[sign..])? else { return Ok(None) };
    let value = if negative { 0i64.checked_sub_unsigned(magnitude) } else { i64::try_from(magnitude).ok() };
    Ok(Some((value.ok_or(Malformed)?, sign + len)))
}

/// Digits, `-1` or `?`, then CR LF.
#[inline]
pub(crate) fn length(text: &[u8]) -> Parsed<Length> {
    match short_length(text) {
        Some((value, len)) => Ok(Some((Length::Known(value), len))),
        None => any_length(text),
    }
}

/// One or two digits and CR LF, as most lengths are.
#[inline(always)]
fn short_length(text: &[u8]) -> Option<(usize, usize)> {
    let &[first, second, third, fourth] = text.first_chunk()?;
    let (tens, ones) = (first.wrapping_sub(b'0'), second.wrapping_sub(b'0'));
    match ([second, third], [third, fourth]) {
        (_, CR_LF) if tens <= 9 && ones <= 9 => Some((usize::from(tens) * 10 + usize::from(ones), 4)),
        (CR_LF, _) if tens <= 9 => Some((usize::from(tens), 3)),
        _ => None,
    }
}

#[inline(never)]
fn any_length(text: &[u8]) -> Parsed<Length> {
    match text.first() {
        Some(b'-') => literal(text, b"-1\r\n", Length::Null),
        Some(b'?') => literal(text, b"?\r\n", Length::Streamed),
        _ => {
            let Some((value, len)) = digits(text)? else { return Ok(None) };
            Ok(Some((Length::Known(usize::try_from(value).map_err(|_| Malformed)?), len)))
        }
    }
}

/// Exactly `expected`, which stands for `value`.
#[inline]
pub(crate) fn literal<T>(text: &[u8], expected: &[u8], value: T) -> Parsed<T> {
    if text.starts_with(expected) {
        Ok(Some((value, expected.len())))
    } else if expected.starts_with(text) {
        Ok(None)
    } else {
        Err(Malformed)
    }
}

#[inline]
fn digits(text: &[u8]) -> Parsed<u64> {
    let mut value = 0u64;
    for (at, byte) in text.iter().enumerate() {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            if at == 0 {
                return Err(Malformed);
            }
            let Some((value, line_end)) = literal(&text[at..], b"\r\n", value)? else { return Ok(None) };
            return Ok(Some((value, at + line_end)));
        }
        if at == DIGITS {
            return Err(Malformed);
        }
        value = value * 10 + u64::from(digit);
    }
    Ok(None)
}

/// A decimal number in the RESP3 form, or `inf`, `-inf`, `nan`.
///
/// Also `-nan`: servers before Redis 7.2 print what the C library makes of a negative NaN.
pub(crate) fn double(text: &[u8]) -> Option<f64> {
    match text {
        b"inf" => return Some(f64::INFINITY),
        b"-inf" => return Some(f64::NEG_INFINITY),
        b"nan" | b"-nan" => return Some(f64::NAN),
        _ => {}
    }
    // The parser of the standard library also takes `.5`, `5.`, `Infinity`; the protocol does not.
    let unsigned = text.strip_prefix(b"-").or_else(|| text.strip_prefix(b"+")).unwrap_or(text);
    let point = memchr::memchr(b'.', unsigned);
    let starts_with_digit = unsigned.first().is_some_and(u8::is_ascii_digit);
    let digit_after_point = point.is_none_or(|at| unsigned.get(at + 1).is_some_and(u8::is_ascii_digit));
    if !starts_with_digit || !digit_after_point {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// Whether this is an optional sign and at least one digit.
pub(crate) fn is_big_number(text: &[u8]) -> bool {
    let unsigned = text.strip_prefix(b"-").or_else(|| text.strip_prefix(b"+")).unwrap_or(text);
    !unsigned.is_empty() && unsigned.iter().all(u8::is_ascii_digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers() {
        let table: [(&str, Parsed<i64>); 20] = [
            ("0\r\n", Ok(Some((0, 3)))),
            ("-0\r\n", Ok(Some((0, 4)))),
            ("+12\r\nrest", Ok(Some((12, 5)))),
            ("007\r\n", Ok(Some((7, 5)))),
            ("9223372036854775807\r\n", Ok(Some((i64::MAX, 21)))),
            ("-9223372036854775808\r\n", Ok(Some((i64::MIN, 22)))),
            ("9223372036854775808\r\n", Err(Malformed)),
            ("-9223372036854775809\r\n", Err(Malformed)),
            ("99999999999999999999", Err(Malformed)),
            ("00000000000000000001\r\n", Err(Malformed)),
            ("", Ok(None)),
            ("-", Ok(None)),
            ("12", Ok(None)),
            ("12\r", Ok(None)),
            ("\r\n", Err(Malformed)),
            ("-\r\n", Err(Malformed)),
            ("+-1\r\n", Err(Malformed)),
            ("1 \r\n", Err(Malformed)),
            ("1\n", Err(Malformed)),
            ("1\rx", Err(Malformed)),
        ];
        for (text, expected) in table {
            assert_eq!(integer(text.as_bytes()), expected, "{text:?}");
        }
    }

    #[test]
    fn lengths() {
        let table: [(&str, Parsed<Length>); 12] = [
            ("64\r\n", Ok(Some((Length::Known(64), 4)))),
            ("0\r\n", Ok(Some((Length::Known(0), 3)))),
            ("-1\r\n", Ok(Some((Length::Null, 4)))),
            ("?\r\n", Ok(Some((Length::Streamed, 3)))),
            ("-1\r", Ok(None)),
            ("-", Ok(None)),
            ("?", Ok(None)),
            ("-2\r\n", Err(Malformed)),
            ("-0\r\n", Err(Malformed)),
            ("+1\r\n", Err(Malformed)),
            ("??", Err(Malformed)),
            ("\r\n", Err(Malformed)),
        ];
        for (text, expected) in table {
            assert_eq!(length(text.as_bytes()), expected, "{text:?}");
        }
    }

    #[test]
    fn doubles() {
        let table = [
            ("1", Some(1.0)),
            ("-1.5", Some(-1.5)),
            ("+10.25", Some(10.25)),
            ("1e+20", Some(1e20)),
            ("1.5E-3", Some(1.5e-3)),
            ("inf", Some(f64::INFINITY)),
            ("-inf", Some(f64::NEG_INFINITY)),
            ("", None),
            ("-", None),
            (".5", None),
            ("5.", None),
            ("5.e1", None),
            ("1.2.3", None),
            ("Inf", None),
            ("infinity", None),
            ("+nan", None),
            ("1e", None),
            ("0x10", None),
            ("1 ", None),
        ];
        for (text, expected) in table {
            assert_eq!(double(text.as_bytes()), expected, "{text:?}");
        }
        assert!(double(b"nan").is_some_and(f64::is_nan));
        assert!(double(b"-nan").is_some_and(f64::is_nan));
        assert_eq!(double(b"1\xff"), None);
    }

    #[test]
    fn big_numbers() {
        for (text, expected) in [
            ("1", true),
            ("-34928903284", true),
            ("+1", true),
            ("", false),
            ("-", false),
            ("1a", false),
            ("--1", false),
        ] {
            assert_eq!(is_big_number(text.as_bytes()), expected, "{text:?}");
        }
    }
}
