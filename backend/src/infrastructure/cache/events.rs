//! The events of the cache: which keys were stored and invalidated, by which request.
//!
//! Come here to change what an event contains, or how many are kept. Each instance keeps the newest ones in a ring; how they
//! reach the other instances is in `provider::event_log`. A hit is no event, so it costs nothing.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use actix_web::HttpRequest;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc::{Receiver, Sender, channel};

/// The most events that an instance keeps.
const KEPT: usize = 2000;
/// The most events that wait to be sent to the other instances. Further ones are only in the ring.
const WAITING: usize = 1000;
/// The most names of one kind that an event contains.
const NAMES: usize = 20;

/// An event.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct CacheEvent {
    /// The time: milliseconds since the Unix epoch.
    pub at: u64,
    /// What happened.
    pub kind: EventKind,
    /// The names that it happened to. Writes that share a delivery share them.
    pub names: Arc<EventNames>,
    /// The reason.
    pub cause: Cause,
    /// The instance: a random number, in hexadecimal digits.
    pub instance: String,
    /// The number of the event in its instance.
    pub sequence: u64,
}

/// The kind of an event.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// An entry was stored. Its names are its key, and the groups and the resource that it belongs to.
    Stored,
    /// Entries were invalidated, or their deletion is pending.
    Invalidated,
}

/// The names of an event, without the namespace: at most 20 of each kind.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
pub struct EventNames {
    /// Keys.
    pub keys: Vec<String>,
    /// Resources, whose variants are meant too.
    pub resources: Vec<String>,
    /// Groups.
    pub groups: Vec<String>,
    /// Globs.
    pub patterns: Vec<String>,
    /// The whole namespace.
    pub everything: bool,
    /// The number of names that are left out here.
    pub left_out: usize,
}

/// The reason of an event.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Cause {
    /// The source.
    pub source: EventSource,
    /// The id of the request.
    pub request_id: Option<String>,
    /// The method and the template of the path.
    pub route: Option<String>,
}

/// The part of the program that caused an event.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EventSource {
    /// A request.
    Request,
    /// A service or a job, through `Cache`.
    Service,
    /// A committed change of the database.
    Feed,
    /// An operator, by a purge.
    Operator,
}

impl Cause {
    /// A cause without a request.
    #[must_use]
    pub const fn without_request(source: EventSource) -> Self {
        Self {
            source,
            request_id: None,
            route: None,
        }
    }

    /// The request, with the id in its header `X-Request-Id`.
    #[must_use]
    pub fn request(request: &HttpRequest) -> Self {
        let id = request.headers().get("x-request-id");
        let id = id.and_then(|id| id.to_str().ok()).map(str::to_owned);
        let route = request.match_pattern();
        Self {
            source: EventSource::Request,
            request_id: id,
            route: route.map(|route| format!("{} {route}", request.method())),
        }
    }

    /// The purge of an operator, by this request.
    #[must_use]
    pub fn operator(request: &HttpRequest) -> Self {
        Self {
            source: EventSource::Operator,
            ..Self::request(request)
        }
    }
}

impl EventNames {
    /// The names, of which the first ones of each kind are kept.
    pub(super) fn of(
        [keys, resources, groups, patterns]: [&[String]; 4],
        everything: bool,
    ) -> Self {
        let first = |names: &[String]| names[..names.len().min(NAMES)].to_vec();
        let all = [keys, resources, groups, patterns];
        Self {
            left_out: all
                .iter()
                .map(|names| names.len().saturating_sub(NAMES))
                .sum(),
            keys: first(keys),
            resources: first(resources),
            groups: first(groups),
            patterns: first(patterns),
            everything,
        }
    }

    fn are_none(&self) -> bool {
        let lists = [&self.keys, &self.resources, &self.groups, &self.patterns];
        !self.everything && lists.iter().all(|names| names.is_empty())
    }
}

/// The newest events of this instance.
#[derive(Debug)]
pub(super) struct Events {
    instance: String,
    sequence: AtomicU64,
    ring: Mutex<VecDeque<Arc<CacheEvent>>>,
    sender: Option<Sender<Arc<CacheEvent>>>,
}

impl Events {
    /// No events yet, in this instance alone.
    pub(super) fn of_this_instance() -> Self {
        Self {
            instance: format!("{:016x}", rand::random::<u64>()),
            sequence: AtomicU64::new(0),
            ring: Mutex::default(),
            sender: None,
        }
    }

    /// No events yet. Each one is also put into the queue.
    pub(super) fn with_queue() -> (Self, Receiver<Arc<CacheEvent>>) {
        let (sender, receiver) = channel(WAITING);
        let events = Self {
            sender: Some(sender),
            ..Self::of_this_instance()
        };
        (events, receiver)
    }

    /// The name of this instance in events.
    pub(super) fn instance(&self) -> &str {
        &self.instance
    }

    /// Records an event that happened at this time. One without names is left out.
    pub(super) fn record(&self, at: u64, kind: EventKind, names: Arc<EventNames>, cause: Cause) {
        if names.are_none() {
            return;
        }
        let event = Arc::new(CacheEvent {
            at,
            kind,
            names,
            cause,
            instance: self.instance.clone(),
            sequence: self.sequence.fetch_add(1, Ordering::Relaxed),
        });
        if let Some(sender) = &self.sender {
            // A full queue costs the other instances the event, never this request its time.
            let _ = sender.try_send(Arc::clone(&event));
        }
        let mut ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
        if ring.len() == KEPT {
            ring.pop_front();
        }
        ring.push_back(event);
    }

    /// The kept events, the newest one first.
    pub(super) fn newest(&self) -> Vec<Arc<CacheEvent>> {
        let ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
        ring.iter().rev().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(events: &Events, key: &str) {
        let names = EventNames::of([&[key.to_owned()], &[], &[], &[]], false);
        let cause = Cause::without_request(EventSource::Service);
        events.record(1, EventKind::Stored, names.into(), cause);
    }

    #[test]
    fn the_newest_events_are_kept_and_a_full_queue_stops_nothing() {
        let (events, mut queue) = Events::with_queue();
        for number in 0..=KEPT {
            stored(&events, &number.to_string());
        }
        let kept = events.newest();
        assert_eq!(kept.len(), KEPT);
        assert_eq!(kept[0].names.keys, [KEPT.to_string()]);
        assert_eq!(kept[KEPT - 1].names.keys, ["1"]);
        let mut queued = 0;
        while queue.try_recv().is_ok() {
            queued += 1;
        }
        assert_eq!(queued, WAITING);
    }

    #[test]
    fn an_event_has_a_bounded_number_of_names_and_one_without_names_is_left_out() {
        let many: Vec<String> = (0..NAMES + 3).map(|number| number.to_string()).collect();
        let names = EventNames::of([&many, &[], &many, &[]], false);
        assert_eq!((names.keys.len(), names.left_out), (NAMES, 6));
        let events = Events::of_this_instance();
        let cause = Cause::without_request(EventSource::Feed);
        events.record(1, EventKind::Invalidated, Arc::default(), cause);
        assert!(events.newest().is_empty());
    }
}
