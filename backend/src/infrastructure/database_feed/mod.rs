//! The database feed: every committed change is delivered to the cache, whoever made it (C53–C56).
//!
//! Come here when a change in the database does not reach the cache. Which rows are recorded is decided by the triggers of
//! the modules' migrations, and what a recorded change invalidates by their `cache.rs`.
//!
//! # Protocol
//!
//! A trigger inserts a row into `cache_changes` in the transaction of the change. A *pass* takes up to 1 000 rows with one
//! `DELETE … RETURNING`, invalidates what they name, and commits. A row is gone only if its delivery was confirmed: a pass
//! that dies is rolled back, and its rows are delivered once more, which does no harm.
//!
//! - One task of the process makes the passes. A write waits for the first pass that *began* after its commit: one that was
//!   under way may have looked before. All writes that wait at that moment share it (group commit).
//! - A pass waits for rows that another instance has taken, and then no longer finds them: they have been delivered. With
//!   `SKIP LOCKED` it would answer a write whose entry still stands.
//! - Passes take rows in the order of their numbers, so that two never wait for each other. No position is kept: a
//!   transaction that began early may commit late, and its rows become visible below those that are gone.
//! - A trigger does not use `NOTIFY`, because with it every commit waits for the one before it. An idle instance looks every
//!   250 ms at the latest.
//! - An instance that does not reach the cache lets others deliver: it waits until no row up to the largest number that it
//!   saw is left. Rows that become visible late prolong the wait and never shorten it.
//! - It waits no longer once a row has stood for a second (`watch`), and looks at each write whether that row still stands.
//! - A recovery makes two passes. A write that committed after the first one had begun was answered at once if it still saw
//!   the watched row, and the second pass delivers it.

mod age;
mod drain;
mod feed;
mod gathering;
mod rows;
mod triggers;
mod watch;

pub use age::FeedAge;
pub use feed::{DatabaseFeed, own_database};
pub use triggers::{TriggerFaults, check_triggers};
