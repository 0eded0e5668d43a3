//! The model of an outage: two instances, deletions that fail, the namespace's record, recovery, roll calls,
//! leases, and the end of a process.
//!
//! Come here when the protocol of `breaker` changes. The state is in `outage_state`, the steps of a write are in `writer`,
//! those of one instance in `instance` and `filler`.

use stateright::{Model, Property};

use crate::ids::Ids as _;
use crate::instance::{Availability, Instance};
use crate::outage_state::{Held, State};
use crate::writer::Writer;

/// The checked configuration.
#[derive(Clone, Copy, Debug)]
pub struct Outage {
    /// The number of writes. Each happens on any instance.
    pub writers: usize,
    /// The fault of the backend, once.
    pub fault: Fault,
    /// Whether the pending deletions are too many to be kept, so that only the new generation replaces
    /// them.
    pub overflows: bool,
    /// Whether writes would have to delete too many keys, and so distrust the namespace instead.
    pub distrusts: bool,
    /// The end of one of the processes, once. Another process starts in its place.
    pub ends: Option<End>,
    /// The step that is removed from the protocol.
    pub lacks: Option<Lack>,
}

/// The end of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It is killed at any moment, with its pending deletions.
    Killed,
    /// It leaves the namespace, with no deletion pending.
    Leaves,
}

/// A fault of the backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// None.
    Healthy,
    /// The server does not answer for a while, on connections that stay open.
    Silent,
    /// All connections are lost, and for a while no new one succeeds.
    Cut,
    /// The server restarts with an older snapshot. All connections are lost.
    Restart,
}

/// A step that is removed from the protocol. Each variant says what happens instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lack {
    /// A single failure is no outage: *Doubtful* leads straight back to *Ready*.
    RollCallAfterDoubt,
    /// A recovered backend is trusted at once.
    RollCall,
    /// A process that starts trusts the backend at once.
    RollCallAtStart,
    /// An instance that does not answer is removed from the record, and the generation stays.
    NewGenerationForTheDead,
    /// A generation is trusted until another one is read.
    Lease,
    /// While pending deletions are delivered, new ones are kept too, until the next probe.
    DeletionsWhileDelivering,
    /// Recovery leaves the generation as it is.
    NewGeneration,
    /// A failed deletion is dropped, and the breaker stays closed.
    Undelivered,
    /// The server's identity is not compared.
    Identity,
    /// A write that distrusts the namespace is acknowledged before the other instance has confirmed the new generation.
    WaitAfterDistrust,
}

/// One atomic step; the first number is the instance's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// The backend writes a snapshot.
    Snapshot,
    /// The fault begins.
    Break,
    /// The fault ends.
    Mend,
    /// Expiry, eviction, a deletion by another program.
    KeyVanishes,
    /// An operation fails: `observe` says *Doubtful*.
    FailOperation(usize),
    /// The third failure in a row opens the breaker.
    OpenBreaker(usize),
    /// `join`.
    Join(usize),
    /// `confirm`, and `call_roll` where the instance is doubtful.
    Confirm(usize),
    /// `visit`, which removes a killed instance from the record.
    RemoveInstance(usize),
    /// The lease ends: the instance is frozen, or its visits fail.
    LeaseEnds(usize),
    /// The process is killed, and another one starts.
    Kill(usize),
    /// `leave`, and another process starts.
    Leave(usize),
    /// `recover`: the probe is answered, and from now on deletions are sent at once.
    Recover(usize),
    /// `recover`: the pending deletions were delivered.
    Deliver(usize),
    /// `recover`: a new generation is set.
    SetGeneration(usize),
    /// `recover` fails, and its deletions are pending again.
    FailRecovery(usize),
    /// `look`; the reader finds neither an answer nor a claim.
    Look(usize),
    /// `claim`.
    Claim(usize),
    /// The handler reads the database.
    Read(usize),
    /// `store`.
    Fill(usize),
    /// The reader ends without filling.
    Crash(usize),
    /// The transaction of a write.
    Commit(usize),
    /// `invalidate` succeeds on the instance, and the write with the second number is acknowledged.
    Delete(usize, usize),
    /// `invalidate` keeps the deletion as pending, and the write is acknowledged too.
    Keep(usize, usize),
    /// `distrust_everything`, until it waits.
    Distrust(usize, usize),
}

impl Outage {
    pub fn lacks(self, lack: Lack) -> bool {
        self.lacks == Some(lack)
    }

    fn fault(self, state: &mut State, action: Action) -> Option<()> {
        match action {
            Action::Snapshot
                if self.fault == Fault::Restart && !state.broke && state.snapshot.is_none() =>
            {
                state.snapshot = Some(state.held);
            }
            Action::Break if self.fault == Fault::Restart && !state.broke => {
                state.held = state.snapshot.take()?;
                state.identity = state.fresh();
                self.begin_fault(state, true);
            }
            Action::Break if self.fault != Fault::Healthy && !state.broke => {
                self.begin_fault(state, false);
            }
            Action::Mend if !state.reachable => state.reachable = true,
            Action::KeyVanishes if state.reachable => state.held.key = None,
            _ => return None,
        }
        Some(())
    }

    fn begin_fault(self, state: &mut State, reachable: bool) {
        state.broke = true;
        state.reachable = reachable;
        for instance in &mut state.instances {
            instance.broken = self.fault != Fault::Silent;
        }
    }
}

impl Model for Outage {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let mut state = State {
            database: 0,
            acknowledged: 0,
            reachable: true,
            held: Held {
                generation: 1,
                identity: 2,
                listed: [true; 2],
                dead: false,
                key: None,
            },
            identity: 2,
            snapshot: None,
            ended: false,
            broke: false,
            instances: [Instance::ready(1); 2],
            writers: [Writer::Idle; 3],
        };
        state.renumber();
        vec![state]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        actions.extend([
            Action::Snapshot,
            Action::Break,
            Action::Mend,
            Action::KeyVanishes,
        ]);
        for number in 0..state.instances.len() {
            actions.extend(
                [
                    Action::FailOperation,
                    Action::OpenBreaker,
                    Action::Join,
                    Action::Confirm,
                    Action::RemoveInstance,
                    Action::LeaseEnds,
                    Action::Kill,
                    Action::Leave,
                    Action::Recover,
                    Action::Deliver,
                    Action::SetGeneration,
                    Action::FailRecovery,
                    Action::Look,
                    Action::Claim,
                    Action::Read,
                    Action::Fill,
                    Action::Crash,
                ]
                .map(|action| action(number)),
            );
            for writer in 0..self.writers {
                actions.extend(
                    [Action::Delete, Action::Keep, Action::Distrust]
                        .map(|action| action(number, writer)),
                );
            }
        }
        actions.extend((0..self.writers).map(Action::Commit));
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut state = *last;
        match action {
            Action::Snapshot | Action::Break | Action::Mend | Action::KeyVanishes => {
                self.fault(&mut state, action)?;
            }
            Action::Commit(writer) => {
                if state.writers[writer] != Writer::Idle {
                    return None;
                }
                state.database += 1;
                state.writers[writer] = Writer::Committed(state.database);
            }
            Action::Delete(..) | Action::Keep(..) | Action::Distrust(..) => {
                self.write(&mut state, action)?;
            }
            Action::Kill(_) | Action::Leave(_) => self.end(&mut state, action)?,
            _ => self.step(&mut state, action)?,
        }
        state.renumber();
        (state != *last).then_some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let mut properties = vec![
            Property::always(
                "no instance that saw the outage gives an old answer",
                |_, state: &State| {
                    (0..2).all(|number| !state.instances[number].met || !state.serves_old(number))
                },
            ),
            Property::always(
                "no instance gives an old answer after all deletions are delivered",
                |_, state: &State| {
                    let settled = state.instances.iter().all(|instance| {
                        instance.availability == Availability::Ready
                            && !instance.has_pending_deletions
                            && instance.generation == state.held.generation
                    });
                    !settled || (0..2).all(|number| !state.serves_old(number))
                },
            ),
            Property::sometimes(
                "values of after a write are hits again",
                |_, state: &State| {
                    (0..2).all(|number| state.serves(number).is_some_and(|value| value > 0))
                },
            ),
        ];
        if self.fault == Fault::Healthy {
            properties.push(Property::always(
                "no instance gives an old answer without a fault",
                |_, state: &State| (0..2).all(|number| !state.serves_old(number)),
            ));
        } else {
            properties.push(Property::sometimes(
                "both instances are back after an outage",
                |_, state: &State| {
                    state.broke
                        && state.reachable
                        && state.acknowledged > 0
                        && state.instances.iter().all(|instance| {
                            instance.met && instance.availability == Availability::Ready
                        })
                },
            ));
        }
        properties
    }
}
