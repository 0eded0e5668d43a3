//! The log of events that all instances share, where the default backend keeps one (Redis).
//!
//! Come here to change how soon, and how many, events reach the other instances. A request never waits for this: its event is
//! put into a queue, and left out where the queue is full or the server unavailable.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc::Receiver;
use tokio::time::sleep;

use super::registry::RegisteredBackend;
use crate::breaker::{GuardedBackend, Unavailable};
use crate::events::{CacheEvent, Events};

/// The key of the log, where no key of a route or a service can be.
const KEY: &str = "~events";
/// About the most events that the log keeps.
pub(super) const KEPT: usize = 5000;
/// The most events that are sent together.
const BATCH: usize = 200;
/// The pause between two batches.
const PAUSE: Duration = Duration::from_millis(100);

/// The events of this instance, which a task sends to the log of the backend if it keeps one. The task ends with the events.
pub(super) fn start(backend: Option<&RegisteredBackend>) -> Events {
    let server = backend.map(|registered| &registered.servers.all()[0]);
    match server.filter(|server| server.unguarded.keeps_log()) {
        None => Events::of_this_instance(),
        Some(server) => {
            let (events, queue) = Events::with_queue();
            tokio::spawn(send(queue, Arc::clone(server)));
            events
        }
    }
}

async fn send(mut queue: Receiver<Arc<CacheEvent>>, server: Arc<GuardedBackend>) {
    let key = server.key(KEY);
    let mut batch = Vec::new();
    while queue.recv_many(&mut batch, BATCH).await > 0 {
        let written = batch.drain(..).filter_map(|event| {
            let record = serde_json::to_vec(&*event).ok()?;
            Some(Bytes::from(record))
        });
        let records: Vec<Bytes> = written.collect();
        // An event that cannot be sent is still in the ring of this instance.
        let _ = server.append_to_log(key.full(), &records, KEPT).await;
        sleep(PAUSE).await;
    }
}

/// The newest events of all instances, the newest one first. None where the backend keeps no log.
pub(super) async fn read(backend: &RegisteredBackend) -> Result<Vec<CacheEvent>, Unavailable> {
    let server = &backend.servers.all()[0];
    let key = server.key(KEY);
    let records = server.read_log(key.full(), KEPT).await?;
    // A record of another version of this program is left out.
    let events = records
        .iter()
        .filter_map(|record| serde_json::from_slice(record).ok());
    Ok(events.collect())
}
