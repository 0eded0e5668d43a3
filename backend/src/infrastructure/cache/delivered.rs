//! The invalidations of a delivery, which `Cache-Status` shows to the writes that waited for it (C31, C54).
//!
//! Come here to change what such a write shows. The delivery itself is in `provider::changes`, not here.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::cache_status::invalidated;
use super::events::EventNames;

/// The names that were invalidated.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    pub(super) keys: Vec<String>,
    pub(super) resources: Vec<String>,
    pub(super) groups: Vec<String>,
    pub(super) patterns: Vec<String>,
    pub(super) everything: bool,
}

/// What a delivery has invalidated.
#[derive(Clone, Debug, Default)]
pub struct Delivered {
    names: Arc<Names>,
    /// The same as text and for events, made once for all writes that wait for the delivery.
    text: Arc<str>,
    event_names: Arc<EventNames>,
}

impl Names {
    fn is_empty(&self) -> bool {
        let lists = [&self.keys, &self.resources, &self.groups, &self.patterns];
        !self.everything && lists.iter().all(|list| list.is_empty())
    }

    fn add(&mut self, other: &Self) {
        let lists = [
            (&mut self.keys, &other.keys),
            (&mut self.resources, &other.resources),
            (&mut self.groups, &other.groups),
            (&mut self.patterns, &other.patterns),
        ];
        for (own, others) in lists {
            own.extend_from_slice(others);
            own.sort_unstable();
            own.dedup();
        }
        self.everything |= other.everything;
    }

    fn for_events(&self) -> EventNames {
        let Self {
            keys,
            resources,
            groups,
            patterns,
            everything,
        } = self;
        EventNames::of([keys, resources, groups, patterns], *everything)
    }

    /// The parameters of `Cache-Status`. A resource whose key has the same name is named once.
    fn effect(&self) -> String {
        let keys: BTreeSet<&String> = self.keys.iter().collect();
        let resources = self.resources.iter().filter(|name| !keys.contains(name));
        let resources: Vec<String> = resources.cloned().collect();
        let kinds = [
            ("keys", self.keys.as_slice()),
            ("resources", &resources),
            ("groups", &self.groups),
            ("patterns", &self.patterns),
        ];
        invalidated(kinds, self.everything)
    }
}

impl Delivered {
    pub(super) fn of(names: Names) -> Self {
        Self {
            text: names.effect().into(),
            event_names: names.for_events().into(),
            names: Arc::new(names),
        }
    }

    /// Both together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        if other.names.is_empty() {
            return self;
        }
        if self.names.is_empty() {
            return other;
        }
        let mut names = Arc::unwrap_or_clone(self.names);
        names.add(&other.names);
        Self::of(names)
    }

    /// The names for the history of the keys.
    pub(super) fn event_names(&self) -> Arc<EventNames> {
        Arc::clone(&self.event_names)
    }

    /// The parameters of `Cache-Status` of a write that has also carried out a plan of its own.
    pub(super) fn effect_with(self, own: Names) -> Arc<str> {
        let all = Self::of(own).and(self);
        if all.text.is_empty() {
            return all.names.effect().into();
        }
        all.text
    }
}
