//! Commands onto the wire: arrays of bulk strings, in RESP2 and RESP3 alike.
//!
//! Everything appends to a buffer of the caller; nothing else is allocated.
//!
//! ```
//! use truename_resp::encode;
//!
//! let mut out = bytes::BytesMut::new();
//! encode::put_array_header(&mut out, 3);
//! encode::put_bulk(&mut out, b"INCRBY");
//! encode::put_bulk(&mut out, b"hits");
//! encode::put_integer(&mut out, -2);
//! assert_eq!(&out[..], b"*3\r\n$6\r\nINCRBY\r\n$4\r\nhits\r\n$2\r\n-2\r\n");
//! ```

use bytes::BytesMut;

/// The longest header: a type byte, the 20 digits of `u64::MAX`, CR LF.
const HEADER: usize = 23;

/// Appends the header of a command with this many arguments, its name included.
#[inline]
pub fn put_array_header(out: &mut BytesMut, elements: usize) {
    put_header(out, b'*', elements);
}

/// Appends one argument.
#[inline]
pub fn put_bulk(out: &mut BytesMut, bytes: &[u8]) {
    put_header(out, b'$', bytes.len());
    out.extend_from_slice(bytes);
    out.extend_from_slice(b"\r\n");
}

/// Appends one argument that is a number, in decimal. Commands know bulk strings only.
#[inline]
pub fn put_integer(out: &mut BytesMut, value: i64) {
    put_bulk(out, itoa::Buffer::new().format(value).as_bytes());
}

/// Appends a whole command. Where there may be too little room for the next argument, the exact size of all that are left
/// is reserved at once.
#[inline]
pub fn put_command<'a>(out: &mut BytesMut, mut args: impl ExactSizeIterator<Item = &'a [u8]> + Clone) {
    let count = args.len();
    let all = args.clone();
    let Some(name) = args.next() else { return put_array_header(out, 0) };
    if has_little_room(out, HEADER + name.len()) {
        reserve(out, header_size(count), all);
    }
    put_command_start(out, count, name.len());
    out.extend_from_slice(name);
    loop {
        let left = args.clone();
        let Some(arg) = args.next() else { break };
        if has_little_room(out, arg.len()) {
            // The line end of the argument before is not yet there.
            reserve(out, 2, left);
        }
        put_next_header(out, arg.len());
        out.extend_from_slice(arg);
    }
    out.extend_from_slice(b"\r\n");
}

/// Whether there may be too little room for this much, the header of an argument, and a line end before and after it.
#[inline(always)]
fn has_little_room(out: &BytesMut, len: usize) -> bool {
    out.capacity() - out.len() < len + HEADER + 4
}

/// Makes room for these arguments and this much more.
#[cold]
fn reserve<'a>(out: &mut BytesMut, more: usize, args: impl Iterator<Item = &'a [u8]>) {
    out.reserve(more + bulk_sizes(args));
}

/// The header of a command and that of its name.
#[inline(always)]
fn put_command_start(out: &mut BytesMut, args: usize, name: usize) {
    if let (0..10, 0..10) = (args, name) {
        out.extend_from_slice(&[
            b'*',
            b'0' + args as u8,
            b'\r',
            b'\n',
            b'$',
            b'0' + name as u8,
            b'\r',
            b'\n',
        ]);
    } else {
        put_header(out, b'*', args);
        put_header(out, b'$', name);
    }
}

/// The end of an argument and the header of the next one.
#[inline(always)]
fn put_next_header(out: &mut BytesMut, value: usize) {
    match value {
        0..10 => out.extend_from_slice(&[b'\r', b'\n', b'$', b'0' + value as u8, b'\r', b'\n']),
        10..100 => {
            let (tens, ones) = (value as u8 / 10, value as u8 % 10);
            out.extend_from_slice(&[b'\r', b'\n', b'$', b'0' + tens, b'0' + ones, b'\r', b'\n']);
        }
        _ => {
            out.extend_from_slice(b"\r\n");
            put_long_header(out, b'$', value);
        }
    }
}

/// How many bytes [`put_command`] appends.
#[inline]
pub fn command_size<'a>(args: impl ExactSizeIterator<Item = &'a [u8]>) -> usize {
    header_size(args.len()) + bulk_sizes(args)
}

#[inline]
fn bulk_sizes<'a>(args: impl Iterator<Item = &'a [u8]>) -> usize {
    args.map(|arg| bulk_size(arg.len())).sum()
}

/// How many bytes [`put_bulk`] appends for an argument of this length.
#[inline]
pub const fn bulk_size(len: usize) -> usize {
    header_size(len) + len + 2
}

#[inline]
const fn header_size(value: usize) -> usize {
    let digits = match value {
        0..10 => 1,
        10..100 => 2,
        _ => value.ilog10() as usize + 1,
    };
    1 + digits + 2
}

/// One append for the whole header: three small ones cost twice as much. Most arguments are shorter than 100 bytes;
/// an append of constant length is a store, not a call.
#[inline]
fn put_header(out: &mut BytesMut, kind: u8, value: usize) {
    match value {
        0..10 => out.extend_from_slice(&[kind, b'0' + value as u8, b'\r', b'\n']),
        10..100 => {
            let (tens, ones) = (value as u8 / 10, value as u8 % 10);
            out.extend_from_slice(&[kind, b'0' + tens, b'0' + ones, b'\r', b'\n']);
        }
        _ => put_long_header(out, kind, value),
    }
}

#[inline(never)]
fn put_long_header(out: &mut BytesMut, kind: u8, value: usize) {
    let mut digits = itoa::Buffer::new();
    let digits = digits.format(value).as_bytes();
    let end = 1 + digits.len();
    let mut header = [0; HEADER];
    header[0] = kind;
    header[1..end].copy_from_slice(digits);
    header[end..end + 2].copy_from_slice(b"\r\n");
    out.extend_from_slice(&header[..end + 2]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_bulk_strings() {
        for (value, wire) in [
            (0, "$1\r\n0\r\n"),
            (-1, "$2\r\n-1\r\n"),
            (i64::MAX, "$19\r\n9223372036854775807\r\n"),
            (i64::MIN, "$20\r\n-9223372036854775808\r\n"),
        ] {
            let mut out = BytesMut::new();
            put_integer(&mut out, value);
            assert_eq!(out, wire);
        }
    }

    #[test]
    fn sizes_are_exact_where_the_digits_change() {
        for len in [0, 1, 9, 10, 11, 99, 100, 999, 1000, 99_999, 100_000] {
            let arg = vec![b'x'; len];
            let mut out = BytesMut::new();
            put_bulk(&mut out, &arg);
            assert_eq!(out.len(), bulk_size(len), "length {len}");
        }
        for count in [0, 1, 9, 10, 100] {
            let args = vec![b"ab".as_slice(); count];
            let mut out = BytesMut::new();
            put_command(&mut out, args.iter().copied());
            assert_eq!(out.len(), command_size(args.iter().copied()), "count {count}");
        }
    }

    #[test]
    fn a_command_is_its_header_and_its_arguments() {
        for len in [0, 1, 9, 10, 11, 99, 100, 1000] {
            let arg = vec![b'x'; len];
            for count in [0, 1, 2, 9, 10, 11, 100] {
                let args = vec![arg.as_slice(); count];
                let (mut whole, mut parts) = (BytesMut::new(), BytesMut::new());
                put_command(&mut whole, args.iter().copied());
                put_array_header(&mut parts, count);
                args.iter().for_each(|arg| put_bulk(&mut parts, arg));
                assert_eq!(whole, parts, "{count} arguments of {len} bytes");
            }
        }
    }

    #[test]
    fn the_longest_header_fits() {
        let mut out = BytesMut::new();
        put_header(&mut out, b'$', usize::MAX);
        assert_eq!(out.len(), header_size(usize::MAX));
        assert!(out.len() <= HEADER);
    }

    #[test]
    fn a_command_reserves_once_and_exactly() {
        let args = [b"SET".as_slice(), b"key", &[7; 5000]];
        let mut out = BytesMut::with_capacity(command_size(args.into_iter()));
        let before = out.as_ptr();
        put_command(&mut out, args.into_iter());
        assert_eq!(out.as_ptr(), before, "the promised size was enough");
    }
}
