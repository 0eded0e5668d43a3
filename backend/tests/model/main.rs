//! The cache's protocol, explored in every order that its steps can come in.
//!
//! Tests with real servers see few orders of events; these models contain all of them, for a few readers
//! and writers. They are small copies of the protocol: change them together with it. The larger ones run
//! where `SOAK` is set.
//!
//! Come here to see what is modelled, and by which step. Run them with `./scripts/test model`.
//!
//! # One key: without groups, in groups, or of one caller (`lookup`, `reader`)
//!
//! Readers make one request after another without end. Each writer writes once. Steps:
//!
//! | step | in the code |
//! |---|---|
//! | `LookAtKey`, `LookAtRecord` | the parts of `look`, in any order, and the decision of `decide` or `wait_for_other_instance` |
//! | `BeginRecord`, `ReadRecord` | `begin_record`: set the generation if absent, else read what another set |
//! | `Claim` | `claim`: register the single flight, compare-and-set the claim in place of the value that was seen |
//! | `JoinOrWait` | `find` and `join` of the single flight of a claim that was seen, else `wait_for_other_instance` |
//! | `Read` | the handler reads the database, and `answer` gives it to the single flight |
//! | `Fill` | `store`: compare-and-set the entry in place of exactly the claim (or the entry that is refreshed) |
//! | `GiveUp` | `give_up`, `release` |
//! | `Refresh`, `Cover` | `refresh` or `join_refresh`; `cover` with `still_holds` |
//! | `RunAlone` | the end of a wait: the handler runs and nothing is stored |
//! | `Crash` | the end of the reader's process; its claim stays |
//! | `Commit`, `Delete` | a write's transaction; `invalidate` and then, in the same step, the acknowledgement |
//! | `ChangeRights` | another version of the caller's rights in the database, for requests that begin later |
//! | `KeyVanishes`, `RecordVanishes` | expiry, eviction, a pattern, `redis-cli DEL`: at any moment, any number of times |
//!
//! # An outage (`outage`, `instance`)
//!
//! Two instances, each with a breaker, a supervisor and one reader that fills; a backend that fails
//! once; one process that ends. The answer for a request that begins now is a property of the state, so
//! the model has no readers for it. Steps:
//!
//! | step | in the code |
//! |---|---|
//! | `FailOperation`, `OpenBreaker` | the effect of `observe` after the first failures, and after the third |
//! | `Delete`, `Keep` | `invalidate`, delivered or kept as pending, and the acknowledgement |
//! | `Distrust` | `distrust_everything`, which waits until the other instance has confirmed or its lease has ended |
//! | `Recover` | `recover`, until deletions are sent again |
//! | `SetGeneration`, `Deliver`, `FailRecovery` | the rest of `recover` |
//! | `Join`, `Confirm`, `RemoveInstance` | visits of the namespace record: the first one of a process, one in each of the three states, and one that removes a killed instance |
//! | `LeaseEnds` | the instance confirmed nothing for the time of the lease |
//! | `Kill`, `Leave` | a process is killed, or leaves; the next one starts |
//! | `Look`, `Claim`, `Read`, `Fill` | as above; the fill is not limited to a ready instance, since its command may have been on the way for long |
//!
//! Time is not modelled. Instead of the grace of a roll call, the model removes only killed instances from the
//! record; `breaker/intervals.rs` says why no other instance is overdue while the backend can be reached. An
//! instance that never saw the outage may serve a value that another instance could not delete, until that
//! instance is back: the contract allows it (C35).
//!
//! # Different lists of servers (`lists`, `lists_state`)
//!
//! Two instances, each with a list of its own, and one key that they look for on different servers. Steps:
//!
//! | step | in the code |
//! |---|---|
//! | `Join`, `Visit`, `VisitOwn` | `visit_once` with `examine` and `next`: the first one of a process, and later ones |
//! | `Start` | the end of the wait in `Servers::start` |
//! | `Agree`, `Deliver` | `is_agreed` in `follow`; `recover` |
//! | `LeasesEnd`, `Leave`, `Kill`, `Remove` | as `LeaseEnds`, `Leave`, `Kill` and `RemoveInstance` above |
//! | `Claim`, `Read`, `Fill`, `Commit`, `Delete` | as above |
//!
//! # The database feed (`feed`, `feed_steps`)
//!
//! Two instances, writes that record a row each, and one write past the service. A process may be killed, also between its
//! commit and its deletion, and an instance alone may be cut off from the cache. Steps:
//!
//! | step | in the code |
//! |---|---|
//! | `Begin`, `Commit` | a transaction: its trigger inserts the row |
//! | `BeginPass`, `Take`, `Deliver`, `CommitPass` | the parts of a pass, each in a step of its own |
//! | `Join`, `Release`, `GiveUp` | a write waits for the pass of its instance, or until its row is gone, or no longer |
//! | `Watch` | an instance without a write has seen that no row is removed |
//! | `CutOff`, `Notice`, `Mend`, `Trust` | one instance loses the cache, notices it, and recovers |
//! | `Kill` | the process is killed, and its transactions are rolled back |
//! | `Fill` | a read stores the entry, in one step |
//!
//! # Not modelled
//!
//! - without the feed, a writer whose process ends between its commit and its deletion, and a handler that takes longer
//!   than a claim stands (the contract excludes both);
//! - without the feed, an instance that alone is cut off; and a second outage before all instances have recovered from the
//!   first;
//! - several connections of an instance, of which only some are lost;
//! - patterns, the near cache, and values that services store through the provider;
//! - a record that the server loses, and writes of a process that has not joined yet;
//! - groups, or the distrust of everything, together with outages;
//! - CAS numbers that come back after a restart of Memcached.

mod feed;
mod feed_properties;
mod feed_steps;
mod filler;
mod ids;
mod instance;
mod lists;
mod lists_properties;
mod lists_state;
mod lookup;
mod lookup_properties;
mod outage;
mod outage_properties;
mod outage_state;
mod reader;
mod reader_steps;
mod stored;
mod variants;
mod writer;

use std::env;
use std::fmt::Debug;
use std::hash::Hash;

use stateright::{Checker, HasDiscoveries, Model};

/// Whether the larger models run too.
fn soaks() -> bool {
    env::var_os("SOAK").is_some()
}

/// Explores the whole model: forbidden states never occur, and required states do.
fn holds<M>(model: M)
where
    M: Model + Debug + Send + Sync + 'static,
    M::State: Clone + Debug + Hash + PartialEq + Send + Sync,
    M::Action: Clone + Debug + PartialEq + Send + Sync,
{
    let shown = format!("{model:?}");
    let checker = model.checker().spawn_bfs().join();
    println!("{} states: {shown}", checker.unique_state_count());
    checker.assert_properties();
}

/// Finds a state that violates the property: without a step of the protocol the model must fail.
fn fails<M>(model: M, property: &'static str)
where
    M: Model + Debug + Send + Sync + 'static,
    M::State: Clone + Debug + Hash + PartialEq + Send + Sync,
    M::Action: Clone + Debug + PartialEq + Send + Sync,
{
    let shown = format!("{model:?}");
    let found = HasDiscoveries::AnyOf([property].into());
    let checker = model.checker().finish_when(found).spawn_bfs().join();
    let path = checker.assert_any_discovery(property);
    println!("{property}: {:?} by {shown}", path.into_actions());
}

/// The same for a violation after many steps: depth first finds one sooner, though not the shortest.
fn fails_late<M>(model: M, property: &'static str)
where
    M: Model + Debug + Send + Sync + 'static,
    M::State: Clone + Debug + Hash + PartialEq + Send + Sync,
    M::Action: Clone + Debug + PartialEq + Send + Sync,
{
    let shown = format!("{model:?}");
    let found = HasDiscoveries::AnyOf([property].into());
    let checker = model.checker().finish_when(found).spawn_dfs().join();
    let path = checker.assert_any_discovery(property);
    println!("{property}: {:?} by {shown}", path.into_actions());
}
