//! [`KeysBySlot`]: the keys that an error about slots names. They may be secrets, and so they are in its text alone.

use std::fmt;
use std::ops::Deref;

use bytes::Bytes;
use truename_topology::Slot;

/// The first key of each of several slots; an empty one that is not of its slot stands for a command that the caller sends there.
///
/// ```
/// use truename::error::KeysBySlot;
/// use truename::topology::Slot;
///
/// let keys = KeysBySlot::from(vec![("session:7".into(), Slot::of_key(b"session:7"))]);
/// assert_eq!(keys[0].0, "session:7");
/// // Keys may be secrets: they do not show up in `Debug`.
/// assert!(!format!("{keys:?}").contains("session"));
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct KeysBySlot(Vec<(Bytes, Slot)>);

impl From<Vec<(Bytes, Slot)>> for KeysBySlot {
    fn from(keys: Vec<(Bytes, Slot)>) -> Self {
        Self(keys)
    }
}

impl Deref for KeysBySlot {
    type Target = [(Bytes, Slot)];

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

/// Keys may be secrets.
impl fmt::Debug for KeysBySlot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(_, slot)| slot)).finish()
    }
}
