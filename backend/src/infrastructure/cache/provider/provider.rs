//! The provider: the cache as services, jobs, scripts and start-up use it (C22–C24).
//!
//! ```no_run
//! # async fn example(cache: &backend::infrastructure::cache::Cache) -> Result<(), backend::infrastructure::cache::CacheError> {
//! use std::time::Duration;
//!
//! cache.set("config:site_name", &"My App", Some(Duration::from_secs(3600))).await?;
//! let name: Option<String> = cache.get("config:site_name").await?;
//! cache.delete("config:site_name").await?;
//! # Ok(())
//! # }
//! ```

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use actix_web::http::header;
use actix_web::http::header::HeaderValue;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio_util::task::TaskTracker;

use super::error::{CacheError, CacheHealth};
use super::registry::{DEFAULT_BACKEND, RegisteredBackend, Shared};
use crate::infrastructure::cache::backends::{BackendError, CacheBackend, from_options};
use crate::infrastructure::cache::breaker::{
    Availability, GuardedBackend, Supervisor, Unavailable, clear,
};
use crate::infrastructure::cache::clock::{Clock, saturating_milliseconds};
use crate::infrastructure::cache::keys::{Key, group_key, resource_key};
use crate::infrastructure::cache::log_limits::{Once, RateLimit};
use crate::infrastructure::cache::options::CacheOptions;
use crate::infrastructure::cache::stored::{
    Belonging, CompleteAnswer, Entry, OfAnotherKey, Provenance, StoredValue, ValueId, entity_tag,
    parse_group_record, read_value, stamp, write_entry,
};

/// The response cache of this process. Clones share everything.
#[derive(Clone, Debug)]
pub struct Cache {
    pub(in crate::infrastructure::cache) shared: Arc<Shared>,
}

impl Cache {
    /// Builds the cache that the options describe. A backend that is away is no error: it is picked
    /// up when it comes (C29). `expose_keys` adds keys to `Cache-Status`.
    ///
    /// # Errors
    /// Where the options cannot describe a backend at all.
    pub async fn connect(options: &CacheOptions, expose_keys: bool) -> Result<Self, BackendError> {
        let mut backends: Vec<(String, Arc<dyn CacheBackend>)> = Vec::new();
        if options.enabled {
            backends.push((DEFAULT_BACKEND.to_owned(), from_options(options)?));
        }
        Ok(Self::with_backends(options, expose_keys, backends, Clock::System).await)
    }

    /// Builds a cache on the given backends (C22), the first of which is the default.
    pub async fn with_backends(
        options: &CacheOptions,
        expose_keys: bool,
        backends: Vec<(String, Arc<dyn CacheBackend>)>,
        clock: Clock,
    ) -> Self {
        let deadline = options.operation_timeout;
        let namespace = match options.namespace.as_str() {
            "" => String::new(),
            namespace => format!("{namespace}:"),
        };
        let tasks = TaskTracker::new();
        let mut registered = BTreeMap::new();
        for (name, backend) in backends {
            let shown = if name == DEFAULT_BACKEND {
                backend.name().to_owned()
            } else {
                name.clone()
            };
            let backend = Arc::new(GuardedBackend::new(
                shown,
                backend,
                deadline,
                namespace.clone(),
                tasks.clone(),
            ));
            let supervisor = Supervisor::start(Arc::clone(&backend)).await;
            registered.insert(
                name,
                RegisteredBackend {
                    backend,
                    single_flights: Arc::default(),
                    supervisor,
                },
            );
        }
        Self {
            shared: Arc::new(Shared {
                enabled: options.enabled,
                expose_keys,
                status_header: options.status_header,
                max_body_bytes: options.max_body_bytes,
                default_expiration: options.default_expiration.as_secs(),
                jitter_percent: options.expiration_jitter_percent,
                collapse_wait: options.collapse_wait,
                namespace,
                clock,
                warned: Once::default(),
                tasks,
                unknown_backend: RateLimit::new(Duration::from_secs(1)),
                backends: registered,
            }),
        }
    }

    /// The provider over another registered backend (C22).
    #[must_use]
    pub fn backend(&self, name: &str) -> Provider<'_> {
        Provider {
            shared: &self.shared,
            registered: self.shared.backend(Some(name)),
        }
    }

    /// How the default backend is.
    #[must_use]
    pub fn health(&self) -> CacheHealth {
        if !self.shared.enabled {
            return CacheHealth::Disabled;
        }
        match self
            .shared
            .backend(None)
            .map(|registered| registered.backend.availability())
        {
            None | Some(Availability::Away) => CacheHealth::Down,
            Some(_) => CacheHealth::Up,
        }
    }

    /// The value under the key. What a route stored is read under the route's key.
    pub async fn get<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, CacheError> {
        self.default_provider().get(key).await
    }

    /// Stores a value; without an expiration, for `DEFAULT_CACHE_EXPIRATION`.
    pub async fn set<T: Serialize + ?Sized>(
        &self,
        key: &str,
        value: &T,
        expiration: Option<Duration>,
    ) -> Result<(), CacheError> {
        self.default_provider().set(key, value, expiration).await
    }

    /// Whether the key holds an answer.
    pub async fn exists(&self, key: &str) -> Result<bool, CacheError> {
        self.default_provider().exists(key).await
    }

    /// Deletes the key, and ends all variants of the resource of that name (C44): `note:7` ends `note:7:caller=2` too.
    /// While the backend is unavailable this is an error, and the deletion is kept: it is
    /// delivered before this process trusts the backend again.
    pub async fn delete(&self, key: &str) -> Result<(), CacheError> {
        self.default_provider().delete(key).await
    }

    /// Deletes what matches the Redis glob. While the backend is unavailable this is an error, and a new
    /// generation, which distrusts every entry, takes its place with the recovery.
    pub async fn delete_pattern(&self, pattern: &str) -> Result<(), CacheError> {
        self.default_provider().delete_pattern(pattern).await
    }

    /// Ends a group: none of its entries is an answer any more.
    pub async fn invalidate_group(&self, group: &str) -> Result<(), CacheError> {
        self.default_provider().invalidate_group(group).await
    }

    /// Removes the entries of this cache and nothing else that shares the server (C24). Returns when no instance
    /// trusts an entry from before. While the backend is unavailable this is an error, and the
    /// removal is kept: it happens with the recovery.
    pub async fn clear(&self) -> Result<(), CacheError> {
        self.default_provider().clear().await
    }

    fn default_provider(&self) -> Provider<'_> {
        Provider {
            shared: &self.shared,
            registered: self.shared.backend(None),
        }
    }
}

/// The operations on one backend.
#[derive(Clone, Copy, Debug)]
pub struct Provider<'a> {
    shared: &'a Shared,
    registered: Option<&'a RegisteredBackend>,
}

impl Provider<'_> {
    /// See [`Cache::get`].
    pub async fn get<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, CacheError> {
        match self.entry(key).await? {
            Some(entry) => Ok(Some(serde_json::from_slice(&entry.body)?)),
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
        let backend = self.ready()?;
        let body = bytes::Bytes::from(serde_json::to_vec(value)?);
        let answer = CompleteAnswer {
            status: actix_web::http::StatusCode::OK,
            headers: vec![(
                header::CONTENT_TYPE,
                HeaderValue::from_static("application/json"),
            )],
            etag: entity_tag(&body),
            body,
        };
        let key = backend.key(key);
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
        Ok(backend.set(key.full(), value, expiration).await?)
    }

    /// See [`Cache::exists`].
    pub async fn exists(&self, key: &str) -> Result<bool, CacheError> {
        Ok(self.entry(key).await?.is_some())
    }

    /// See [`Cache::delete`].
    pub async fn delete(&self, key: &str) -> Result<(), CacheError> {
        let backend = self.known()?;
        let keys = [backend.key(key), backend.key(&resource_key(key))];
        Ok(backend
            .invalidate(keys.map(Key::into_full).to_vec())
            .await?)
    }

    /// See [`Cache::delete_pattern`].
    pub async fn delete_pattern(&self, pattern: &str) -> Result<(), CacheError> {
        let backend = self.known()?;
        let full = backend.full_pattern(pattern);
        Ok(Arc::clone(backend).invalidate_pattern(full).await?)
    }

    /// See [`Cache::invalidate_group`].
    pub async fn invalidate_group(&self, group: &str) -> Result<(), CacheError> {
        let backend = self.known()?;
        let record = backend.key(&group_key(group));
        Ok(backend.invalidate(vec![record.into_full()]).await?)
    }

    /// See [`Cache::clear`].
    pub async fn clear(&self) -> Result<(), CacheError> {
        let backend = self.known()?;
        Ok(clear(backend).await?)
    }

    /// The entry under the key, if it is still an answer: of this generation and of the present generations of the
    /// records that it belongs to. Whose rights it was made under is not asked, since nobody in particular asks.
    async fn entry(&self, key: &str) -> Result<Option<Entry>, CacheError> {
        let backend = self.ready()?;
        let generation = backend.generation();
        let key = backend.key(key);
        let Some(found) = backend.get(key.full()).await? else {
            return Ok(None);
        };
        if !backend.trusts(generation) {
            return Err(Unavailable("the backend is not trusted now".to_owned()).into());
        }
        let Some(StoredValue::Entry(entry)) = read_value(&found.value) else {
            return Ok(None);
        };
        if entry.metadata.key != key.identity() {
            backend.reject_connection(key.full());
            return Ok(None);
        }
        if entry.metadata.generation != generation
            || entry.metadata.fresh_until() <= self.shared.clock.milliseconds()
        {
            return Ok(None);
        }
        let belonging = &entry.metadata.belonging;
        let mut generations = Vec::new();
        for record in belonging.record_names() {
            let record = backend.key(&record);
            let Some(found) = backend.get(record.full()).await? else {
                return Ok(None);
            };
            match parse_group_record(&record, &found) {
                Ok(Some(record)) => generations.push(record.generation),
                Ok(None) => return Ok(None),
                Err(OfAnotherKey) => {
                    backend.reject_connection(record.full());
                    return Ok(None);
                }
            }
        }
        Ok((stamp(generations, belonging.rights) == belonging.stamp).then_some(entry))
    }

    /// The backend, if it may be read and filled.
    fn ready(&self) -> Result<&Arc<GuardedBackend>, CacheError> {
        let backend = self.known()?;
        if backend.is_ready() {
            Ok(backend)
        } else {
            Err(Unavailable(format!("{} is away", backend.registered_name)).into())
        }
    }

    /// The backend, if there is one: deletions are kept for one that is away.
    fn known(&self) -> Result<&Arc<GuardedBackend>, CacheError> {
        match self.registered {
            Some(registered) => Ok(&registered.backend),
            None if self.shared.enabled => {
                Err(Unavailable("no backend of that name is registered".to_owned()).into())
            }
            None => Err(Unavailable("CACHE_ENABLED is false".to_owned()).into()),
        }
    }
}
