//! What the decoder and the framer refuse, whatever a server announces.

/// Bounds on what one frame may hold. Beyond them decoding fails.
///
/// They guard against a peer that speaks another protocol, a corrupted stream and a hostile server. Memory follows
/// the bytes that arrived in any case; the limits say how far it may follow.
///
/// `depth`, `elements`, `bulk_len` and `line_len` bound one aggregate or text, and nesting multiplies them. `values` and
/// `bytes` are the budget of the whole frame, counted across all nesting as its parts arrive. A frame takes at most
/// [`memory`](Self::memory) of them, so this is what a connection can be made to hold for one reply.
///
/// # Examples
/// ```
/// use truename_resp::Limits;
///
/// let limits = Limits::default().with_bulk_len(1 << 20).with_line_len(1 << 16).with_elements(1000).with_depth(8);
/// assert_eq!((limits.bulk_len, limits.depth), (1 << 20, 8));
/// // What a frame takes at most, however it is nested.
/// assert!(limits.with_values(1000).with_bytes(1 << 20).memory() < 4 << 20);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// How many aggregates may be open inside each other, attributes included. Default
    /// [`Limits::MAX_DEPTH`], and values above count as that: scripts return tables in tables as deep as they like.
    pub depth: usize,
    /// How many values one aggregate may hold; a map of n pairs holds 2n. Default 16 Mi: such an array takes
    /// 768 MiB (48 bytes a value), the order of the longest bulk string a server stores.
    pub elements: usize,
    /// The longest bulk string, verbatim string or bulk error in bytes; for a streamed string the sum of its chunks.
    /// Default 512 MiB, the servers' own default for `proto-max-bulk-len`.
    pub bulk_len: usize,
    /// The longest line in bytes, for simple strings, errors, doubles and big numbers. Default 16 MiB: a
    /// script may return a status or an error of any length.
    pub line_len: usize,
    /// How many values one frame may hold in total, aggregates included, at every depth together. Default 16 Mi and 64 Ki,
    /// so that the largest aggregate that `elements` allows fits.
    pub values: usize,
    /// How many bytes one frame may take on the wire, headers included. Default 1 GiB.
    pub bytes: usize,
}

impl Limits {
    /// The deepest nesting the decoder accepts at all: values are dropped and compared recursively, and that
    /// must fit on a small stack.
    pub const MAX_DEPTH: usize = 512;

    /// The most memory that one value takes besides its text: it is 48 bytes in a vector that was doubled and is being
    /// moved, or a box of its own for attributes.
    pub const BYTES_PER_VALUE: usize = 160;

    /// No limits but the depth, for what has been within some before.
    pub(crate) const NONE: Self = Self {
        depth: Self::MAX_DEPTH,
        elements: usize::MAX,
        bulk_len: usize::MAX,
        line_len: usize::MAX,
        values: usize::MAX,
        bytes: usize::MAX,
    };

    /// The most memory in bytes that a frame within these limits takes while it arrives: its values and its texts, and
    /// the texts once more where a streamed string is put together. See the [example](Limits#examples).
    pub const fn memory(&self) -> usize {
        self.values.saturating_mul(Self::BYTES_PER_VALUE).saturating_add(self.bytes.saturating_mul(2))
    }

    /// What is in force of them. A single text is bounded by the whole budget too, depth by what the stack of a thread
    /// bears, and a number fits always.
    pub(crate) fn effective(self) -> Self {
        let bytes = self.bytes.max(64);
        Self {
            depth: self.depth.min(Self::MAX_DEPTH),
            bulk_len: self.bulk_len.min(bytes),
            line_len: self.line_len.min(bytes),
            values: self.values.max(1),
            bytes,
            ..self
        }
    }

    /// Sets how many values one frame may hold in total. See the [example](Limits#examples).
    #[must_use]
    pub const fn with_values(self, values: usize) -> Self {
        Self { values, ..self }
    }

    /// Sets how many bytes one frame may take on the wire. See the [example](Limits#examples).
    #[must_use]
    pub const fn with_bytes(self, bytes: usize) -> Self {
        Self { bytes, ..self }
    }

    /// Sets how many aggregates may be open inside each other. See the [example](Limits#examples).
    #[must_use]
    pub const fn with_depth(self, depth: usize) -> Self {
        Self { depth, ..self }
    }

    /// Sets how many values one aggregate may hold. See the [example](Limits#examples).
    #[must_use]
    pub const fn with_elements(self, elements: usize) -> Self {
        Self { elements, ..self }
    }

    /// Sets the longest bulk string in bytes. See the [example](Limits#examples).
    #[must_use]
    pub const fn with_bulk_len(self, bulk_len: usize) -> Self {
        Self { bulk_len, ..self }
    }

    /// Sets the longest line in bytes. See the [example](Limits#examples).
    #[must_use]
    pub const fn with_line_len(self, line_len: usize) -> Self {
        Self { line_len, ..self }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            depth: Self::MAX_DEPTH,
            elements: 16 << 20,
            bulk_len: 512 << 20,
            line_len: 16 << 20,
            values: (16 << 20) + (64 << 10),
            bytes: 1 << 30,
        }
    }
}
