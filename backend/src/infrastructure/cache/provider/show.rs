//! One entry, read by a process that is no instance of the service: `backend cache show`.
//!
//! Come here to change how the command reads. It changes nothing on the servers: it answers no roll call, claims nothing and trusts
//! nothing. What a running instance shows of its entries is in `inspection`.

use bytes::Bytes;
use tokio_util::task::TaskTracker;

use super::error::CacheError;
use super::inspection::{InspectedEntry, ListedEntry};
use super::provider::{check_key, present_stamp, records_of};
use super::registry::DEFAULT_BACKEND;
use crate::backends::{BackendError, from_options};
use crate::breaker::{Servers, Unavailable};
use crate::clock::Clock;
use crate::keys::Key;
use crate::options::{BackendKind, CacheOptions};
use crate::stored::{Metadata, StoredValue, read_value};

/// The content of a key.
#[derive(Clone, Debug)]
pub enum StoredUnderKey {
    /// Nothing.
    Nothing,
    /// An entry.
    Entry(Box<InspectedEntry>),
    /// The claim of a reader that runs the handler now, since this many milliseconds.
    Claim(u64),
    /// A value that counts as a miss: of another version, foreign or damaged.
    Unreadable(Bytes),
}

impl StoredUnderKey {
    /// Reads the key on a registered backend; `None` is the one of `CACHE_BACKEND`.
    ///
    /// # Errors
    /// The key is invalid, no backend has that name, its entries are in another process, or its server does not answer within the
    /// connect timeout and the deadline of an operation.
    pub async fn read(
        options: &CacheOptions,
        backend: Option<&str>,
        key: &str,
    ) -> Result<Self, CacheError> {
        check_key(key)?;
        let name = backend.unwrap_or(DEFAULT_BACKEND);
        let kind = kind_of(options, name)?;
        let servers = connect(options, name, kind).await?;
        let key = servers.key(key);
        let server = servers.of(key.full());
        let Some(found) = server.get_from_server(key.full()).await? else {
            return Ok(Self::Nothing);
        };
        let now = Clock::System.milliseconds();
        let entry = match read_value(&found.value) {
            Some(StoredValue::Entry(entry)) => entry,
            Some(StoredValue::Claim(claim)) => {
                return Ok(Self::Claim(now.saturating_sub(claim.created)));
            }
            None => return Ok(Self::Unreadable(found.value)),
        };
        let is_current = is_current(&servers, &key, &entry.metadata).await?;
        let listed = ListedEntry::of(key.name(), &entry.metadata, is_current, now);
        Ok(match InspectedEntry::of(&entry, listed) {
            Some(inspected) => Self::Entry(Box::new(inspected)),
            None => Self::Unreadable(found.value),
        })
    }
}

fn kind_of(options: &CacheOptions, name: &str) -> Result<BackendKind, CacheError> {
    if !options.enabled {
        return Err(CacheError::unavailable("CACHE_ENABLED is false"));
    }
    let mut extra = options.extra_backends.iter();
    let kind = match name {
        DEFAULT_BACKEND => Some(options.backend),
        _ => extra.find(|(own, _)| own == name).map(|(_, kind)| *kind),
    };
    match kind {
        Some(BackendKind::Memory) => Err(CacheError::unavailable(
            "the entries of the memory backend are in the process of the service: its console, /cache, shows them",
        )),
        Some(kind) => Ok(kind),
        None => Err(CacheError::unavailable(
            "no backend of that name is registered",
        )),
    }
}

/// The servers, which nobody watches over. A first command waits for its connection too.
async fn connect(
    options: &CacheOptions,
    name: &str,
    kind: BackendKind,
) -> Result<Servers, CacheError> {
    let connect_timeout = match kind {
        BackendKind::Memcached => options.memcached.connect_timeout,
        BackendKind::Redis | BackendKind::Memory => options.redis.connect_timeout,
    };
    let mut options = options.clone();
    options.operation_timeout += connect_timeout;
    // It would keep a connection of its own.
    options.redis.near_max_bytes = None;
    let unavailable = |error: BackendError| CacheError::unavailable(&error.to_string());
    let nodes = from_options(&options, kind).map_err(unavailable)?;
    for node in nodes.all() {
        node.backend.check_kind().await.map_err(unavailable)?;
    }
    let namespace = match options.namespace.as_str() {
        "" => String::new(),
        namespace => format!("{namespace}:"),
    };
    let (deadline, tasks) = (options.operation_timeout, TaskTracker::new());
    Ok(Servers::unwatched(
        name, &nodes, deadline, &namespace, &tasks,
    ))
}

/// Whether the entry was not ended, by what the servers say: it is of this key, and has the generations that are recorded now. An
/// instance may still distrust it, for example while it recovers.
async fn is_current(
    servers: &Servers,
    key: &Key,
    metadata: &Metadata,
) -> Result<bool, Unavailable> {
    // A key in the server's form has another identity than the whole key that it was made of.
    let is_of_key = metadata.key == key.identity();
    let belonging = &metadata.belonging;
    let records = records_of(servers, belonging);
    let stamp = present_stamp(servers, &records, belonging.rights).await?;
    let generation = servers.of(key.full()).recorded_generation().await?;
    Ok(is_of_key && stamp == Some(belonging.stamp) && generation == Some(metadata.generation))
}
