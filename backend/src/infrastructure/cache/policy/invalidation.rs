//! The policy of a route that writes: the keys, groups and patterns that its success invalidates
//! (C15–C17).
//!
//! Come here to add a word to invalidations. A policy that reads is a [`CachePolicy`]. Keys are built in `write_keys`,
//! not here.

use std::panic::Location;

use super::policy::CachePolicy;
use crate::keys::check_template;

/// The invalidation by a successful write: the key of its resource, further keys, groups and patterns,
/// on every registered backend.
///
/// Most begin with the policy of the resource that is written: `WIDGET.to_invalidate_groups(&[…])`. A
/// write that has no resource of its own, such as the `POST` of a collection, begins with
/// [`Invalidation::new`].
///
/// ```
/// use response_cache::{CachePolicy, Invalidation};
///
/// const WIDGET: CachePolicy = CachePolicy::new("widget").resource_id_name("widget_id").shared();
///
/// /// A changed widget stands in its owner's list too. The handler binds `owner`.
/// const UPDATE: Invalidation = WIDGET.to_invalidate_groups(&["user_{owner}_widgets"]).binds(&["owner"]);
///
/// /// A new widget is counted and listed.
/// const CREATE: Invalidation = Invalidation::new()
///     .to_invalidate_extra(&[("widget_count", "global")])
///     .to_invalidate_groups(&["user_{owner}_widgets"])
///     .binds(&["owner"]);
///
/// /// The module of the owners ends these too, without spelling a key of widgets.
/// const OWNER: CachePolicy = CachePolicy::new("owner").resource_id_name("owner");
/// const DELETE_OWNER: Invalidation = OWNER.to_invalidate_groups(&["owners"]).also(&[CREATE]);
/// ```
///
/// Each list is given once; a second call of the same word would silently drop the first, so it does not
/// compile:
///
/// ```compile_fail
/// use response_cache::Invalidation;
///
/// const TWICE: Invalidation = Invalidation::new().to_invalidate_groups(&["a"]).to_invalidate_groups(&["b"]);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Invalidation {
    pub(crate) own: Option<CachePolicy>,
    pub(crate) extra: &'static [(&'static str, &'static str)],
    pub(crate) groups: &'static [&'static str],
    pub(crate) patterns: &'static [&'static str],
    pub(crate) binds: &'static [&'static str],
    pub(crate) also: &'static [Invalidation],
    /// The changes of the write that a feed delivers.
    pub(crate) recorded: &'static [Changes],
    pub(crate) declared_at: &'static Location<'static>,
}

impl Invalidation {
    /// Invalidates nothing yet, and has no resource of its own: for a write that creates in a collection.
    #[must_use]
    #[track_caller]
    pub const fn new() -> Self {
        Self {
            own: None,
            extra: &[],
            groups: &[],
            patterns: &[],
            binds: &[],
            also: &[],
            recorded: &[],
            declared_at: Location::caller(),
        }
    }

    /// Invalidates the resource of the policy. Use it in a constant, where `From` cannot be called, for
    /// a write that only adds [`also`](Self::also).
    #[must_use]
    #[track_caller]
    pub const fn of(policy: CachePolicy) -> Self {
        Self {
            own: Some(policy),
            ..Self::new()
        }
    }

    /// The invalidations of these changes, which triggers record and the feed delivers: the write is answered after the
    /// delivery, and its handler binds nothing (C54). The start is refused while the feed is off, or if a kind is not
    /// among the changes of the map.
    #[must_use]
    #[track_caller]
    pub const fn recorded(changes: &'static [Changes]) -> Self {
        Self {
            recorded: changes,
            ..Self::new()
        }
    }

    /// Further keys that the write invalidates: a prefix, and the name of an argument or a literal
    /// (C16). Prefixes may contain placeholders. An argument that was bound more than once gives a key
    /// for each of its values.
    ///
    /// # Panics
    /// Where a template is malformed (C3), or the list was given before: in a constant, the program does
    /// not compile.
    #[must_use]
    pub const fn to_invalidate_extra(
        mut self,
        extra: &'static [(&'static str, &'static str)],
    ) -> Self {
        assert!(
            self.extra.is_empty(),
            "to_invalidate_extra was given before: one list holds all keys"
        );
        let mut index = 0;
        while index < extra.len() {
            check_template(extra[index].0);
            index += 1;
        }
        self.extra = extra;
        self
    }

    /// Groups that the write invalidates, in constant time, however many keys they have (C36).
    ///
    /// # Panics
    /// As [`to_invalidate_extra`](Self::to_invalidate_extra).
    #[must_use]
    pub const fn to_invalidate_groups(mut self, groups: &'static [&'static str]) -> Self {
        assert!(
            self.groups.is_empty(),
            "to_invalidate_groups was given before: one list holds all groups"
        );
        check_templates(groups);
        self.groups = groups;
        self
    }

    /// Redis globs whose matching keys the write invalidates (C17). Memcached does not support them
    /// (C18).
    ///
    /// # Panics
    /// As [`to_invalidate_extra`](Self::to_invalidate_extra).
    #[must_use]
    pub const fn pattern_to_invalidate_extra(mut self, patterns: &'static [&'static str]) -> Self {
        assert!(
            self.patterns.is_empty(),
            "pattern_to_invalidate_extra was given before: one list holds all patterns"
        );
        check_templates(patterns);
        self.patterns = patterns;
        self
    }

    /// The arguments that the handler binds with
    /// [`CacheArguments`](crate::CacheArguments): each name that occurs in an
    /// invalidation and is neither in the path nor in the declared query (C47). A handler that succeeds
    /// without having bound one of them is an error in the log (C48); `bind_all` without values counts
    /// as bound.
    ///
    /// # Panics
    /// Where the list was given before: in a constant, the program does not compile.
    #[must_use]
    pub const fn binds(mut self, arguments: &'static [&'static str]) -> Self {
        assert!(
            self.binds.is_empty(),
            "binds was given before: one list holds all names"
        );
        self.binds = arguments;
        self
    }

    /// Further invalidations, such as those that another module exports for its keys. This write's
    /// handler has to bind their arguments too.
    ///
    /// # Panics
    /// Where the list was given before: in a constant, the program does not compile.
    #[must_use]
    pub const fn also(mut self, others: &'static [Self]) -> Self {
        assert!(
            self.also.is_empty(),
            "also was given before: one list holds all others"
        );
        self.also = others;
        self
    }

    /// This invalidation and all its further ones, as a flat list.
    pub(crate) fn parts(&self) -> Vec<Self> {
        let mut parts = vec![*self];
        parts.extend(self.also.iter().flat_map(Self::parts));
        parts
    }

    /// The changes of this invalidation and of all its further ones that a feed delivers.
    pub(crate) fn all_recorded(&self) -> Vec<&'static Changes> {
        let parts = self.parts().into_iter();
        parts.flat_map(|part| part.recorded).collect()
    }
}

/// These methods are here and not in `policy`, because a policy that reads does not know writes.
impl CachePolicy {
    /// A write of this resource that also invalidates further keys: see
    /// [`Invalidation::to_invalidate_extra`].
    #[must_use]
    #[track_caller]
    pub const fn to_invalidate_extra(
        self,
        extra: &'static [(&'static str, &'static str)],
    ) -> Invalidation {
        Invalidation::of(self).to_invalidate_extra(extra)
    }

    /// A write of this resource that also invalidates groups: see
    /// [`Invalidation::to_invalidate_groups`].
    #[must_use]
    #[track_caller]
    pub const fn to_invalidate_groups(self, groups: &'static [&'static str]) -> Invalidation {
        Invalidation::of(self).to_invalidate_groups(groups)
    }

    /// A write of this resource that also invalidates patterns: see
    /// [`Invalidation::pattern_to_invalidate_extra`].
    #[must_use]
    #[track_caller]
    pub const fn pattern_to_invalidate_extra(
        self,
        patterns: &'static [&'static str],
    ) -> Invalidation {
        Invalidation::of(self).pattern_to_invalidate_extra(patterns)
    }
}

impl Default for Invalidation {
    fn default() -> Self {
        Self::new()
    }
}

impl From<CachePolicy> for Invalidation {
    fn from(policy: CachePolicy) -> Self {
        Self {
            declared_at: policy.declared_at,
            ..Self::of(policy)
        }
    }
}

const fn check_templates(templates: &[&'static str]) {
    let mut index = 0;
    while index < templates.len() {
        check_template(templates[index]);
        index += 1;
    }
}

/// The invalidations of recorded changes of one kind. A module declares them next to its policies.
///
/// ```
/// # use response_cache::{CachePolicy, Changes, Invalidation};
/// const NOTE: CachePolicy = CachePolicy::new("note").resource_id_name("note_id").shared();
/// const ENDS: Invalidation = NOTE.to_invalidate_groups(&["notes_of_{author}"]);
/// pub const FEED: &[Changes] = &[Changes::of("notes").with(&["note_id", "author"]).ends(&[ENDS])];
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Changes {
    pub(crate) kind: &'static str,
    pub(crate) arguments: &'static [&'static str],
    pub(crate) ends: &'static [Invalidation],
    pub(crate) declared_at: &'static Location<'static>,
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
