//! [`Boundary`]: whether the [`Scope`](super::Scope) bounds what a cluster announces.

/// What bounds the names that a cluster announces, at the time when a plan is made: the roots may be replaced while a
/// client lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Boundary {
    /// The scope: public authorities are trusted, and they issue certificates to everybody.
    Scope,
    /// Not the scope. Either the user's own authority is the boundary, where the roots were given by the user and none of
    /// them is public: then whatever it signed counts. Or nothing is, as in plaintext or where a `danger_*` method turned
    /// name checks off.
    Lifted,
}
