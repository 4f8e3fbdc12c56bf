//! What can be added to a command at once: one argument, none, or several.

use super::arg::{Arg, ToArg};
use super::args::Listed;

/// The arguments of a command that is being built: what [`ToArgs`] adds to.
#[derive(Debug)]
pub struct ArgList<'l, 'a>(&'l mut Listed<'a>);

impl<'l, 'a> ArgList<'l, 'a> {
    #[inline(always)]
    pub(super) fn new(listed: &'l mut Listed<'a>) -> Self {
        Self(listed)
    }

    /// Adds one argument. See the [example](ToArgs#examples).
    #[inline(always)]
    pub fn push(&mut self, arg: impl ToArg<'a>) {
        self.0.push(arg.to_arg());
    }

    /// Adds what may be none, or several. See the [example](ToArgs#examples).
    #[inline(always)]
    pub fn add(&mut self, args: impl ToArgs<'a>) {
        args.to_args(self);
    }

    pub(super) fn reserve(&mut self, additional: usize) {
        self.0.reserve(additional);
    }
}

#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be an argument of a command",
    note = "lists are given with `Command::args`; types of your own implement `ToArg` or `ToArgs`"
)]
/// What [`Command::arg`](super::Command::arg) and [`Command::args`](super::Command::args) take: whatever is one argument
/// ([`ToArg`]), and
///
/// | type | arguments |
/// |---|---|
/// | `Option<T>` | none for `None`: nothing is sent, not even an empty text |
/// | tuples of up to twelve | those of their elements, one after the other |
///
/// So a map, or a list of pairs, can be given as it is. Lists are for [`Command::args`](super::Command::args).
///
/// # Examples
/// ```
/// use std::collections::BTreeMap;
/// use truename::command::{ArgList, ToArgs};
/// use truename::{Command, cmd};
///
/// let profile = BTreeMap::from([("name", "Ada"), ("city", "London")]);
/// let save = cmd("HSET").arg("user:42").args(&profile);
///
/// // An option that may be left out.
/// fn page(cursor: u64, pattern: Option<&str>) -> Command<'_> {
///     cmd("HSCAN").arg("user:42").arg(cursor).arg(pattern.map(|pattern| ("MATCH", pattern)))
/// }
///
/// /// What a type of your own adds.
/// enum Expiry {
///     Never,
///     In(u64),
/// }
///
/// impl<'a> ToArgs<'a> for Expiry {
///     fn to_args(self, args: &mut ArgList<'_, 'a>) {
///         match self {
///             Self::Never => {}
///             Self::In(seconds) => args.add(("EX", seconds)),
///         }
///     }
/// }
///
/// let set = cmd("SET").arg("city").arg("Oslo").arg(Expiry::In(60));
/// assert_eq!(format!("{set:?}"), format!("{:?}", cmd("SET").args(["city", "Oslo", "EX", "60"])));
/// # drop((save, page(0, None), Expiry::Never));
/// ```
pub trait ToArgs<'a> {
    /// Adds the arguments. See the [example](ToArgs#examples).
    fn to_args(self, args: &mut ArgList<'_, 'a>);
}

impl<'a, T: ToArg<'a>> ToArgs<'a> for T {
    #[inline(always)]
    fn to_args(self, args: &mut ArgList<'_, 'a>) {
        args.push(self);
    }
}

impl<'a, T: ToArgs<'a>> ToArgs<'a> for Option<T> {
    #[inline]
    fn to_args(self, args: &mut ArgList<'_, 'a>) {
        if let Some(present) = self {
            present.to_args(args);
        }
    }
}

impl<'a, T> ToArgs<'a> for &'a Option<T>
where
    &'a T: ToArgs<'a>,
{
    fn to_args(self, args: &mut ArgList<'_, 'a>) {
        self.as_ref().to_args(args);
    }
}

macro_rules! tuples {
    ($($($name:ident)+;)*) => {$(
        impl<'a, $($name: ToArgs<'a>),+> ToArgs<'a> for ($($name,)+) {
            #[inline]
            fn to_args(self, args: &mut ArgList<'_, 'a>) {
                #[expect(non_snake_case, reason = "an element is called as its type is")]
                let ($($name,)+) = self;
                $($name.to_args(args);)+
            }
        }

        impl<'a, $($name),+> ToArgs<'a> for &'a ($($name,)+)
        where
            $(&'a $name: ToArgs<'a>),+
        {
            fn to_args(self, args: &mut ArgList<'_, 'a>) {
                #[expect(non_snake_case, reason = "an element is called as its type is")]
                let ($($name,)+) = self;
                $($name.to_args(args);)+
            }
        }
    )*};
}
tuples! {
    A;
    A B;
    A B C;
    A B C D;
    A B C D E;
    A B C D E F;
    A B C D E F G;
    A B C D E F G H;
    A B C D E F G H I;
    A B C D E F G H I J;
    A B C D E F G H I J K;
    A B C D E F G H I J K L;
}

impl<'a> Extend<Arg<'a>> for ArgList<'_, 'a> {
    fn extend<I: IntoIterator<Item = Arg<'a>>>(&mut self, args: I) {
        self.0.extend(args);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, HashMap};

    use crate::cmd;
    use crate::command::{Arguments, Command};

    fn words(command: &Command<'_>) -> String {
        let words = (1..command.len()).filter_map(|at| command.at(at)).map(String::from_utf8_lossy);
        words.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn one_argument_none_or_several() {
        let (none, some) = (None::<&str>, Some("x".to_owned()));
        let command = cmd("C").arg(none).arg(&some).arg(Some(7)).arg(("a", 1.5)).arg((Some(true), 'ü', none));
        assert_eq!(words(&command), "x 7 a 1.5 1 ü");
        let twelve = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, (12,));
        let by_reference = &twelve;
        assert_eq!(words(&cmd("C").arg(by_reference)), words(&cmd("C").arg(twelve)));
    }

    /// None of these compiled.
    #[test]
    fn collections_are_given_as_they_are() {
        let numbers = vec![1_u64, u64::MAX];
        assert_eq!(words(&cmd("C").args(&numbers)), "1 18446744073709551615");
        let (owned, borrowed) = (vec!["a".to_owned()], vec!["b"]);
        assert_eq!(words(&cmd("C").args(&owned).args(&borrowed).args([true, false].iter())), "a b 1 0");
        let pairs = vec![("one".to_owned(), 1), ("two".to_owned(), 2)];
        assert_eq!(words(&cmd("C").args(&pairs).args(pairs.clone())), "one 1 two 2 one 1 two 2");
        let map: BTreeMap<_, _> = pairs.iter().cloned().collect();
        assert_eq!(words(&cmd("C").args(&map).args(map.clone())), "one 1 two 2 one 1 two 2");
        let hashed = HashMap::from([("k", vec![b'v'])]);
        assert_eq!(words(&cmd("C").args(&hashed)), "k v");
        assert_eq!(words(&cmd("C").args([Some("a"), None, Some("b")])), "a b");
    }
}
