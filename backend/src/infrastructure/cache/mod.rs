//! The response cache: never stale after a write, never another person's data, never an outage.
//!
//! It is a wing of its own and knows nothing of the application. The way of a request:
//!
//! ```text
//! policy ─▶ middleware ─▶ plan (arguments, template, query, key): which key?
//!              │
//!              ├─▶ read ─▶ lookup: hit, claim, or somebody else's flight? ─▶ fill ─▶ answer, entry
//!              │              └─▶ refresh: what is an ageing entry good for?
//!              └─▶ write: the handler, then what it made stale
//!                     │
//! provider ───────────┴─▶ guard (deadlines, breaker; recovery) ─▶ backends
//! ```
//!
//! The protocol that keeps old values out is told in `lookup`, what an outage means in `guard`.

#[path = "backends/contract.rs"]
pub mod backends;

#[path = "middleware/response.rs"]
mod answer;
#[path = "keys/arguments.rs"]
mod arguments;
#[path = "lookup/claim.rs"]
mod claiming;
mod clock;
#[path = "stored/recently_parsed.rs"]
mod decoded;
#[path = "stored/entry.rs"]
mod entry;
#[path = "middleware/fill.rs"]
mod fill;
#[path = "lookup/single_flight.rs"]
mod flight;
#[path = "breaker/guarded_backend.rs"]
mod guard;
#[path = "keys/key.rs"]
mod key;
#[path = "lookup/look.rs"]
mod lookup;
#[path = "middleware/service.rs"]
mod middleware;
#[path = "policy/compiled.rs"]
mod plan;
#[path = "policy/policy.rs"]
mod policy;
#[path = "provider/provider.rs"]
mod provider;
#[path = "keys/query.rs"]
mod query;
#[path = "middleware/read.rs"]
mod read;
#[path = "breaker/supervisor.rs"]
mod recovery;
#[path = "middleware/refresh.rs"]
mod refresh;
#[path = "cache_status.rs"]
mod status;
#[path = "keys/template.rs"]
mod template;
#[path = "breaker/pending_deletions.rs"]
mod undelivered;
#[path = "log_limits.rs"]
mod warnings;
#[path = "middleware/write.rs"]
mod write;

pub use answer::entity_tag;
pub use arguments::{CacheArguments, bind_argument};
pub use clock::{Clock, ManualClock};
pub use guard::Unavailable;
pub use middleware::{CacheMiddleware, CacheOutcome, InvalidRequestError};
pub use policy::{CachePolicy, ResourceIdType};
pub use provider::{Cache, CacheError, CacheHealth, Provider};
