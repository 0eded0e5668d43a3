//! Looking into the cache, for operators: entries with their metadata and bodies, and the state of the backends.
//!
//! Come here to change what an operator sees of an entry. Requests do not pass through here. Nothing here changes a value.

use std::sync::Arc;

use actix_web::http::header::HeaderValue;
use bytes::Bytes;
use futures_util::future::{BoxFuture, join_all};

use super::cache::Cache;
use super::error::CacheError;
use super::registry::{DEFAULT_BACKEND, RegisteredBackend, names_of_records};
use crate::breaker::{Availability, GuardedBackend};
use crate::stored::{Entry, Metadata, StoredValue, read_metadata_of_head, read_value};

/// Whether an entry is an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is given to readers.
    Answer,
    /// Its time is over. A policy with `stale_while_revalidate` or `stale_if_error` may still give it.
    Expired,
    /// It was invalidated: its group, its resource or the whole namespace has ended, or the rights of its caller are not known.
    Ended,
}

/// An entry in a list.
#[derive(Clone, Debug)]
pub struct ListedEntry {
    /// The key, without the namespace. A key that is too long for the server is shown in the server's form.
    pub key: String,
    /// Whether it is an answer.
    pub standing: Standing,
    /// The time of storing: milliseconds since the Unix epoch.
    pub stored: u64,
    /// The time since then, in milliseconds.
    pub age: u64,
    /// The remaining time of freshness in milliseconds; negative since when it is over.
    pub time_to_live: i64,
    /// The size of the body in bytes.
    pub size: usize,
    /// The HTTP status.
    pub status: u16,
    /// The time that the handler took, in milliseconds.
    pub cost: u64,
    /// The resource whose end is the entry's.
    pub resource: Option<String>,
    /// The declared group.
    pub group: Option<String>,
}

/// An entry with its content.
#[derive(Clone, Debug)]
pub struct InspectedEntry {
    /// The metadata.
    pub entry: ListedEntry,
    /// The handler's own headers, in the order in which it set them.
    pub headers: Vec<(String, String)>,
    /// The entity tag of the plain form, with its quotes.
    pub etag: String,
    /// Whether the stored body is compressed. The size of the entry is that of the stored body.
    pub is_compressed: bool,
    /// The body as its handler sent it, byte for byte.
    pub body: Bytes,
}

impl InspectedEntry {
    /// The content of an entry; `None` where its compressed body is damaged.
    pub(super) fn of(entry: &Entry, listed: ListedEntry) -> Option<Self> {
        let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let metadata = &entry.metadata;
        let headers = metadata.headers.iter();
        Some(Self {
            entry: listed,
            headers: headers
                .map(|(name, value)| (name.to_string(), text(value)))
                .collect(),
            etag: text(&metadata.etag),
            is_compressed: metadata.plain_length.is_some(),
            body: entry.plain_body()?,
        })
    }
}

impl ListedEntry {
    /// The entry under this key, `now` by the cache's clock. `is_current` says that nothing has ended it.
    pub(super) fn of(key: &str, metadata: &Metadata, is_current: bool, now: u64) -> Self {
        let signed = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        let time_to_live = signed(metadata.fresh_until()).saturating_sub(signed(now));
        let (resources, groups) = names_of_records(&metadata.belonging);
        Self {
            key: key.to_owned(),
            standing: match is_current {
                true if time_to_live > 0 => Standing::Answer,
                true => Standing::Expired,
                false => Standing::Ended,
            },
            stored: metadata.stored,
            age: now.saturating_sub(metadata.stored),
            time_to_live,
            size: metadata.length,
            status: metadata.status,
            cost: metadata.cost,
            resource: resources.into_iter().next(),
            group: groups.into_iter().next(),
        }
    }
}

/// A part of the entries.
#[derive(Clone, Debug, Default)]
pub struct Entries {
    /// The entries, in no order.
    pub entries: Vec<ListedEntry>,
    /// Where the next part begins; 0 where there is none.
    pub next: u64,
    /// Whether the backend can list its entries. Otherwise these are entries that this instance has stored lately.
    pub is_list_of_server: bool,
}

/// The state of a server.
#[derive(Clone, Debug)]
pub struct BackendState {
    /// The name in the log.
    pub name: String,
    /// `redis`, `memcached` or `memory`.
    pub kind: &'static str,
    /// Whether it is the backend that `CACHE_BACKEND` chooses.
    pub is_default: bool,
    /// `ready`, `doubtful`, `recovering` or `unavailable`.
    pub availability: &'static str,
    /// The reason that it does not work completely.
    pub shortfall: Option<String>,
    /// The number of keys whose deletion is pending.
    pub pending_keys: usize,
    /// Whether the whole namespace will be distrusted at the recovery.
    pub pending_everything: bool,
}

// The futures are in boxes, so that no crate that waits for one compiles it again.
impl Cache {
    /// About `limit` entries of the default backend whose keys begin with the prefix, from the place `cursor` on; 0 is the
    /// beginning. The work of one call is bounded, so a part may be small or empty although others follow.
    ///
    /// # Errors
    /// The backend is unavailable.
    #[must_use]
    pub fn entries<'a>(
        &'a self,
        prefix: &'a str,
        cursor: u64,
        limit: usize,
    ) -> BoxFuture<'a, Result<Entries, CacheError>> {
        Box::pin(self.entries_of_backend(prefix, cursor, limit))
    }

    async fn entries_of_backend(
        &self,
        prefix: &str,
        cursor: u64,
        limit: usize,
    ) -> Result<Entries, CacheError> {
        let registered = self.default_backend()?;
        let server = &registered.servers.all()[0];
        let full = format!("{}{prefix}", server.namespace);
        let Some(part) = server.list(&full, cursor, limit).await? else {
            return self.entries_of_events(prefix, cursor, limit).await;
        };
        let found = part.values.into_iter().filter_map(|(key, head)| {
            let name = key.strip_prefix(&server.namespace)?;
            // Those of the cache itself are no entries.
            let is_own = name.starts_with('~');
            let (_, metadata) = read_metadata_of_head(&head).filter(|_| !is_own)?;
            Some((name.to_owned(), metadata))
        });
        let found: Vec<(String, Metadata)> = found.collect();
        let listed = found.iter().map(|(name, metadata)| {
            // The list of one group of slots is that of the whole Redis Cluster.
            let server = registered.servers.of(server.key(name).full());
            self.listed(registered, server, name, metadata)
        });
        Ok(Entries {
            entries: join_all(listed).await,
            next: part.next,
            is_list_of_server: true,
        })
    }

    /// The entries under the keys that this instance has stored lately.
    async fn entries_of_events(
        &self,
        prefix: &str,
        cursor: u64,
        limit: usize,
    ) -> Result<Entries, CacheError> {
        let keys = self.stored_keys(prefix);
        let first = usize::try_from(cursor)
            .unwrap_or(usize::MAX)
            .min(keys.len());
        let end = first.saturating_add(limit).min(keys.len());
        let inspected = join_all(keys[first..end].iter().map(|key| self.inspect(key))).await;
        let mut entries = Vec::new();
        for found in inspected {
            entries.extend(found?.map(|inspected| inspected.entry));
        }
        Ok(Entries {
            entries,
            next: if end < keys.len() { end as u64 } else { 0 },
            is_list_of_server: false,
        })
    }

    /// The entry under the key, whether or not it is an answer.
    ///
    /// # Errors
    /// The key is invalid, or the backend is unavailable.
    #[must_use]
    pub fn inspect<'a>(
        &'a self,
        key: &'a str,
    ) -> BoxFuture<'a, Result<Option<InspectedEntry>, CacheError>> {
        Box::pin(self.inspect_backend(key))
    }

    async fn inspect_backend(&self, key: &str) -> Result<Option<InspectedEntry>, CacheError> {
        let registered = self.default_backend()?;
        let full = self.default_provider().key(key)?;
        let server = registered.servers.of(full.full());
        let Some(found) = server.get_from_server(full.full()).await? else {
            return Ok(None);
        };
        let Some(StoredValue::Entry(entry)) = read_value(&found.value) else {
            return Ok(None);
        };
        let listed = self.listed(registered, server, key, &entry.metadata).await;
        Ok(InspectedEntry::of(&entry, listed))
    }

    /// The state of each registered server.
    #[must_use]
    pub fn backend_states(&self) -> Vec<BackendState> {
        let mut states = Vec::new();
        for (name, registered) in &self.shared.backends {
            for server in registered.servers.all() {
                let pending = server.pending_count();
                states.push(BackendState {
                    name: server.registered_name.clone(),
                    kind: server.unguarded.name(),
                    is_default: name == DEFAULT_BACKEND,
                    availability: match server.availability() {
                        Availability::Ready => "ready",
                        Availability::Doubtful => "doubtful",
                        Availability::Recovering => "recovering",
                        Availability::Unavailable => "unavailable",
                    },
                    shortfall: server.shortfall(),
                    pending_keys: pending.keys,
                    pending_everything: pending.everything,
                });
            }
        }
        states
    }

    /// The namespace, without its separator.
    #[must_use]
    pub fn namespace(&self) -> &str {
        self.shared.namespace.trim_end_matches(':')
    }

    /// The name of this instance in events.
    #[must_use]
    pub fn instance(&self) -> &str {
        self.shared.events.instance()
    }

    fn default_backend(&self) -> Result<&RegisteredBackend, CacheError> {
        self.default_provider().known()?;
        let backend = self.shared.backend(None);
        backend.ok_or_else(|| CacheError::unavailable("no backend is registered"))
    }

    async fn listed(
        &self,
        registered: &RegisteredBackend,
        server: &Arc<GuardedBackend>,
        key: &str,
        metadata: &Metadata,
    ) -> ListedEntry {
        let stands = self.default_provider();
        let stands = stands.stands(&registered.servers, server, metadata).await;
        let is_current = matches!(stands, Ok(true));
        let now = self.shared.clock.milliseconds();
        ListedEntry::of(key, metadata, is_current, now)
    }
}
