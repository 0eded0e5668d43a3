//! Sentinels: which server is the master, as this process may believe (C60).
//!
//! Come here when an instance uses another master than the others, or none. `watch` asks all Sentinels several times a
//! second and holds the current [`Term`]; `ask` is the conversation with one of them; `majority` counts their answers. No
//! command of the cache is sent from here, and no value is read.
//!
//! # The rule
//!
//! A *term* is the time in which a majority of the Sentinels of `CACHE_REDIS_SENTINELS` names one server with one number of the
//! failover (`config-epoch`). An instance uses a master
//!
//! 1. for at most [`LEASE`](watch::LEASE) after the beginning of the question that a majority answered with it, and
//! 2. not before [`SETTLE`](watch::SETTLE) has passed since it first read that answer.
//!
//! # Why no two instances use two masters
//!
//! Take an instance I that uses the old master by a question that began at *i*, and an instance J that read the new master
//! from a majority at *j*. Two majorities share a Sentinel. It named the old master to I and the new one to J, and a Sentinel
//! never returns to an earlier failover, so it answered I first: *i ≤ j*. I uses the old master until *i + LEASE* at most, J
//! uses the new one from *j + SETTLE* on, and `SETTLE > LEASE`. So when J deletes on the new master, nobody reads from the old
//! one. A process that starts waits for `SETTLE` too, since it does not know when the last failover was. Time is monotonic
//! time of each process, so frozen processes and changed clocks do not matter.
//!
//! What the new master holds is another question: it may lack the last deletions. Each term is another server for the record of
//! the namespace (see `identity`), so a new generation and a roll call precede the first hit, as after a restart with an old
//! snapshot.
//!
//! # No promise
//!
//! All instances have the same list of Sentinels, or lists whose majorities share one: change it by one Sentinel at a time. A
//! Sentinel that loses its configuration file may return to an earlier failover.

mod ask;
mod majority;
mod term;
mod watch;

pub(super) use term::Term;
pub(super) use watch::{LEASE, SETTLE, Watch};
