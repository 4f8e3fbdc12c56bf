//! Inputs that are nearly those of the corpus: the mutations that a fuzzer makes, in an order that never changes.

use truename_fuzz_targets::Random;

/// What parsers look for, what lies at an edge, and what does harm where it is shown.
const WORDS: [&[u8]; 40] = [
    b"\r\n",
    b"\n",
    b" ",
    b"",
    b"\0",
    b"\xff",
    b"\xc3\xa9",
    "\u{202e}".as_bytes(),
    b"\x1b[2J",
    b"-1",
    b"0",
    b"1",
    b"9",
    b"16383",
    b"16384",
    b"65535",
    b"65536",
    b"2147483648",
    b"9223372036854775807",
    b"18446744073709551616",
    b"*1\r\n",
    b"*1000000000\r\n",
    b"$500000000\r\n",
    b"%2\r\n",
    b"|1\r\n+a\r\n:1\r\n",
    b"$?\r\n;1\r\nx\r\n",
    b"*?\r\n",
    b".\r\n",
    b"_\r\n",
    b"$-1\r\n",
    b"?",
    b"@",
    b":",
    b"/",
    b"=",
    b",",
    b"[::1]",
    b"0.0.0.0",
    b"master",
    b"node.evil.example",
];

/// An input that differs from `original` in one to four places; parts of `donor` may be in it.
pub(crate) fn mutated(original: &[u8], donor: &[u8], random: &mut Random) -> Vec<u8> {
    let mut bytes = original.to_vec();
    for _ in 0..=random.below(4) {
        change(&mut bytes, donor, random);
    }
    bytes
}

fn change(bytes: &mut Vec<u8>, donor: &[u8], random: &mut Random) {
    let at = random.below(bytes.len() + 1);
    let end = at + random.below((bytes.len() - at).min(64) + 1);
    match random.below(8) {
        0 => bytes.truncate(at),
        1 => drop(bytes.drain(at..end)),
        2 => {
            let again = bytes[at..end].to_vec();
            bytes.splice(at..at, again);
        }
        3 => {
            bytes.splice(at..at, WORDS[random.below(WORDS.len())].iter().copied());
        }
        4 => {
            bytes.splice(at..end, WORDS[random.below(WORDS.len())].iter().copied());
        }
        5 => {
            bytes.truncate(at);
            bytes.extend_from_slice(&donor[random.below(donor.len() + 1)..]);
        }
        6 => set(bytes, at, |_| u8::try_from(random.below(256)).unwrap_or_default()),
        _ => set(bytes, at, |byte| byte ^ (1 << random.below(8))),
    }
}

fn set(bytes: &mut [u8], at: usize, new: impl FnOnce(u8) -> u8) {
    if let Some(byte) = bytes.get_mut(at) {
        *byte = new(*byte);
    }
}
