//! The memberships of an entry: the records of its resource and group, which a write ends, and the
//! rights of its caller (C36, C44).
//!
//! Come here to see how many keys a read looks up. When a record is created is decided in `lookup::claim`, not here.

use super::key::Key;

/// The memberships of one read's entry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Memberships {
    /// The record of the resource; `None` unless one resource has several entries (C44).
    pub(crate) resource: Option<Key>,
    /// The record of the declared group (C36); `None` without a group.
    pub(crate) group: Option<Key>,
    /// The version of the caller's rights; `None` unless the entry belongs to one caller.
    pub(crate) rights: Option<u64>,
}

impl Memberships {
    /// The records, always in the same order.
    pub(crate) fn records(&self) -> [Option<&Key>; 2] {
        [self.resource.as_ref(), self.group.as_ref()]
    }

    /// Whether there is any record. Without one, a read looks up its key alone.
    pub(crate) fn have_records(&self) -> bool {
        self.resource.is_some() || self.group.is_some()
    }

    /// Whether the entry belongs to nothing.
    pub(crate) fn are_none(&self) -> bool {
        !self.have_records() && self.rights.is_none()
    }

    /// Shortens the server's forms of the keys to at most `max_bytes` (C5).
    pub(crate) fn fit(&mut self, max_bytes: usize) {
        for key in [&mut self.resource, &mut self.group].into_iter().flatten() {
            key.fit(max_bytes);
        }
    }
}
