//! The servers of a registered backend, and which of them a look-up depends on (C61).
//!
//! Come here to route a key. Each server has its own breaker, its own record with its own generation, and its own
//! pending deletions, so each is trusted or not by itself. Which server holds a key is decided in
//! `backends::nodes`; instances with different lists are the matter of `server_list`.

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, join_all};
use tokio::time::{sleep, sleep_until};
use tokio_util::task::TaskTracker;

use super::deletions::{DeletionError, invalidate, invalidate_pattern};
use super::distrust::{clear, distrust_everything};
use super::guarded_backend::GuardedBackend;
use super::health::{Availability, Unavailable};
use super::pending_deletions::PendingDeletions;
use super::places::Places;
use super::server_list::{ListedServers, ServerList};
use super::supervisor::Supervisor;
use crate::backends::{Distribution, Nodes};
use crate::change_feed::ChangeFeed;
use crate::keys::{Key, Memberships};

/// The pause between two looks at the visits after the process was frozen.
const PAUSE: Duration = Duration::from_millis(20);

/// The servers of a registered backend, and the tasks that watch over them.
#[derive(Debug)]
pub struct Servers {
    distribution: Distribution,
    /// In the order of the distribution, at least one.
    guarded: Vec<Arc<GuardedBackend>>,
    supervisors: Vec<Supervisor>,
}

/// Deletions that are pending for one of the servers.
#[derive(Debug)]
pub(crate) struct Pending {
    pub(crate) reason: Unavailable,
    /// Whether the server is one of several, and every instance knows that it may lack deletions, so that none trusts it.
    pub(crate) is_known_to_all: bool,
}

impl Servers {
    /// Tries once to reach each server, and watches over them from then on. `name` is the backend's in the log.
    /// Where an instance with another list is met, returns when every such instance has noticed this one.
    ///
    /// The future is in a box, so that no crate that waits for it compiles the supervisor again.
    pub(crate) fn start<'a>(
        name: &'a str,
        nodes: &'a Nodes,
        deadline: Duration,
        namespace: &'a str,
        tasks: &'a TaskTracker,
    ) -> BoxFuture<'a, Self> {
        Box::pin(async move {
            let unwatched = Self::unwatched(name, nodes, deadline, namespace, tasks);
            let guarded = &unwatched.guarded;
            let supervisors = join_all(guarded.iter().cloned().map(Supervisor::start)).await;
            let list = &guarded[0].list;
            if !list.is_agreed() {
                sleep_until(list.noticed_at().into()).await;
            }
            Self {
                supervisors,
                ..unwatched
            }
        })
    }

    /// The same without anybody who watches over them, for a process that only looks: it never trusts them, and no instance
    /// knows of it.
    pub(crate) fn unwatched(
        name: &str,
        nodes: &Nodes,
        deadline: Duration,
        namespace: &str,
        tasks: &TaskTracker,
    ) -> Self {
        let distribution = nodes.distribution().clone();
        let list = Arc::new(ServerList::new(&distribution));
        let guarded = nodes.all().iter().enumerate().map(|(place, node)| {
            let shown = if distribution.len() == 1 {
                name.to_owned()
            } else {
                format!("{name} {}", node.name)
            };
            let backend = Arc::clone(&node.backend);
            let namespace = namespace.to_owned();
            let guarded = GuardedBackend::new(shown, backend, deadline, namespace, tasks.clone());
            Arc::new(guarded.of_list(Arc::clone(&list), place))
        });
        let guarded: Vec<_> = guarded.collect();
        let servers: Vec<_> = guarded.iter().map(Arc::downgrade).collect();
        list.attach(Listed(servers));
        Self {
            distribution,
            guarded,
            supervisors: Vec::new(),
        }
    }

    /// Ends the supervisors, delivers the pending deletions and leaves the namespace, until a time at most.
    pub(crate) fn stop(&self, until: Instant) -> BoxFuture<'_, ()> {
        let all = self.supervisors.iter().zip(&self.guarded);
        let stops = all.map(move |(supervisor, server)| supervisor.stop(server, until));
        join_all(stops).map(drop).boxed()
    }

    /// The server that holds a key in the server's form.
    pub(crate) fn of(&self, key: &str) -> &Arc<GuardedBackend> {
        &self.guarded[self.distribution.place(key)]
    }

    /// The name of the backend, or of its first server where it has several.
    pub(crate) fn name(&self) -> &str {
        &self.guarded[0].registered_name
    }

    /// The servers that a look-up of this key depends on. The keys have the server's form.
    pub(crate) fn places(&self, key: &Key, memberships: &Memberships) -> Places<'_> {
        let of_key = self.of(key.full());
        if self.guarded.len() == 1 {
            return Places::on(of_key);
        }
        let records = memberships.records();
        self.places_of(of_key, records.map(|record| record.map(Key::full)))
    }

    /// The servers that an entry on one of them depends on, with the keys of its records in the order of its stamp.
    pub(crate) fn places_of<'a>(
        &'a self,
        of_key: &'a Arc<GuardedBackend>,
        records: [Option<&str>; 2],
    ) -> Places<'a> {
        let elsewhere = records.map(|record| {
            let server = self.of(record?);
            (!Arc::ptr_eq(server, of_key)).then_some(server)
        });
        Places::of(of_key, elsewhere)
    }

    /// All servers.
    pub(crate) fn all(&self) -> &[Arc<GuardedBackend>] {
        &self.guarded
    }

    /// A key of the namespace, in the server's form.
    pub(crate) fn key(&self, name: &str) -> Key {
        // All have the same namespace and are of one kind.
        self.guarded[0].key(name)
    }

    /// The longest key that the servers accept, in bytes.
    pub(crate) fn max_key_bytes(&self) -> usize {
        self.guarded[0].unguarded.max_key_bytes()
    }

    /// The state of the server that is best off: while one of several is available, the cache is.
    pub(crate) fn availability(&self) -> Availability {
        let states = self.guarded.iter().map(|server| server.availability());
        states.max().unwrap_or(Availability::Unavailable)
    }

    /// Whether an unavailable server may still be trusted by another instance, or all servers are unavailable.
    pub(crate) fn lack_deletions(&self) -> bool {
        self.availability() == Availability::Unavailable
            || self.guarded.iter().any(|server| {
                server.availability() == Availability::Unavailable && !is_known_to_all(server)
            })
    }

    /// The reason that the servers, although some are available, do not do everything.
    pub(crate) fn shortfall(&self) -> Option<String> {
        let down =
            |server: &&Arc<GuardedBackend>| server.availability() == Availability::Unavailable;
        let names = self.guarded.iter().filter(down);
        let names: Vec<&str> = names
            .map(|server| server.registered_name.as_str())
            .collect();
        if !names.is_empty() && names.len() < self.guarded.len() {
            return Some(format!("unavailable: {}", names.join(", ")));
        }
        self.guarded.iter().find_map(|server| server.shortfall())
    }

    /// The feed that a recovery waits for (C55). The first one stays.
    pub(crate) fn attach_feed(&self, feed: &Arc<dyn ChangeFeed>) {
        for server in &self.guarded {
            server.attach_feed(feed);
        }
    }

    /// Deletes full keys, each on its server. Each server keeps by itself what cannot be delivered to it.
    ///
    /// # Errors
    /// Deletions are pending for one of the servers.
    pub(crate) async fn invalidate(&self, keys: Vec<String>) -> Result<(), Pending> {
        let mut of_each = vec![Vec::new(); self.guarded.len()];
        for key in keys {
            of_each[self.distribution.place(&key)].push(key);
        }
        let deletions = self
            .guarded
            .iter()
            .zip(of_each)
            .map(|(server, keys)| async {
                let is_known_to_all = is_known_to_all(server);
                let deleted = invalidate(server, keys).await;
                if deleted.is_err() {
                    wait_until_settled(server).await;
                }
                deleted.map_err(|reason| Pending {
                    reason,
                    is_known_to_all,
                })
            });
        let pending = join_all(deletions)
            .await
            .into_iter()
            .filter_map(Result::err);
        // Collected before the wait, which must not be left out.
        let pending: Vec<_> = pending.collect();
        self.wait_until_met().await;
        // One that is not known to all comes first.
        match pending
            .into_iter()
            .min_by_key(|pending| pending.is_known_to_all)
        {
            None => Ok(()),
            Some(pending) => Err(pending),
        }
    }

    /// Waits, after this process was frozen, until instances with another list have met it again.
    async fn wait_until_met(&self) {
        let [first, _, ..] = self.guarded.as_slice() else {
            return;
        };
        let (list, intervals) = (&first.list, first.intervals);
        let is_fresh = || list.was_asked_within(intervals.lease);
        let until = Instant::now() + 2 * intervals.grace;
        while !is_fresh() && Instant::now() < until {
            sleep(PAUSE).await;
        }
        // A visit may have come between the freeze and this call, so that a fresh answer does not show that the others know.
        if !list.is_agreed() {
            sleep_until(list.noticed_at().into()).await;
        }
    }

    /// Deletes the keys of the namespace that match the pattern, on every server.
    pub(crate) async fn invalidate_pattern(&self, pattern: &str) -> Result<(), DeletionError> {
        let all = self.guarded.iter();
        // A namespace contains no glob character: the settings refuse them.
        let full = |server: &GuardedBackend| format!("{}{pattern}", server.namespace);
        let deletions = all.map(|server| invalidate_pattern(server, full(server)));
        join_all(deletions).await.into_iter().collect()
    }

    /// Distrusts every entry stored so far, on every server. Returns when no instance trusts them any more.
    pub(crate) async fn distrust_everything(&self) {
        join_all(self.guarded.iter().map(distrust_everything)).await;
        self.wait_until_met().await;
    }

    /// Removes the entries of the namespace from every server, and distrusts the rest.
    ///
    /// # Errors
    /// One of the servers is unavailable; its removal is kept.
    pub(crate) async fn clear(&self) -> Result<(), Unavailable> {
        let removals = join_all(self.guarded.iter().map(clear)).await;
        removals.into_iter().collect()
    }
}

/// The servers of a list.
struct Listed(Vec<Weak<GuardedBackend>>);

impl Listed {
    /// The servers with the bits of their places.
    fn all(&self) -> impl Iterator<Item = (Arc<GuardedBackend>, u64)> {
        let all = self.0.iter().filter_map(Weak::upgrade);
        all.map(|server| {
            let bit = 1 << server.place;
            (server, bit)
        })
    }
}

impl ListedServers for Listed {
    fn distrust_everything(&self) {
        for (server, _) in self.all() {
            let everything = PendingDeletions::everything();
            server.pending.distrust(&server.health, everything);
        }
    }

    fn doubt(&self, places: u64) {
        for (server, _) in self.all().filter(|(_, bit)| places & bit != 0) {
            server.health.doubt();
        }
    }

    fn lacking(&self) -> u64 {
        let lacking = self
            .all()
            .filter(|(server, _)| server.health.lacks_deletions());
        lacking.fold(0, |all, (_, bit)| all | bit)
    }
}

/// Waits, where another server has just taken this one's place, until no instance reads from the old one.
async fn wait_until_settled(server: &GuardedBackend) {
    if let Some(settled) = server.unguarded.settles_at() {
        sleep_until(settled.into()).await;
    }
}

/// Whether every instance knows that a server may lack deletions of this one, so that none trusts it.
fn is_known_to_all(server: &GuardedBackend) -> bool {
    let told = &server.list.told;
    told.is_known_to_all(server.place, Instant::now(), server.intervals)
}
