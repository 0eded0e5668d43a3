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

pub mod backends;

mod answer;
mod arguments;
mod claiming;
mod clock;
mod decoded;
mod entry;
mod fill;
mod flight;
mod guard;
mod key;
mod lookup;
mod middleware;
mod plan;
mod policy;
mod provider;
mod query;
mod read;
mod recovery;
mod refresh;
mod status;
mod template;
mod undelivered;
mod warnings;
mod write;

pub use answer::entity_tag;
pub use arguments::{CacheArguments, bind_argument};
pub use clock::{Clock, ManualClock};
pub use guard::Unavailable;
pub use middleware::{CacheMiddleware, CacheOutcome, InvalidRequestError};
pub use policy::{CachePolicy, ResourceIdType};
pub use provider::{Cache, CacheError, CacheHealth, Provider};
