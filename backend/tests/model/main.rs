//! The cache's protocol, explored in every order that its steps can come in.
//!
//! Tests with real servers meet a few orders of events; these models meet all of them, for a few
//! readers and writers. They are small copies of the protocol, to be changed together with it.
//! The larger ones run where `SOAK` is set.
//!
//! # One key, alone, in groups, or one caller's (`lookup`, `reader`)
//!
//! Readers make one request after another without end, writers write once each. Steps:
//!
//! | step | in the code |
//! |---|---|
//! | `LookAtKey`, `LookAtRecord` | the parts of `look`, in any order, and what `decide` or `wait_for_other_instance` makes of them |
//! | `BeginRecord`, `ReadRecord` | `begin_record`: set the generation if absent, else read what another set |
//! | `Claim` | `claim`: register the flight, compare-and-set the claim in place of what was seen |
//! | `JoinOrWait` | `find` and `join` of the flight of a claim that was seen, else `wait_for_other_instance` |
//! | `Read` | the handler reads the database, and `land` |
//! | `Fill` | `store`: compare-and-set the entry in place of exactly the claim (or the entry that is refreshed) |
//! | `GiveUp` | `give_up`, `release` |
//! | `Refresh`, `Cover` | `refresh` or `join_refresh`; `cover` with `still_holds` |
//! | `RunAlone` | a wait that is over: the handler runs and nothing is stored |
//! | `Crash` | the reader dies; its claim stays |
//! | `Commit`, `Delete` | a write's transaction; `invalidate` and then, in the same step, the acknowledgement |
//! | `ChangeRights` | another version of the caller's rights in the database; requests that begin later are authenticated with it |
//! | `KeyVanishes`, `RecordVanishes` | expiry, eviction, a pattern, `redis-cli DEL`: at any moment, any number of times |
//!
//! # An outage (`outage`, `instance`)
//!
//! Two instances, each with a breaker, a supervisor and one reader that fills; a backend that fails
//! once; one process that ends. What a reader that begins now would be given is a property of the state, so
//! no reader does that. Steps:
//!
//! | step | in the code |
//! |---|---|
//! | `FailOperation`, `OpenBreaker` | what `observe` makes of the first failures, and of the third |
//! | `Delete`, `Keep` | `invalidate` where it is delivered, or kept, and the acknowledgement |
//! | `Distrust` | `distrust_everything`, whose wait is over when the other instance has confirmed or its lease has ended |
//! | `Recover` | `recover` up to where deletions are sent again |
//! | `SetGeneration`, `Deliver`, `FailRecovery` | the rest of `recover` |
//! | `Join`, `Confirm`, `StrikeOff` | visits of the record: the first one of a process, from each of the three states, and without the dead |
//! | `LeaseEnds` | nothing was confirmed for the time of the lease |
//! | `Die`, `Leave` | a process is killed, or leaves; the next one starts |
//! | `Look`, `Claim`, `Read`, `Fill` | as above; the fill does not ask whether the instance is ready, since it may have been long on its way |
//!
//! Time is not modelled. What the code takes it for is: an instance that does not answer a roll call within its
//! grace is struck off, which here only happens to a dead one (`breaker/intervals.rs` says why that is so while
//! the backend can be reached). An instance that never met the outage may serve what another could not delete
//! until that one is back, as the contract says.
//!
//! # Not modelled
//!
//! A writer that dies between its commit and its deletion, and handlers that take longer than a claim
//! lives (nothing is promised); an instance that alone is cut off, and a second outage before all have
//! recovered from the first; several connections of an instance, of which some are lost and some are
//! not; patterns; a record that the server loses; writes of a process that has not joined yet; groups, or distrust of everything, together with outages; CAS numbers that come back after a restart of
//! Memcached; the near cache; values stored by hand through the provider.

mod filler;
mod ids;
mod instance;
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

/// Finds what may never be: the model can fail.
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
