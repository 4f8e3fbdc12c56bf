//! [`Boundary`]: whether the [`Scope`](super::Scope) bounds what a cluster announces.

/// What bounds the names that a cluster announces, at the time when a plan is made: the roots may be replaced while a
/// client lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Boundary {
    /// The scope: public authorities are trusted, and they have certificates for everybody.
    Scope,
    /// Something else does: the user's own authority, where the roots were given by the user and none of them is public,
    /// and then whatever it signed counts; or nothing at all, as in plaintext or where names are not checked because of a
    /// `danger_*` method.
    Lifted,
}
