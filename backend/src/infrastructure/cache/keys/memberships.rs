//! What an entry belongs to besides its key: records that a write ends, and the rights of its caller (C36, C44).
//!
//! Come here to see how many keys a read looks up. When a record is begun is decided in `lookup::claim`.

use super::key::Key;

/// What the entry of one read belongs to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::infrastructure::cache) struct Memberships {
    /// The record of the resource, where one resource has several entries (C44).
    pub(in crate::infrastructure::cache) resource: Option<Key>,
    /// The record of the declared group (C36).
    pub(in crate::infrastructure::cache) group: Option<Key>,
    /// The version of the caller's rights, where the entry is one caller's.
    pub(in crate::infrastructure::cache) rights: Option<u64>,
}

impl Memberships {
    /// The records, always in the same order.
    pub(in crate::infrastructure::cache) fn records(&self) -> [Option<&Key>; 2] {
        [self.resource.as_ref(), self.group.as_ref()]
    }

    /// Whether there is any record: if not, a read looks up its key alone.
    pub(in crate::infrastructure::cache) fn have_records(&self) -> bool {
        self.resource.is_some() || self.group.is_some()
    }

    /// Shortens what the server gets to see to what it takes (C5).
    pub(in crate::infrastructure::cache) fn fit(&mut self, max_bytes: usize) {
        for key in [&mut self.resource, &mut self.group].into_iter().flatten() {
            key.fit(max_bytes);
        }
    }
}
