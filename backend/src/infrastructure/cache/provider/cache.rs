//! The cache for services, jobs, scripts and start-up (C22–C24, C51).
//!
//! Come here to see how the cache is built, and which operations services have. How an operation works is in
//! `provider`, not here.
//!
//! ```no_run
//! # async fn example(cache: &response_cache::Cache) -> Result<(), response_cache::CacheError> {
//! use std::time::Duration;
//!
//! cache.set("config:site_name", &"My App", Some(Duration::from_secs(3600))).await?;
//! let name: Option<String> = cache.get("config:site_name").await?;
//! cache.delete("config:site_name").await?;
//! # Ok(())
//! # }
//! ```

use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio_util::task::TaskTracker;

use super::computation::Computation;
use super::error::{CacheError, CacheHealth};
use super::event_log;
use super::provider::Provider;
use super::registry::{DEFAULT_BACKEND, RegisteredBackend, Shared};
use super::verification::Verification;
use crate::backends::{BackendError, Count, Nodes, from_options};
use crate::breaker::{Availability, Servers};
use crate::clock::Clock;
use crate::log_limits::{Once, RateLimit};
use crate::options::CacheOptions;

/// The response cache of this process. All clones share its state.
#[derive(Clone, Debug)]
pub struct Cache {
    pub(crate) shared: Arc<Shared>,
}

impl Cache {
    /// Builds the cache that the options describe. An unavailable backend is no error: it is used as
    /// soon as it is available (C29). `expose_keys` adds keys to `Cache-Status`.
    ///
    /// # Errors
    /// The options describe no possible backend, or a server answers that is of another kind than they say.
    pub async fn connect(options: &CacheOptions, expose_keys: bool) -> Result<Self, BackendError> {
        let mut backends: Vec<(String, Nodes)> = Vec::new();
        if options.enabled {
            let default = (DEFAULT_BACKEND.to_owned(), options.backend);
            for (name, kind) in [&default].into_iter().chain(&options.extra_backends) {
                let nodes = from_options(options, *kind)?;
                for node in nodes.all() {
                    node.backend.check_kind().await?;
                }
                backends.push((name.clone(), nodes));
            }
        }
        Ok(Self::with_backends(options, expose_keys, backends, Clock::System).await)
    }

    /// Builds a cache on the given backends (C22), the first of which is the default.
    pub async fn with_backends(
        options: &CacheOptions,
        expose_keys: bool,
        backends: Vec<(String, impl Into<Nodes>)>,
        clock: Clock,
    ) -> Self {
        let deadline = options.operation_timeout;
        let namespace = match options.namespace.as_str() {
            "" => String::new(),
            namespace => format!("{namespace}:"),
        };
        let tasks = TaskTracker::new();
        let mut registered = BTreeMap::new();
        for (name, nodes) in backends {
            let nodes = nodes.into();
            let shown = if name == DEFAULT_BACKEND {
                nodes.kind()
            } else {
                &name
            };
            let servers = Servers::start(shown, &nodes, deadline, &namespace, &tasks).await;
            registered.insert(
                name,
                RegisteredBackend {
                    servers,
                    single_flights: Arc::default(),
                },
            );
        }
        let events = event_log::start(registered.get(DEFAULT_BACKEND));
        Self {
            shared: Arc::new(Shared {
                enabled: options.enabled,
                expose_keys,
                status_header: options.status_header,
                record_outcomes: options.record_outcomes,
                max_body_bytes: options.max_body_bytes,
                compress_min_bytes: options.compress_min_bytes,
                default_expiration: options.default_expiration.as_secs(),
                jitter_percent: options.expiration_jitter_percent,
                collapse_wait: options.collapse_wait,
                namespace,
                clock,
                warned: Once::default(),
                verification: Arc::new(Verification::new(
                    options.verify_percent,
                    options.operation_timeout,
                )),
                tasks,
                feed: OnceLock::new(),
                events,
                is_recording_incomplete: AtomicBool::new(false),
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

    /// The number of stale entries that were found since the start by running handlers again (`CACHE_VERIFY_PERCENT`,
    /// C50). Each of them was logged as an error and deleted.
    #[must_use]
    pub fn stale_entries_found(&self) -> u64 {
        self.shared.verification.stale_entries()
    }

    /// The state of the default backend.
    #[must_use]
    pub fn health(&self) -> CacheHealth {
        if !self.shared.enabled {
            return CacheHealth::Disabled;
        }
        match self
            .shared
            .backend(None)
            .map(|registered| registered.servers.availability())
        {
            None | Some(Availability::Unavailable) => CacheHealth::Down,
            Some(_) => CacheHealth::Up,
        }
    }

    /// The reason that the default backend is available but does not work completely: for example it is full. `None`
    /// where it works, and where [`Cache::health`] reports an outage.
    #[must_use]
    pub fn shortfall(&self) -> Option<String> {
        let registered = self.shared.backend(None)?;
        registered.servers.shortfall()
    }

    /// The value under the key. The answer of a route is found under the route's key.
    pub async fn get<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, CacheError> {
        self.default_provider().get(key).await
    }

    /// Stores a value as JSON. Without an expiration it is kept for `DEFAULT_CACHE_EXPIRATION` seconds. The shortest
    /// expiration is one millisecond.
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

    /// Deletes the keys that match the Redis glob. While the backend is unavailable this is an error,
    /// and the recovery distrusts every entry instead, by a new generation.
    pub async fn delete_pattern(&self, pattern: &str) -> Result<(), CacheError> {
        self.default_provider().delete_pattern(pattern).await
    }

    /// Ends a group: none of its entries is an answer any more.
    pub async fn invalidate_group(&self, group: &str) -> Result<(), CacheError> {
        self.default_provider().invalidate_group(group).await
    }

    /// Removes the entries of this cache, and no other data of the server (C24). Returns when no
    /// instance trusts an earlier entry. While the backend is unavailable this is an error, and the
    /// removal is kept and done at the recovery.
    pub async fn clear(&self) -> Result<(), CacheError> {
        self.default_provider().clear().await
    }

    /// Adds one to a counter that all instances share, atomically and in one round trip. The first call starts the
    /// counter at 1. The counter ends when `expiration` has passed since the first call; later calls do not prolong it.
    /// A counter and a key of the same name are two things. While the backend is unavailable, this is an error at once.
    /// A server that needs room may remove a counter before its end.
    pub async fn increment(&self, name: &str, expiration: Duration) -> Result<Count, CacheError> {
        self.default_provider().increment(name, expiration).await
    }

    /// Subtracts one from a counter, but not below 0. An absent counter stays absent.
    pub async fn decrement(&self, name: &str) -> Result<(), CacheError> {
        self.default_provider().decrement(name).await
    }

    /// The stored value of the key, or the computed value, which is then stored: see
    /// [`Computation::get_or_compute`]. Without an expiration, for `DEFAULT_CACHE_EXPIRATION`.
    ///
    /// ```no_run
    /// # async fn example(cache: &response_cache::Cache) -> Result<(), std::io::Error> {
    /// let report: String = cache
    ///     .get_or_compute("report:7", None, async { std::fs::read_to_string("report.txt") })
    ///     .await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Those of the computation. A fault of the cache is no error: the computation runs.
    pub async fn get_or_compute<T, E, F>(
        &self,
        key: &str,
        expiration: Option<Duration>,
        computation: F,
    ) -> Result<T, E>
    where
        T: Serialize + DeserializeOwned + Send + 'static,
        E: Send + 'static,
        F: Future<Output = Result<T, E>> + Send + 'static,
    {
        let described = self.computation(key);
        let described = match expiration {
            Some(expiration) => described.expiration(expiration),
            None => described,
        };
        described.get_or_compute(computation).await
    }

    /// A computation whose value is cached under the key. Set its options, then call
    /// [`get_or_compute`](Computation::get_or_compute).
    pub fn computation<'a>(&'a self, key: &'a str) -> Computation<'a> {
        self.default_provider().computation(key)
    }

    pub(super) fn default_provider(&self) -> Provider<'_> {
        Provider {
            shared: &self.shared,
            registered: self.shared.backend(None),
        }
    }
}
