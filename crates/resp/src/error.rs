//! Why a stream of bytes is not RESP.

/// The stream broke the protocol or a limit. There is no way to find the next reply after it: close the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid RESP at byte {at}: {kind}")]
#[non_exhaustive]
pub struct DecodeError {
    /// Where the offending header or payload starts, in bytes since the decoder or the framer was made.
    pub at: u64,
    /// What is wrong there.
    pub kind: DecodeErrorKind,
}

/// The rule that was broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeErrorKind {
    /// No RESP type starts with this byte.
    #[error("unknown type byte '{}'", .0.escape_ascii())]
    UnknownType(u8),
    /// Not an integer of 64 bits, or not ended by CR LF.
    #[error("malformed integer")]
    InvalidInteger,
    /// Not a length, or a form that this type does not have.
    #[error("malformed length")]
    InvalidLength,
    /// Not a decimal floating point number.
    #[error("malformed double")]
    InvalidDouble,
    /// Something other than an optional sign and digits.
    #[error("malformed big number")]
    InvalidBigNumber,
    /// Neither `#t` nor `#f`.
    #[error("malformed boolean")]
    InvalidBoolean,
    /// Bytes between a `_` and its CR LF.
    #[error("malformed null")]
    InvalidNull,
    /// A verbatim string without three format bytes and a colon.
    #[error("verbatim string without a format")]
    InvalidVerbatim,
    /// A line or a payload that does not end with CR LF.
    #[error("missing CR LF")]
    MissingLineEnd,
    /// A push inside another value, or after attributes.
    #[error("push inside another value")]
    NestedPush,
    /// A push that is empty or whose first element is not text.
    #[error("push without a kind")]
    InvalidPush,
    /// A `.` where no streamed aggregate can end.
    #[error("unexpected end of a streamed aggregate")]
    UnexpectedEnd,
    /// A `;` outside of a streamed string.
    #[error("chunk outside of a streamed string")]
    UnexpectedChunk,
    /// Something other than a `;` inside a streamed string.
    #[error("streamed string without its final chunk")]
    MissingChunk,
    /// More than [`Limits::depth`](crate::Limits::depth).
    #[error("nested deeper than {limit}")]
    TooDeep {
        /// The current limit.
        limit: usize,
    },
    /// More than [`Limits::elements`](crate::Limits::elements).
    #[error("aggregate of more than {limit} elements")]
    TooManyElements {
        /// The current limit.
        limit: usize,
    },
    /// More than [`Limits::bulk_len`](crate::Limits::bulk_len).
    #[error("string of more than {limit} bytes")]
    BulkTooLong {
        /// The current limit.
        limit: usize,
    },
    /// More than [`Limits::values`](crate::Limits::values).
    #[error("reply of more than {limit} values in total")]
    TooManyValues {
        /// The current limit.
        limit: usize,
    },
    /// More than [`Limits::bytes`](crate::Limits::bytes).
    #[error("reply of more than {limit} bytes in total")]
    TooManyBytes {
        /// The current limit.
        limit: usize,
    },
    /// More than [`Limits::line_len`](crate::Limits::line_len).
    #[error("line of more than {limit} bytes")]
    LineTooLong {
        /// The current limit.
        limit: usize,
    },
}

impl DecodeErrorKind {
    /// Whether a limit was passed. The bytes may be good RESP all the same, and the same reply would fail again.
    pub fn is_limit(&self) -> bool {
        matches!(
            self,
            Self::TooDeep { .. }
                | Self::TooManyElements { .. }
                | Self::BulkTooLong { .. }
                | Self::LineTooLong { .. }
                | Self::TooManyValues { .. }
                | Self::TooManyBytes { .. }
        )
    }
}
