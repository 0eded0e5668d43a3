//! The operations of the provider on one backend (C22–C24).
//!
//! Come here to change an operation. The documentation of the operations is at `Cache`, which calls
//! them.

use std::sync::Arc;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

#[cfg(doc)]
use super::cache::Cache;
use super::error::CacheError;
use super::registry::{RegisteredBackend, Shared};
use crate::backends::Count;
use crate::breaker::{GuardedBackend, Servers, Unavailable};
use crate::clock::saturating_milliseconds;
use crate::events::{Cause, EventKind, EventNames, EventSource};
use crate::keys::{Key, counter_key, group_key, resource_key};
use crate::stored::{
    Belonging, CompleteAnswer, Entry, Metadata, OfAnotherKey, Provenance, StoredValue, ValueId,
    entity_tag, parse_group_record, read_value, stamp, write_entry,
};

/// The operations on one backend.
#[derive(Clone, Copy, Debug)]
pub struct Provider<'a> {
    pub(super) shared: &'a Arc<Shared>,
    pub(super) registered: Option<&'a RegisteredBackend>,
}

impl Provider<'_> {
    /// See [`Cache::get`].
    pub async fn get<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, CacheError> {
        match self.entry(key).await? {
            Some(entry) => {
                let body = entry.plain_body();
                Ok(body.map(|body| serde_json::from_slice(&body)).transpose()?)
            }
            None => Ok(None),
        }
    }

    /// See [`Cache::set`].
    pub async fn set<T: Serialize + ?Sized>(
        &self,
        key: &str,
        value: &T,
        expiration: Option<Duration>,
    ) -> Result<(), CacheError> {
        let expiration =
            expiration.unwrap_or_else(|| Duration::from_secs(self.shared.default_expiration));
        let fresh = saturating_milliseconds(expiration);
        if fresh == 0 {
            return Err(CacheError::Expiration);
        }
        let key = self.key(key)?;
        let backend = self.ready(&key)?;
        let answer = json_answer(value)?;
        let entry = answer.into_entry(Provenance {
            key: key.identity(),
            id: ValueId::random(),
            stored: self.shared.clock.milliseconds(),
            fresh,
            cost: 0,
            generation: backend.generation(),
            belonging: Belonging::default(),
        });
        let value = write_entry(&entry);
        backend.set(key.full(), value, expiration).await?;
        let cause = Cause::without_request(EventSource::Service);
        self.shared
            .record_stored(&key, &Belonging::default(), cause);
        Ok(())
    }

    /// See [`Cache::exists`].
    pub async fn exists(&self, key: &str) -> Result<bool, CacheError> {
        Ok(self.entry(key).await?.is_some())
    }

    /// See [`Cache::delete`].
    pub async fn delete(&self, key: &str) -> Result<(), CacheError> {
        let servers = self.known()?;
        let keys = [self.key(key)?, servers.key(&resource_key(key))];
        let deleted = servers.invalidate(keys.map(Key::into_full).to_vec()).await;
        let names = [key.to_owned()];
        self.record_invalidated([&names, &names, &[], &[]], false);
        Ok(deleted.map_err(|pending| pending.reason)?)
    }

    /// See [`Cache::delete_pattern`].
    pub async fn delete_pattern(&self, pattern: &str) -> Result<(), CacheError> {
        let deleted = self.known()?.invalidate_pattern(pattern).await;
        self.record_invalidated([&[], &[], &[], &[pattern.to_owned()]], false);
        Ok(deleted?)
    }

    /// See [`Cache::invalidate_group`].
    pub async fn invalidate_group(&self, group: &str) -> Result<(), CacheError> {
        let servers = self.known()?;
        let record = servers.key(&group_key(group));
        let ended = servers.invalidate(vec![record.into_full()]).await;
        self.record_invalidated([&[], &[], &[group.to_owned()], &[]], false);
        Ok(ended.map_err(|pending| pending.reason)?)
    }

    /// See [`Cache::clear`].
    pub async fn clear(&self) -> Result<(), CacheError> {
        let cleared = self.known()?.clear().await;
        self.record_invalidated([&[], &[], &[], &[]], true);
        Ok(cleared?)
    }

    /// See [`Cache::increment`].
    pub async fn increment(&self, name: &str, expiration: Duration) -> Result<Count, CacheError> {
        check_key(name)?;
        if expiration.as_millis() == 0 {
            return Err(CacheError::Expiration);
        }
        let servers = self.known()?;
        let key = servers.key(&counter_key(name));
        let server = servers.of(key.full());
        Ok(server.increment(key.full(), expiration).await?)
    }

    /// See [`Cache::decrement`].
    pub async fn decrement(&self, name: &str) -> Result<(), CacheError> {
        check_key(name)?;
        let servers = self.known()?;
        let key = servers.key(&counter_key(name));
        let server = servers.of(key.full());
        Ok(server.decrement(key.full()).await?)
    }

    /// The entry under the key, if it is still an answer: of this generation and of the present
    /// generations of the records that it belongs to. The rights of its caller are not compared, since a
    /// service has no caller.
    async fn entry(&self, key: &str) -> Result<Option<Entry>, CacheError> {
        let key = self.key(key)?;
        let servers = self.known()?;
        let server = self.ready(&key)?;
        let Some(found) = server.get(key.full()).await? else {
            return Ok(None);
        };
        let Some(StoredValue::Entry(entry)) = read_value(&found.value) else {
            return Ok(None);
        };
        if entry.metadata.key != key.identity() {
            server.reject_connection(key.full());
            return Ok(None);
        }
        let is_fresh = entry.metadata.fresh_until() > self.shared.clock.milliseconds();
        let is_answer = self.stands(servers, server, &entry.metadata).await? && is_fresh;
        Ok(is_answer.then_some(entry))
    }

    /// Whether an entry of this server was not ended: it has the present generations of the namespace and of its records.
    pub(super) async fn stands(
        &self,
        servers: &Servers,
        server: &Arc<GuardedBackend>,
        metadata: &Metadata,
    ) -> Result<bool, CacheError> {
        let belonging = &metadata.belonging;
        let records = records_of(servers, belonging);
        let Some(stamp) = present_stamp(servers, &records, belonging.rights).await? else {
            return Ok(false);
        };
        let records = records.each_ref().map(|key| key.as_ref().map(Key::full));
        let places = servers.places_of(server, records);
        // After every read: a server may have been replaced meanwhile by one with an old snapshot.
        let generation = places.generation();
        if !places.trust(generation) {
            return Err(Unavailable("the backend is not trusted now".to_owned()).into());
        }
        Ok(metadata.generation == generation && stamp == belonging.stamp)
    }

    /// Records an invalidation by a service.
    fn record_invalidated(&self, names: [&[String]; 4], everything: bool) {
        let names = EventNames::of(names, everything);
        let cause = Cause::without_request(EventSource::Service);
        self.shared.record(EventKind::Invalidated, names, cause);
    }

    /// The key in the server's form, if it is valid.
    pub(super) fn key(&self, key: &str) -> Result<Key, CacheError> {
        check_key(key)?;
        Ok(self.known()?.key(key))
    }

    /// The server of the key, if it may be read and filled.
    fn ready(&self, key: &Key) -> Result<&Arc<GuardedBackend>, CacheError> {
        let server = self.known()?.of(key.full());
        if server.is_ready() {
            Ok(server)
        } else {
            Err(Unavailable(format!("{} is unavailable", server.registered_name)).into())
        }
    }

    /// The servers of the backend, if it is registered: deletions are kept for an unavailable one.
    pub(super) fn known(&self) -> Result<&Servers, CacheError> {
        match self.registered {
            Some(registered) => Ok(&registered.servers),
            None if self.shared.enabled => {
                Err(Unavailable("no backend of that name is registered".to_owned()).into())
            }
            None => Err(Unavailable("CACHE_ENABLED is false".to_owned()).into()),
        }
    }
}

/// The keys of the records that an entry belongs to.
pub(super) fn records_of(servers: &Servers, belonging: &Belonging) -> [Option<Key>; 2] {
    let mut names = belonging.record_names();
    [names.next(), names.next()].map(|name| name.map(|name| servers.key(&name)))
}

/// The stamp of entries that belong to these records now; `None` where one of the records has ended.
pub(super) async fn present_stamp(
    servers: &Servers,
    records: &[Option<Key>; 2],
    rights: Option<u64>,
) -> Result<Option<u64>, Unavailable> {
    let mut generations = Vec::new();
    for record in records.iter().flatten() {
        let server = servers.of(record.full());
        let Some(found) = server.get(record.full()).await? else {
            return Ok(None);
        };
        match parse_group_record(record, &found) {
            Ok(Some(record)) => generations.push(record.generation),
            Ok(None) => return Ok(None),
            Err(OfAnotherKey) => {
                server.reject_connection(record.full());
                return Ok(None);
            }
        }
    }
    Ok(Some(stamp(generations, rights)))
}

/// The answer that a route with this value as its body would have stored.
pub(super) fn json_answer<T: Serialize + ?Sized>(
    value: &T,
) -> Result<CompleteAnswer, serde_json::Error> {
    let body = Bytes::from(serde_json::to_vec(value)?);
    Ok(CompleteAnswer {
        status: StatusCode::OK,
        headers: vec![(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        )],
        etag: entity_tag(&body),
        body,
    })
}

/// Checks a key of a service. It is used without escaping, so a key that no route could have is refused.
pub(super) fn check_key(key: &str) -> Result<(), CacheError> {
    let reason = if key.is_empty() {
        "it is empty"
    } else if key.starts_with('~') {
        "keys that begin with `~` are the cache's own"
    } else if !key.bytes().all(|byte| byte.is_ascii_graphic()) {
        "it has white space, control characters or characters beyond ASCII; escape() writes a value so that it fits"
    } else {
        return Ok(());
    };
    Err(CacheError::Key(reason))
}
