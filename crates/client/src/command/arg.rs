//! One argument: borrowed bytes, a short text kept in place, owned bytes, or bytes that are shared with others.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

/// Longest text that is kept in place: any 64-bit integer, and most floating point numbers.
const INLINE: usize = 22;

/// An argument in the form in which it is sent.
///
/// Made by [`ToArg`], which your own types can implement.
///
/// # Examples
/// ```
/// use truename::cmd;
/// use truename::command::{Arg, ToArg};
///
/// struct OrderId(u64);
///
/// impl<'a> ToArg<'a> for &OrderId {
///     fn to_arg(self) -> Arg<'a> {
///         Arg::copied(format!("order:{}", self.0).as_bytes())
///     }
/// }
///
/// /// What is sent of an order. A reference to it is borrowed and a `Document` itself moves into the command.
/// struct Document(Vec<u8>);
///
/// impl<'a> ToArg<'a> for &'a Document {
///     fn to_arg(self) -> Arg<'a> {
///         Arg::borrowed(&self.0)
///     }
/// }
///
/// impl<'a> ToArg<'a> for Document {
///     fn to_arg(self) -> Arg<'a> {
///         Arg::owned(self.0)
///     }
/// }
///
/// let command = cmd("SET").arg(&OrderId(7)).arg(Document(b"two of each".to_vec()));
/// // One large value for many commands: `Bytes` are shared, not copied.
/// let image = bytes::Bytes::from(vec![0; 1 << 20]);
/// let commands = [1, 2].map(|order| cmd("SET").arg(&OrderId(order)).arg(Arg::shared(image.clone())));
/// ```
#[derive(Clone)]
pub struct Arg<'a>(Repr<'a>);

#[derive(Clone)]
enum Repr<'a> {
    Borrowed(&'a [u8]),
    Inline {
        len: u8,
        bytes: [u8; INLINE],
    },
    Owned(Box<[u8]>),
    /// Boxed, as it is longer than the others.
    Shared(Box<Bytes>),
}

impl Repr<'_> {
    /// The bytes of the rarer forms.
    #[inline(never)]
    fn kept_bytes(&self) -> &[u8] {
        match self {
            Self::Borrowed(bytes) => bytes,
            Self::Inline { len, bytes } => &bytes[..usize::from(*len)],
            Self::Owned(bytes) => bytes,
            Self::Shared(bytes) => bytes,
        }
    }
}

impl<'a> Arg<'a> {
    /// With the frequent forms apart: four at once would be a jump through a table at every look.
    #[inline]
    pub(crate) fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Repr::Borrowed(bytes) => bytes,
            Repr::Inline { len, bytes } => &bytes[..usize::from(*len)],
            kept => kept.kept_bytes(),
        }
    }

    /// Bytes that outlive the command. See the [example](Arg#examples).
    #[inline]
    pub fn borrowed(bytes: &'a [u8]) -> Self {
        Self(Repr::Borrowed(bytes))
    }

    /// A copy of bytes. Up to 22 of them are kept in place, without an allocation. See the [example](Arg#examples).
    #[inline]
    pub fn copied(bytes: &[u8]) -> Self {
        if bytes.len() > INLINE {
            return Self::owned(bytes);
        }
        let mut place = [0; INLINE];
        place[..bytes.len()].copy_from_slice(bytes);
        Self(Repr::Inline { len: bytes.len() as u8, bytes: place })
    }

    /// Bytes that belong to the command. See the [example](Arg#examples).
    #[inline]
    pub fn owned(bytes: impl Into<Box<[u8]>>) -> Self {
        Self(Repr::Owned(bytes.into()))
    }

    /// Bytes that are shared with others, and not copied into the command. More than 22 of them cost a small allocation.
    /// See the [example](Arg#examples).
    #[inline]
    pub fn shared(bytes: Bytes) -> Self {
        if bytes.len() > INLINE { Self(Repr::Shared(Box::new(bytes))) } else { Self::copied(&bytes) }
    }

    /// The same bytes, which no longer depend on anything that was borrowed.
    pub(super) fn into_owned(self) -> Arg<'static> {
        Arg(match self.0 {
            Repr::Borrowed(bytes) => return Arg::copied(bytes),
            Repr::Inline { len, bytes } => Repr::Inline { len, bytes },
            Repr::Owned(bytes) => Repr::Owned(bytes),
            Repr::Shared(bytes) => Repr::Shared(bytes),
        })
    }
}

/// The length alone: what an argument holds may be a secret.
impl fmt::Debug for Arg<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Arg({} bytes)", self.as_bytes().len())
    }
}

#[diagnostic::on_unimplemented(
    message = "`{Self}` is not one argument of a command",
    note = "`Command::arg` takes options and tuples too, `Command::args` lists; types of your own implement `ToArg`"
)]
/// What is one argument of a command. References are borrowed, owned values become the command's own.
///
/// | type | sent as |
/// |---|---|
/// | `str`, `String`, `Box<str>`, `Arc<str>`, `Cow<str>` | its bytes |
/// | `[u8]`, `[u8; N]`, `Vec<u8>`, `Box<[u8]>`, `Arc<[u8]>`, `Cow<[u8]>`, [`Bytes`] | its bytes |
/// | integers of 8 to 128 bits | decimal; no command takes more than 64 bits as a number, but any stores them as text |
/// | `f32`, `f64` | the shortest text that reads back as the same number; infinities as `inf` and `-inf` |
/// | `bool` | `1` or `0`; where a command wants a word (`YES`, `ON`), give the word |
/// | `char` | its UTF-8 bytes |
///
/// A `Duration` is none of these, as servers take seconds here and milliseconds there: give `as_secs()` or `as_millis()`, as they
/// are. What may be none or several is [`ToArgs`](super::ToArgs): `Option` and tuples.
///
/// # Examples
/// ```
/// use truename::{Command, ToArg, cmd};
///
/// /// Takes whatever `Command::arg` takes.
/// fn expire<'a>(key: impl ToArg<'a>, seconds: u32) -> Command<'a> {
///     cmd("EXPIRE").arg(key.to_arg()).arg(seconds)
/// }
///
/// let key = String::from("session:7");
/// assert_eq!(expire(&key, 60).name(), "EXPIRE");
/// assert_eq!(expire(b"\x00\xff", 60).name(), "EXPIRE");
/// ```
pub trait ToArg<'a> {
    /// The argument as it is sent. See the [example](ToArg#examples).
    fn to_arg(self) -> Arg<'a>;
}

macro_rules! borrowed {
    ($($type:ty),*) => {$(
        impl<'a> ToArg<'a> for &'a $type {
            #[inline]
            fn to_arg(self) -> Arg<'a> {
                Arg::borrowed(self.as_ref())
            }
        }
    )*};
}
borrowed!(str, [u8], String, Vec<u8>, Box<[u8]>, Arc<[u8]>, Bytes);

impl<'a, const N: usize> ToArg<'a> for &'a [u8; N] {
    #[inline]
    fn to_arg(self) -> Arg<'a> {
        Arg::borrowed(self)
    }
}

macro_rules! borrowed_texts {
    ($($type:ty),*) => {$(
        impl<'a> ToArg<'a> for &'a $type {
            #[inline]
            fn to_arg(self) -> Arg<'a> {
                Arg::borrowed(self.as_bytes())
            }
        }
    )*};
}
borrowed_texts!(Box<str>, Arc<str>, Cow<'_, str>);

impl<'a> ToArg<'a> for &&'a str {
    #[inline]
    fn to_arg(self) -> Arg<'a> {
        Arg::borrowed(self.as_bytes())
    }
}

impl<'a> ToArg<'a> for &&'a [u8] {
    #[inline]
    fn to_arg(self) -> Arg<'a> {
        Arg::borrowed(self)
    }
}

impl<'a> ToArg<'a> for Box<[u8]> {
    #[inline]
    fn to_arg(self) -> Arg<'a> {
        Arg::owned(self)
    }
}

impl<'a> ToArg<'a> for Arc<[u8]> {
    #[inline]
    fn to_arg(self) -> Arg<'a> {
        Arg::copied(&self)
    }
}

impl<'a> ToArg<'a> for Box<str> {
    #[inline]
    fn to_arg(self) -> Arg<'a> {
        Arg::owned(self.into_boxed_bytes())
    }
}

impl<'a> ToArg<'a> for Arc<str> {
    #[inline]
    fn to_arg(self) -> Arg<'a> {
        Arg::copied(self.as_bytes())
    }
}

impl<'a> ToArg<'a> for String {
    #[inline]
    fn to_arg(self) -> Arg<'a> {
        Arg::owned(self.into_bytes())
    }
}

impl<'a> ToArg<'a> for Vec<u8> {
    #[inline]
    fn to_arg(self) -> Arg<'a> {
        Arg::owned(self)
    }
}

impl<'a> ToArg<'a> for Bytes {
    #[inline]
    fn to_arg(self) -> Arg<'a> {
        Arg::shared(self)
    }
}

impl<'a> ToArg<'a> for Cow<'a, str> {
    #[inline]
    fn to_arg(self) -> Arg<'a> {
        match self {
            Cow::Borrowed(text) => text.to_arg(),
            Cow::Owned(text) => text.to_arg(),
        }
    }
}

impl<'a> ToArg<'a> for Cow<'a, [u8]> {
    #[inline]
    fn to_arg(self) -> Arg<'a> {
        match self {
            Cow::Borrowed(bytes) => bytes.to_arg(),
            Cow::Owned(bytes) => bytes.to_arg(),
        }
    }
}

macro_rules! integers {
    ($($type:ty),*) => {$(
        impl<'a> ToArg<'a> for $type {
            #[inline]
            fn to_arg(self) -> Arg<'a> {
                Arg::copied(itoa::Buffer::new().format(self).as_bytes())
            }
        }
        by_reference!($type);
    )*};
}

macro_rules! floats {
    ($($type:ty),*) => {$(
        impl<'a> ToArg<'a> for $type {
            /// The shortest text that reads back as the same number; infinities as `inf` and `-inf`, as servers read them.
            fn to_arg(self) -> Arg<'a> {
                Arg::copied(self.to_string().as_bytes())
            }
        }
        by_reference!($type);
    )*};
}

/// So that the numbers of a slice are arguments as they are.
macro_rules! by_reference {
    ($type:ty) => {
        impl<'a> ToArg<'a> for &$type {
            #[inline]
            fn to_arg(self) -> Arg<'a> {
                (*self).to_arg()
            }
        }
    };
}
integers!(i8, i16, i32, i64, i128, isize, u8, u16, u32, u64, u128, usize);

impl<'a> ToArg<'a> for bool {
    /// As servers write it.
    #[inline]
    fn to_arg(self) -> Arg<'a> {
        Arg::borrowed(if self { b"1" } else { b"0" })
    }
}
by_reference!(bool);

impl<'a> ToArg<'a> for char {
    #[inline]
    fn to_arg(self) -> Arg<'a> {
        Arg::copied(self.encode_utf8(&mut [0; 4]).as_bytes())
    }
}
by_reference!(char);
floats!(f32, f64);

impl<'a> ToArg<'a> for Arg<'a> {
    #[inline]
    fn to_arg(self) -> Self {
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent<'a>(arg: impl ToArg<'a>) -> String {
        String::from_utf8_lossy(arg.to_arg().as_bytes()).into_owned()
    }

    #[test]
    fn the_text_of_every_kind_of_argument() {
        assert_eq!(sent("key"), "key");
        assert_eq!(
            sent(String::from("a longer text than fits in place")),
            "a longer text than fits in place"
        );
        assert_eq!(sent(b"\x00\x01"), "\0\u{1}");
        assert_eq!(sent(Bytes::from_static(b"shared")), "shared");
        assert_eq!(sent(i64::MIN), "-9223372036854775808");
        assert_eq!(sent(u64::MAX), "18446744073709551615");
        assert_eq!(sent(1.5), "1.5");
        assert_eq!(sent(1e300), format!("1{}", "0".repeat(300)));
        assert_eq!(sent(f64::NEG_INFINITY), "-inf");
        let (count, ratio) = (&7, &-1.5);
        assert_eq!((sent(count), sent(ratio)), ("7".into(), "-1.5".into()));
        let (boxed, shared) = (Box::<str>::from("boxed"), Arc::<str>::from("shared"));
        assert_eq!((sent(&boxed), sent(&shared)), ("boxed".into(), "shared".into()));
        assert_eq!((sent(boxed), sent(shared)), ("boxed".into(), "shared".into()));
        assert_eq!(sent(u128::MAX), u128::MAX.to_string());
        let (least, no) = (&i128::MIN, &false);
        assert_eq!(sent(least), i128::MIN.to_string());
        assert_eq!((sent(true), sent(no), sent('€')), ("1".into(), "0".into(), "€".into()));
        let (boxed, shared) = (Box::<[u8]>::from(*b"boxed"), Arc::<[u8]>::from(*b"shared"));
        assert_eq!((sent(&boxed), sent(&shared)), ("boxed".into(), "shared".into()));
        assert_eq!((sent(boxed), sent(shared)), ("boxed".into(), "shared".into()));
        let (text, slices): (Cow<'_, str>, [&[u8]; 1]) = (Cow::Borrowed("text"), [b"slice"]);
        assert_eq!((sent(&text), slices.iter().map(sent).collect()), ("text".into(), "slice".to_owned()));
        let bytes: [Cow<'_, [u8]>; 2] = [Cow::Borrowed(b"borrowed"), Cow::Owned(b"owned".to_vec())];
        assert_eq!(bytes.map(sent), ["borrowed", "owned"]);
    }

    /// `.args([1, 2].iter())` did not compile.
    #[test]
    fn the_numbers_of_a_slice_are_arguments() {
        let command = crate::command::cmd("SADD").arg("set").args([1, 2].iter()).args([0.5].iter());
        assert_eq!(format!("{command:?}"), "Command { name: \"SADD\", arguments: 4, .. }");
    }

    #[test]
    fn a_shared_value_is_not_copied() {
        let value = Bytes::from(vec![b'v'; 1 << 20]);
        assert_eq!(value.clone().to_arg().as_bytes().as_ptr(), value.as_ptr());
        assert_eq!(value.clone().to_arg().into_owned().as_bytes().as_ptr(), value.as_ptr());
    }

    #[test]
    fn an_owned_argument_is_the_same_text() {
        let long = "longer than what is kept in place".to_owned();
        for arg in [long.as_str().to_arg(), "short".to_arg(), 7.to_arg(), long.clone().to_arg(), "".to_arg()]
        {
            let text = arg.as_bytes().to_vec();
            assert_eq!(arg.into_owned().as_bytes(), text);
        }
    }

    /// The bytes of a password were shown by `{:?}`, in whichever form they were kept.
    #[test]
    fn what_an_argument_holds_is_not_shown() {
        let long = "sesame, and longer than what is kept in place";
        for arg in [
            Arg::borrowed(b"sesame"),
            Arg::copied(b"sesame"),
            Arg::owned(long.as_bytes()),
            Arg::shared(Bytes::from_static(long.as_bytes())),
        ] {
            assert_eq!(format!("{arg:?}"), format!("Arg({} bytes)", arg.as_bytes().len()));
        }
    }

    #[test]
    fn an_argument_is_three_words() {
        assert!(size_of::<Arg<'_>>() <= 24);
    }
}
