//! [`Typed`]: what a person typed, on its way into an error about it.

// Must stay true: text that holds an `@` is never repeated, because what precedes one is where people put passwords, even
// in places that take none.

use std::fmt;

use truename_resp::Untrusted;

/// Quotes what was typed, unless it may hold a password.
///
/// ```
/// use truename_topology::Typed;
///
/// assert_eq!(Typed("10.0.0.4:0").to_string(), "`10.0.0.4:0`");
/// assert!(!Typed("user:sesame@host").to_string().contains("sesame"));
/// ```
#[derive(Clone, Copy)]
pub struct Typed<'a>(pub &'a str);

impl fmt::Display for Typed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.contains('@') {
            return f.write_str("text with an `@` in it (not repeated, for it may hold a password)");
        }
        write!(f, "`{}`", Untrusted(self.0))
    }
}

impl fmt::Debug for Typed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
