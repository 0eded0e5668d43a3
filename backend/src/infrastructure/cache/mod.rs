//! The response cache: never stale after a write, never another person's data, never an outage.
//!
//! Come here to find the folder for a change. The cache is a crate of its own, which uses nothing of the application; there it is
//! `infrastructure::cache`. A request passes the folders in this order:
//!
//! ```text
//! middleware ─▶ provider ─▶ lookup ─▶ breaker ─▶ stored ─▶ backends
//!     │
//!     └─▶ policy ─▶ keys
//! ```
//!
//! - `middleware`: a policy around a route. GET reads and fills, writes invalidate.
//! - `provider`: the cache for services, and the registered backends.
//! - `lookup`: the decision between a hit, a claim and another request's answer, by the protocol that keeps old values out.
//! - `breaker`: deadlines, the circuit breaker, and the behaviour in an outage.
//! - `stored`: entries, claims and generations as bytes.
//! - `backends`: Redis, Memcached and memory behind one trait.
//! - `policy`, `keys`: which key a request reads, and which keys a write deletes.
//! - `measurements`, beside the folders: what is measured, through the facade of the crate `metrics`. The cache depends on that
//!   crate, as it depends on `tracing` for its log: without a recorder it does nothing.
//! - `spans`, beside the folders: what a trace shows of the cache, through the facade of `tracing`.
//! - `map`: every declared route with its policy, checked when the program starts. It uses `policy` and `keys`.
//!
//! A folder uses only those behind it in this order. A test holds that.

pub mod backends;

mod breaker;
mod cache_status;
mod change_feed;
mod clock;
mod delivered;
mod events;
mod keys;
mod log_limits;
mod lookup;
mod map;
mod measurements;
mod middleware;
mod options;
mod policy;
mod provider;
mod spans;
mod stored;

pub use breaker::Unavailable;
pub use change_feed::{ChangeFeed, FeedUnavailable};
pub use clock::{Clock, ManualClock};
pub use delivered::Delivered;
pub use events::{CacheEvent, Cause, EventKind, EventNames, EventSource};
pub use keys::{CacheArguments, ResourceIdType, bind_argument, bind_caller, escape};
pub use map::{
    CacheMap, DeclaredRoute, MapChange, MapInvalidations, MapRow, RequiredCaller, RoutePolicy,
};
pub use middleware::{CacheMiddleware, CacheOutcome, InvalidRequestError};
pub use options::{
    BackendKind, CacheOptions, MemcachedOptions, RedisOptions, SentinelOptions, ServerAddress,
};
pub use policy::{CachePolicy, Changes, Invalidation};
pub use provider::{
    BackendState, Cache, CacheError, CacheHealth, Change, Computation, Deliveries, Entries,
    History, InspectedEntry, ListedEntry, Provider, Purge, Purged, Standing, StoredUnderKey,
};
pub use stored::{compressed_entity_tag, entity_tag};

#[cfg(test)]
#[path = "../../../tests/support/watchdog.rs"]
mod watchdog;
