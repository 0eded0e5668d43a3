//! The registered backends of a process, and the settings that all of them share (C22).
//!
//! Come here to see how a backend is found by its name. The operations of services are in `provider`.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

use super::verification::Verification;
use crate::breaker::Servers;
use crate::change_feed::ChangeFeed;
use crate::clock::Clock;
use crate::events::{Cause, EventKind, EventNames, Events};
use crate::keys::{GROUP, Key, RESOURCE};
use crate::log_limits::{Once, RateLimit};
use crate::lookup::SingleFlights;
use crate::stored::Belonging;

/// The name of the backend that `CACHE_BACKEND` chooses.
pub(super) const DEFAULT_BACKEND: &str = "default";

/// The state that all clones share.
#[expect(clippy::struct_excessive_bools, reason = "options")]
pub(crate) struct Shared {
    pub(crate) enabled: bool,
    pub(crate) expose_keys: bool,
    pub(crate) status_header: bool,
    pub(crate) record_outcomes: bool,
    pub(crate) max_body_bytes: usize,
    pub(crate) compress_min_bytes: Option<usize>,
    pub(crate) default_expiration: u64,
    pub(crate) jitter_percent: u8,
    pub(crate) collapse_wait: Duration,
    /// The namespace with its `:`, or an empty text.
    pub(crate) namespace: String,
    pub(crate) clock: Clock,
    pub(crate) warned: Once,
    pub(crate) verification: Arc<Verification>,
    /// The tasks without a client: writes, refreshes, deletions by pattern.
    pub(crate) tasks: TaskTracker,
    /// Delivers changes that were committed (C53).
    pub(crate) feed: OnceLock<Arc<dyn ChangeFeed>>,
    pub(crate) events: Events,
    /// Whether a declared change may not be recorded, so that the feed alone does not deliver it.
    pub(crate) is_recording_incomplete: AtomicBool,
    pub(super) unknown_backend: RateLimit,
    pub(super) backends: BTreeMap<String, RegisteredBackend>,
}

/// One backend.
#[derive(Debug)]
pub(crate) struct RegisteredBackend {
    pub(crate) servers: Servers,
    pub(crate) single_flights: Arc<SingleFlights>,
}

impl Shared {
    /// Every registered backend.
    pub(crate) fn backends(&self) -> impl Iterator<Item = &RegisteredBackend> {
        self.backends.values()
    }

    /// Records an event that happens now.
    pub(crate) fn record(&self, kind: EventKind, names: impl Into<Arc<EventNames>>, cause: Cause) {
        let now = self.clock.milliseconds();
        self.events.record(now, kind, names.into(), cause);
    }

    /// Records that an entry was stored under this key.
    pub(crate) fn record_stored(&self, key: &Key, belonging: &Belonging, cause: Cause) {
        let (resources, groups) = names_of_records(belonging);
        let keys = [key.name().to_owned()];
        let names = EventNames::of([&keys, &resources, &groups, &[]], false);
        self.record(EventKind::Stored, names, cause);
    }

    /// Registers a task until the result is dropped. The end of the process waits for registered tasks.
    /// `None` where the process accepts no more tasks.
    pub(crate) fn begin_task(&self) -> Option<TaskTrackerToken> {
        // The token comes first: a tracker that is closed after it waits for it.
        let task = self.tasks.token();
        (!self.tasks.is_closed()).then_some(task)
    }

    /// Whether a feed delivers every change that it is said to deliver.
    pub(crate) fn delivers_recorded_changes(&self) -> bool {
        self.feed.get().is_some() && !self.is_recording_incomplete.load(Ordering::Relaxed)
    }

    /// The backend of that name, or the default one.
    pub(crate) fn backend(&self, name: Option<&str>) -> Option<&RegisteredBackend> {
        self.backends.get(name.unwrap_or(DEFAULT_BACKEND))
    }

    /// The backend of that name. An unknown name is an unavailable backend (C22), which is logged at
    /// most once a second (C26).
    pub(crate) fn backend_or_warn(&self, name: Option<&str>) -> Option<&RegisteredBackend> {
        let registered = self.backend(name);
        if registered.is_none() && self.unknown_backend.permits() {
            tracing::warn!(
                backend = name,
                "Cache backend not available: no backend of that name is registered"
            );
        }
        registered
    }
}

/// The names of the resources and of the groups that an entry belongs to.
pub(super) fn names_of_records(belonging: &Belonging) -> (Vec<String>, Vec<String>) {
    let (mut resources, mut groups) = (Vec::new(), Vec::new());
    for record in belonging.record_names() {
        if let Some(resource) = record.strip_prefix(RESOURCE) {
            resources.push(resource.to_owned());
        } else if let Some(group) = record.strip_prefix(GROUP) {
            groups.push(group.to_owned());
        }
    }
    (resources, groups)
}

impl fmt::Debug for Shared {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Shared")
            .field("enabled", &self.enabled)
            .field("namespace", &self.namespace)
            .field("backends", &self.backends)
            .finish_non_exhaustive()
    }
}
