//! The declaration of recorded changes and of their invalidations (C53).
//!
//! Come here to add a word to a module's `CHANGES`. Their delivery is in `provider::changes` and the check at the start
//! is in `map::mistakes`, not here.

use std::panic::Location;

use super::invalidation::Invalidation;

/// The invalidations of recorded changes of one kind. A module declares them next to its policies.
///
/// ```
/// # use backend::infrastructure::cache::{CachePolicy, Changes, Invalidation};
/// const NOTE: CachePolicy = CachePolicy::new("note").resource_id_name("note_id").shared();
/// const ENDS: Invalidation = NOTE.to_invalidate_groups(&["notes_of_{author}"]);
/// pub const FEED: &[Changes] = &[Changes::of("notes").with(&["note_id", "author"]).ends(&[ENDS])];
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Changes {
    pub(in crate::infrastructure::cache) kind: &'static str,
    pub(in crate::infrastructure::cache) arguments: &'static [&'static str],
    pub(in crate::infrastructure::cache) ends: &'static [Invalidation],
    pub(in crate::infrastructure::cache) declared_at: &'static Location<'static>,
}

impl Changes {
    /// Changes of a kind: the name that the trigger gives.
    #[must_use]
    #[track_caller]
    pub const fn of(kind: &'static str) -> Self {
        Self {
            kind,
            arguments: &[],
            ends: &[],
            declared_at: Location::caller(),
        }
    }

    /// The arguments that a change of this kind carries, by the names that the trigger gives. No others can be in the keys,
    /// groups and patterns that it ends; the start refuses one that is misspelt (C47).
    #[must_use]
    pub const fn with(self, arguments: &'static [&'static str]) -> Self {
        Self { arguments, ..self }
    }

    /// The invalidations of each change: those of writes with these policies and with the change's arguments.
    #[must_use]
    pub const fn ends(self, ends: &'static [Invalidation]) -> Self {
        Self { ends, ..self }
    }

    /// The name that the trigger gives.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        self.kind
    }

    /// The names of the arguments that a change carries.
    #[must_use]
    pub const fn arguments(&self) -> &'static [&'static str] {
        self.arguments
    }

    /// The file and line of the declaration, for a sentence about it.
    #[must_use]
    pub fn place(&self) -> String {
        format!("{}:{}", self.declared_at.file(), self.declared_at.line())
    }
}
