//! The history of a key: when it was stored and invalidated, and by which request.
//!
//! Come here when the history of a key lacks an event, or shows one of another key. Events are recorded where they happen.

use std::collections::HashSet;

use super::cache::Cache;
use super::event_log;
use crate::backends::glob;
use crate::events::{CacheEvent, EventKind, EventNames};

/// Events, the newest one first.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// The events.
    pub events: Vec<CacheEvent>,
    /// Whether those of the other instances are among them.
    pub of_all_instances: bool,
}

impl Cache {
    /// The newest events: all, or those of one key. Those of a key are also the invalidations of the groups and the resource
    /// that its entries belonged to. Where the default backend keeps no log or is unavailable, the events of this instance.
    pub async fn history(&self, key: Option<&str>) -> History {
        let own = self.shared.events.newest();
        let logged = match self.shared.backend(None) {
            Some(backend) if backend.servers.all()[0].unguarded.keeps_log() => {
                event_log::read(backend).await.ok()
            }
            _ => None,
        };
        let of_all_instances = logged.is_some();
        let mut events: Vec<CacheEvent> = own.iter().map(|event| (**event).clone()).collect();
        events.extend(logged.unwrap_or_default());
        events.sort_by(|one, other| {
            let place = |event: &CacheEvent| (event.at, event.sequence);
            let newest_first = place(other).cmp(&place(one));
            newest_first.then_with(|| one.instance.cmp(&other.instance))
        });
        events.dedup_by(|one, other| {
            (one.sequence, &one.instance) == (other.sequence, &other.instance)
        });
        if let Some(key) = key {
            retain_those_of(key, &mut events);
        }
        History {
            events,
            of_all_instances,
        }
    }

    /// The keys that this instance's events name as stored, with this prefix: the newest ones first, each once.
    pub(super) fn stored_keys(&self, prefix: &str) -> Vec<String> {
        let mut seen = HashSet::new();
        let events = self.shared.events.newest();
        let stored = events
            .iter()
            .filter(|event| event.kind == EventKind::Stored);
        let keys = stored.flat_map(|event| &event.names.keys);
        let wanted = keys.filter(|key| key.starts_with(prefix));
        wanted
            .filter(|key| seen.insert(key.as_str()))
            .cloned()
            .collect()
    }
}

fn retain_those_of(key: &str, events: &mut Vec<CacheEvent>) {
    let names = |names: &EventNames| names.keys.iter().any(|name| name == key);
    let (mut resources, mut groups) = (HashSet::from([key.to_owned()]), HashSet::new());
    for event in events.iter() {
        if event.kind == EventKind::Stored && names(&event.names) {
            resources.extend(event.names.resources.iter().cloned());
            groups.extend(event.names.groups.iter().cloned());
        }
    }
    events.retain(|event| match event.kind {
        EventKind::Stored => names(&event.names),
        EventKind::Invalidated => {
            let ended = &event.names;
            ended.everything
                || names(ended)
                || ended.resources.iter().any(|name| resources.contains(name))
                || ended.groups.iter().any(|name| groups.contains(name))
                || ended.patterns.iter().any(|glob| glob::matches(glob, key))
        }
    });
}
