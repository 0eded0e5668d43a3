//! One instance in the model of an outage: its breaker and its supervisor.
//!
//! Come here when `breaker/supervisor.rs` or `breaker/recovery.rs` changes. The backend is in
//! `outage`, the reader of the instance in `filler`.

use crate::filler::{Filler, fill};
use crate::ids::{Id, Ids as _};
use crate::outage::{Action, End, Lack, Outage};
use crate::outage_state::State;

/// A process.
#[expect(
    clippy::struct_excessive_bools,
    reason = "most parts of the state are yes or no"
)]
#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq)]
pub struct Instance {
    pub availability: Availability,
    /// The generation that it trusts.
    pub generation: Id,
    /// Whether its connections are lost. Its next operation fails then.
    pub broken: bool,
    /// Whether it has seen the outage: an operation of it failed, or it started afterwards.
    pub met: bool,
    /// Whether it has put its process on the list of the record.
    pub joined: bool,
    /// Whether the lease of its generation lasts.
    pub leased: bool,
    /// Whether it has a deletion to deliver, or one that only a new generation makes up for.
    pub has_pending_deletions: bool,
    pub recovery: Recovery,
    /// Whether this instance waits for the other instance's answer to its roll call.
    pub awaits_other: bool,
    /// Whether it waits for the answer of a killed instance.
    pub awaits_dead: bool,
    /// A reader that fills.
    pub filler: Filler,
}

/// As in `health.rs`.
#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq)]
pub enum Availability {
    Unavailable,
    Recovering,
    Doubtful,
    Ready,
}

/// The progress of `recover`. The supervisor does nothing else meanwhile.
#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq)]
pub enum Recovery {
    Idle,
    /// Holds the pending deletions, if there are any.
    Taken {
        pending: bool,
    },
    /// Has set the new generation, and holds the pending deletions until their delivery.
    Begun {
        pending: bool,
    },
}

impl Instance {
    pub fn ready(generation: Id) -> Self {
        Self {
            availability: Availability::Ready,
            generation,
            broken: false,
            met: false,
            joined: true,
            leased: true,
            has_pending_deletions: false,
            recovery: Recovery::Idle,
            awaits_other: false,
            awaits_dead: false,
            filler: Filler::Idle,
        }
    }

    /// The effect of an error on the availability, as in `observe`.
    pub fn fail(&mut self) {
        self.met = true;
        if matches!(
            self.availability,
            Availability::Ready | Availability::Recovering
        ) {
            self.availability = Availability::Doubtful;
        }
    }

    /// A process that has just started.
    fn started(generation: Id, met: bool) -> Self {
        Self {
            availability: Availability::Unavailable,
            met,
            joined: false,
            leased: false,
            ..Self::ready(generation)
        }
    }

    pub fn open_breaker(&mut self) {
        self.met = true;
        self.availability = Availability::Unavailable;
    }

    pub fn each_id(&mut self, visit: &mut impl FnMut(&mut Id)) {
        visit(&mut self.generation);
        if let Filler::Claiming(permit) | Filler::Running(permit) | Filler::Filling(permit, _) =
            &mut self.filler
        {
            visit(&mut permit.generation);
            permit.expected.as_mut().map(visit);
        }
    }
}

impl Outage {
    /// One step of an instance; `None` where it is impossible.
    pub fn step(self, state: &mut State, action: Action) -> Option<()> {
        match action {
            Action::FailOperation(number) => {
                if state.works(number) {
                    return None;
                }
                let instance = &mut state.instances[number];
                instance.fail();
                // While the server is unreachable, new connections fail too.
                instance.broken &= !state.reachable;
            }
            Action::OpenBreaker(number) => {
                if state.reachable {
                    return None;
                }
                state.instances[number].open_breaker();
            }
            Action::Join(number) => self.join(state, number)?,
            Action::Confirm(number) => self.confirm(state, number)?,
            Action::RemoveInstance(number) => self.remove_instance(state, number)?,
            Action::LeaseEnds(number) => {
                let instance = &mut state.instances[number];
                if !instance.leased {
                    return None;
                }
                instance.leased = self.lacks(Lack::Lease);
                // Other instances waited for the grace, which is longer than the lease.
                state.acknowledge_distrust(number);
            }
            Action::Recover(number) => self.recover(state, number)?,
            Action::Deliver(number) | Action::SetGeneration(number) if state.works(number) => {
                self.settle(state, number, action)?;
            }
            Action::FailRecovery(number) if !state.works(number) => {
                let instance = &mut state.instances[number];
                let (Recovery::Taken { pending } | Recovery::Begun { pending }) = instance.recovery
                else {
                    return None;
                };
                instance.recovery = Recovery::Idle;
                instance.has_pending_deletions |= pending;
                instance.open_breaker();
            }
            _ => fill(state, action)?,
        }
        Some(())
    }

    /// The first visit of a process.
    fn join(self, state: &mut State, number: usize) -> Option<()> {
        if !state.works(number) || state.instances[number].joined {
            return None;
        }
        if state.held.identity != state.identity {
            state.held.generation = state.fresh();
            state.held.identity = state.identity;
        }
        state.instances[number].joined = true;
        state.instances[number].availability = Availability::Recovering;
        self.call_roll(state, number);
        if self.lacks(Lack::RollCallAtStart) {
            state.instances[number].awaits_other = false;
            state.instances[number].awaits_dead = false;
        }
        visit(state, number);
        Some(())
    }

    /// Begins a roll call, which every listed instance has to answer.
    fn call_roll(self, state: &mut State, number: usize) {
        let called = !self.lacks(Lack::RollCall);
        let instance = &mut state.instances[number];
        instance.awaits_other = called && state.held.listed[1 - number];
        instance.awaits_dead = called && state.held.dead;
    }

    fn confirm(self, state: &mut State, number: usize) -> Option<()> {
        let same = self.lacks(Lack::Identity) || state.held.identity == state.identity;
        let instance = state.instances[number];
        if !state.works(number)
            || instance.recovery != Recovery::Idle
            || instance.availability == Availability::Unavailable
        {
            return None;
        }
        if !same {
            state.instances[number].open_breaker();
            return Some(());
        }
        let waits = instance.awaits_other || instance.awaits_dead;
        let next = match instance.availability {
            Availability::Doubtful if self.lacks(Lack::RollCallAfterDoubt) => Availability::Ready,
            Availability::Doubtful => {
                self.call_roll(state, number);
                Availability::Recovering
            }
            Availability::Recovering if waits => Availability::Recovering,
            _ => Availability::Ready,
        };
        state.instances[number].availability = next;
        visit(state, number);
        Some(())
    }

    /// Removes a killed instance from the record. Time is not modelled: this happens at any time, and never to a
    /// running instance.
    fn remove_instance(self, state: &mut State, number: usize) -> Option<()> {
        let instance = state.instances[number];
        if !state.works(number)
            || instance.recovery != Recovery::Idle
            || instance.availability != Availability::Recovering
            || !instance.awaits_dead
            || state.held.identity != state.identity
        {
            return None;
        }
        if !self.lacks(Lack::NewGenerationForTheDead) {
            state.held.generation = state.fresh();
        }
        state.held.dead = false;
        for instance in &mut state.instances {
            instance.awaits_dead = false;
        }
        visit(state, number);
        Some(())
    }

    /// The first half of `recover`, until the lock is released.
    fn recover(self, state: &mut State, number: usize) -> Option<()> {
        let works = state.works(number);
        let instance = &mut state.instances[number];
        let is_unavailable = instance.availability == Availability::Unavailable && instance.joined;
        if !works || !is_unavailable || instance.recovery != Recovery::Idle {
            return None;
        }
        instance.recovery = Recovery::Taken {
            pending: instance.has_pending_deletions,
        };
        instance.has_pending_deletions = false;
        if !self.lacks(Lack::DeletionsWhileDelivering) {
            instance.availability = Availability::Recovering;
        }
        Some(())
    }

    fn settle(self, state: &mut State, number: usize, action: Action) -> Option<()> {
        match (action, state.instances[number].recovery) {
            (Action::SetGeneration(_), Recovery::Taken { pending }) => {
                if !self.lacks(Lack::NewGeneration) {
                    state.held.generation = state.fresh();
                }
                state.held.identity = state.identity;
                state.instances[number].recovery = Recovery::Begun { pending };
                self.call_roll(state, number);
                // After an outage the roll call lasts until instances that an old snapshot does not list have come
                // back.
                state.instances[number].awaits_other |=
                    state.instances[1 - number].joined && !self.lacks(Lack::RollCall);
                visit(state, number);
            }
            (Action::Deliver(_), Recovery::Begun { pending }) => {
                if pending && !self.overflows {
                    state.held.key = None;
                }
                let instance = &mut state.instances[number];
                instance.recovery = Recovery::Idle;
                if self.lacks(Lack::DeletionsWhileDelivering) && !instance.has_pending_deletions {
                    instance.availability = Availability::Recovering;
                }
            }
            _ => return None,
        }
        Some(())
    }

    /// The end of a process, and the start of the next one in its place.
    pub fn end(self, state: &mut State, action: Action) -> Option<()> {
        let (Action::Kill(number) | Action::Leave(number)) = action else {
            return None;
        };
        let instance = state.instances[number];
        if state.ended || !instance.joined {
            return None;
        }
        state.ended = true;
        match action {
            Action::Leave(_) if self.ends == Some(End::Leaves) => {
                let idle = instance.recovery == Recovery::Idle && instance.filler == Filler::Idle;
                if !idle || instance.has_pending_deletions || !state.works(number) {
                    return None;
                }
                state.held.listed[number] = false;
                state.instances[1 - number].awaits_other = false;
            }
            Action::Kill(_) if self.ends == Some(End::Killed) => {
                state.held.dead |= state.held.listed[number];
                state.held.listed[number] = false;
                let other = &mut state.instances[1 - number];
                other.awaits_dead |= other.awaits_other;
                other.awaits_other = false;
            }
            _ => return None,
        }
        state.instances[number] = Instance::started(state.held.generation, state.broke);
        Some(())
    }
}

/// The effect of every visit: it answers the other instance's roll call and takes over the generation.
fn visit(state: &mut State, number: usize) {
    state.held.listed[number] = true;
    state.instances[1 - number].awaits_other = false;
    state.instances[number].generation = state.held.generation;
    state.instances[number].leased = true;
    state.acknowledge_distrust(number);
}
