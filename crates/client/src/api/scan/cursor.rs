//! [`ScanCursor`]: where a scan stopped, as a short text.
//!
//! The form, before Base64 without padding: a version (1), a digest of pattern and type (8 bytes), how many nodes were under
//! way (varint) and for each the process (20 bytes), its epoch, its count of moved keys plus 1 or 0, a digest of its slots (8
//! bytes), its cursor plus 1 or 0 for the end (varints); then runs of slots, each its length and 0 for done, 1 for still to
//! do, 2 and up for a node (varints), until all slots are named; then a digest of all that (4 bytes).
//!
//! What must stay true: everything is checked when it is read, and what is allocated is bounded, whatever the text: a set of
//! slots (2 KiB) for each node, of which there are at most 2,000.

use std::fmt;
use std::str::FromStr;

use data_encoding::BASE64URL_NOPAD;
use truename_topology::Slot;

use super::digest::Digest;
use super::pass::{Parked, Position, Snapshot};
use super::slots::SlotSet;
use super::witness::{Memo, Process};

const VERSION: u8 = 1;
/// Longer texts are refused: no scan of the most nodes and the most scattered slots makes one.
const MOST_TEXT: usize = 256 * 1024;
/// How many nodes may be under way. The slots of others are scanned anew.
const MOST_PARKED: usize = 2000;

/// Where a scan stopped: [`Keys::cursor`](super::Keys::cursor) makes it, [`Scan::resume`](super::Scan::resume) goes on there.
///
/// It is text without meaning to others, of about 100 bytes and 60 more for each node that was being scanned; many scattered
/// slots make it longer, up to 256 KiB. It holds no key and no pattern.
///
/// What is cut off or changed by accident is refused. A text that somebody forged is safe to read, but may say that slots are
/// done which are not: keep it where only those who may decide which keys are found can change it.
///
/// # Examples
/// ```no_run
/// # async fn example(client: truename::Client) -> Result<(), Box<dyn std::error::Error>> {
/// use truename::scan::ScanCursor;
///
/// let mut keys = client.scan().keys();
/// for _ in 0..1000 {
///     let Some(key) = keys.next().await else { break };
///     println!("{}", key?.escape_ascii());
/// }
/// let saved = keys.cursor().map(|cursor| cursor.to_string());
///
/// // Later, or in another process.
/// if let Some(saved) = saved {
///     let cursor: ScanCursor = saved.parse()?;
///     let mut rest = client.scan().resume(cursor).keys();
///     while let Some(key) = rest.next().await {
///         println!("{}", key?.escape_ascii());
///     }
/// }
/// assert!("nonsense".parse::<ScanCursor>().is_err());
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScanCursor {
    /// A digest of what was asked for.
    pub(super) options: u64,
    pub(super) snapshot: Snapshot,
}

/// Why a text is not a [`ScanCursor`].
///
/// # Examples
/// ```
/// use truename::scan::{ScanCursor, ScanCursorError};
///
/// assert_eq!("".parse::<ScanCursor>(), Err(ScanCursorError::Malformed));
/// assert_eq!("/w".parse::<ScanCursor>(), Err(ScanCursorError::Malformed));
/// assert_eq!("_w".parse::<ScanCursor>(), Err(ScanCursorError::Version(255)));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ScanCursorError {
    /// Longer than any cursor is.
    TooLong,
    /// Of a version of this library that writes them in another form.
    Version(u8),
    /// Not a cursor, cut off, or changed.
    Malformed,
}

impl fmt::Display for ScanCursorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong => write!(f, "a cursor of a scan has at most {MOST_TEXT} bytes"),
            Self::Version(version) => {
                write!(
                    f,
                    "the cursor has form {version}, and this version of the client knows form {VERSION}"
                )
            }
            Self::Malformed => f.write_str("that is not a cursor of a scan, or not all of it"),
        }
    }
}

impl std::error::Error for ScanCursorError {}

impl fmt::Display for ScanCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&BASE64URL_NOPAD.encode(&self.bytes()))
    }
}

impl FromStr for ScanCursor {
    type Err = ScanCursorError;

    fn from_str(text: &str) -> Result<Self, ScanCursorError> {
        if text.len() > MOST_TEXT {
            return Err(ScanCursorError::TooLong);
        }
        let bytes = BASE64URL_NOPAD.decode(text.as_bytes()).map_err(|_| ScanCursorError::Malformed)?;
        match bytes.first() {
            Some(&VERSION) => Self::read(&bytes).ok_or(ScanCursorError::Malformed),
            Some(&other) => Err(ScanCursorError::Version(other)),
            None => Err(ScanCursorError::Malformed),
        }
    }
}

impl ScanCursor {
    /// The cursor of a scan that stopped like this. What has no room in the text is to do anew.
    pub(super) fn new(options: u64, mut snapshot: Snapshot) -> Self {
        let mut kept = 0;
        snapshot.parked.retain(|parked| {
            kept += 1;
            let has_room = kept <= MOST_PARKED && parked.position != Position::At(u64::MAX);
            if !has_room {
                snapshot.todo.add(&parked.targets);
            }
            has_room
        });
        Self { options, snapshot }
    }

    fn bytes(&self) -> Vec<u8> {
        let mut out = vec![VERSION];
        out.extend(self.options.to_le_bytes());
        let Snapshot { parked, todo } = &self.snapshot;
        push(&mut out, parked.len() as u64);
        for Parked { memo, position, .. } in parked {
            out.extend(memo.process.0);
            push(&mut out, memo.epoch);
            push(&mut out, memo.moved.map_or(0, |moved| moved.saturating_add(1)));
            out.extend(memo.slots.to_le_bytes());
            match *position {
                Position::End => out.push(0),
                Position::At(cursor) => push(&mut out, cursor.saturating_add(1)),
            }
        }
        let mut places = vec![0; Slot::COUNT];
        for (place, slots) in
            (1u64..).zip([todo].into_iter().chain(parked.iter().map(|parked| &parked.targets)))
        {
            slots.iter().for_each(|slot| places[slot.index()] = place);
        }
        let mut run: Option<(u64, u64)> = None;
        for place in places {
            match &mut run {
                Some((length, of)) if *of == place => *length += 1,
                _ => {
                    run.replace((1, place)).into_iter().for_each(|run| push_run(&mut out, run));
                }
            }
        }
        run.into_iter().for_each(|run| push_run(&mut out, run));
        out.extend(checksum(&out));
        out
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let (body, sum) = bytes.split_last_chunk::<4>()?;
        if *sum != checksum(body) {
            return None;
        }
        let mut rest = &body[1..];
        let options = u64::from_le_bytes(take(&mut rest)?);
        let mut parked = Vec::new();
        let count = pull(&mut rest).filter(|count| *count <= MOST_PARKED as u64)?;
        for _ in 0..count {
            let process = Process(take(&mut rest)?);
            let (epoch, moved) = (pull(&mut rest)?, pull(&mut rest)?.checked_sub(1));
            let slots = u64::from_le_bytes(take(&mut rest)?);
            let position = pull(&mut rest)?.checked_sub(1).map_or(Position::End, Position::At);
            let memo = Memo { process, moved, epoch, slots };
            parked.push(Parked { memo, position, targets: SlotSet::empty() });
        }
        let (mut todo, mut slots) = (SlotSet::empty(), Slot::all());
        while slots.len() > 0 {
            let (length, place) = (usize::try_from(pull(&mut rest)?).ok()?, pull(&mut rest)?);
            if length == 0 || length > slots.len() {
                return None;
            }
            let set = match place {
                0 => None,
                1 => Some(&mut todo),
                node => Some(&mut parked.get_mut(usize::try_from(node - 2).ok()?)?.targets),
            };
            let run = slots.by_ref().take(length);
            match set {
                Some(set) => run.for_each(|slot| set.insert(slot)),
                None => run.for_each(drop),
            }
        }
        let is_sound = rest.is_empty() && parked.iter().all(|parked| !parked.targets.is_empty());
        is_sound.then_some(Self { options, snapshot: Snapshot { parked, todo } })
    }
}

fn checksum(body: &[u8]) -> [u8; 4] {
    let digest = Digest::of(body);
    ((digest >> 32) as u32 ^ digest as u32).to_le_bytes()
}

fn push_run(out: &mut Vec<u8>, (length, place): (u64, u64)) {
    push(out, length);
    push(out, place);
}

/// Seven bits a byte, the lowest first; the highest bit says that more follow.
fn push(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn pull(rest: &mut &[u8]) -> Option<u64> {
    let mut number = 0u64;
    for shift in (0..64).step_by(7) {
        let (byte, left) = rest.split_first()?;
        *rest = left;
        let bits = u64::from(byte & 0x7f);
        if bits << shift >> shift != bits {
            return None;
        }
        number |= bits << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, left) = rest.split_first_chunk::<N>()?;
    *rest = left;
    Some(*taken)
}

#[cfg(test)]
mod tests {
    use super::super::slots::slots;
    use super::*;

    fn parked(run: u8, position: Position, targets: SlotSet) -> Parked {
        let memo = Memo {
            process: Process([run; 20]),
            moved: run.is_multiple_of(2).then_some(300),
            epoch: 1 << 40,
            slots: 7,
        };
        Parked { memo, position, targets }
    }

    #[test]
    fn what_was_written_is_read_and_short() {
        let scattered: SlotSet = Slot::all().filter(|slot| slot.value() % 2 == 0).collect();
        let scattered_parked: Vec<_> = (0..128u8)
            .map(|node| {
                parked(
                    node,
                    Position::At(1),
                    Slot::all().filter(|slot| slot.value() % 128 == u16::from(node)).collect(),
                )
            })
            .collect();
        let rows = [
            (Snapshot { parked: vec![], todo: SlotSet::all() }, 30),
            (Snapshot { parked: vec![], todo: SlotSet::empty() }, 30),
            (
                Snapshot {
                    parked: vec![
                        parked(1, Position::At(1 << 50), slots(0, 5460)),
                        parked(2, Position::End, slots(5461, 10_922)),
                        parked(3, Position::At(17), slots(10_923, 16_382)),
                    ],
                    todo: slots(16_383, 16_383),
                },
                250,
            ),
            (Snapshot { parked: vec![], todo: scattered }, 44_000),
            (Snapshot { parked: scattered_parked, todo: SlotSet::empty() }, 60_000),
        ];
        for (snapshot, most) in rows {
            let cursor = ScanCursor { options: 0x1234_5678_9abc_def0, snapshot };
            let text = cursor.to_string();
            assert!(text.len() <= most, "{} of {most}", text.len());
            assert_eq!(text.parse(), Ok(cursor));
        }
    }

    /// Each costs a set of slots when it is read, and the text few bytes: a short text could take much memory.
    #[test]
    fn no_more_nodes_are_kept_than_are_read() {
        let many = |count: usize| {
            let of = |node: usize| Slot::all().filter(move |slot| slot.index() % count == node).collect();
            let parked = (0..count).map(|node| parked(node as u8, Position::At(1), of(node))).collect();
            Snapshot { parked, todo: SlotSet::empty() }
        };
        let most = ScanCursor::new(0, many(MOST_PARKED));
        assert_eq!((most.snapshot.parked.len(), most.snapshot.todo.is_empty()), (MOST_PARKED, true));
        let text = most.to_string();
        assert!(text.len() <= MOST_TEXT, "{}", text.len());
        assert_eq!(text.parse(), Ok(most));
        let more = many(MOST_PARKED + 1);
        let cut = ScanCursor::new(0, more.clone());
        assert_eq!(cut.snapshot.parked.len(), MOST_PARKED);
        assert_eq!(cut.snapshot.todo, more.parked[MOST_PARKED].targets, "they are scanned anew");
        let too_many = ScanCursor { options: 0, snapshot: more }.to_string();
        assert_eq!(too_many.parse::<ScanCursor>(), Err(ScanCursorError::Malformed));
    }

    #[test]
    fn a_position_without_room_is_begun_anew() {
        let snapshot =
            Snapshot { parked: vec![parked(1, Position::At(u64::MAX), slots(0, 9))], todo: slots(20, 29) };
        let cursor = ScanCursor::new(0, snapshot);
        assert!(cursor.snapshot.parked.is_empty());
        assert!(cursor.snapshot.todo.contains(Slot::new(9).expect("a slot")));
        assert_eq!(cursor.to_string().parse(), Ok(cursor));
    }

    #[test]
    fn what_was_cut_off_or_changed_is_refused() {
        let snapshot =
            Snapshot { parked: vec![parked(1, Position::At(9), slots(0, 99))], todo: slots(200, 16_383) };
        let bytes = ScanCursor { options: 1, snapshot }.bytes();
        for cut in 1..bytes.len() {
            let text = BASE64URL_NOPAD.encode(&bytes[..cut]);
            assert_eq!(text.parse::<ScanCursor>(), Err(ScanCursorError::Malformed), "{cut}");
        }
        for (at, bit) in (1..bytes.len()).flat_map(|at| (0..8).map(move |bit| (at, bit))) {
            let mut changed = bytes.clone();
            changed[at] ^= 1 << bit;
            let text = BASE64URL_NOPAD.encode(&changed);
            assert_eq!(text.parse::<ScanCursor>(), Err(ScanCursorError::Malformed), "{at} {bit}");
        }
        let long = "A".repeat(MOST_TEXT + 1);
        assert_eq!(long.parse::<ScanCursor>(), Err(ScanCursorError::TooLong));
        assert_eq!("Ag".parse::<ScanCursor>(), Err(ScanCursorError::Version(2)));
    }

    /// Even with a sum that is right: numbers beyond all bounds, nodes that do not exist, slots that are too many.
    #[test]
    fn a_forged_cursor_is_refused_without_a_panic() {
        let forged = |middle: &[u8]| {
            let mut bytes = vec![VERSION];
            bytes.extend([0; 8]);
            bytes.extend(middle);
            bytes.extend(checksum(&bytes));
            BASE64URL_NOPAD.encode(&bytes).parse::<ScanCursor>()
        };
        let mut endless = vec![0xff; 9];
        endless.push(0x01);
        for middle in
            [&endless[..], &[0, 0, 1], &[0, 0x81, 0x80, 0x01, 1], &[0, 0x80, 0x80, 0x01, 2], &[0xff; 11], &[]]
        {
            assert_eq!(forged(middle), Err(ScanCursorError::Malformed), "{middle:?}");
        }
        assert!(forged(&[0, 0x80, 0x80, 0x01, 1]).is_ok(), "16,384 slots to do");
        assert_eq!(
            forged(&[0, 0x80, 0x80, 0x01, 1, 0]),
            Err(ScanCursorError::Malformed),
            "more than it says"
        );
    }
}
