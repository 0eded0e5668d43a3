//! One instance in the model of an outage: its guard, its supervisor and one reader.

use crate::ids::{Id, Ids as _};
use crate::outage::{Action, Lack, Outage, State, Stored};

/// A process.
#[expect(
    clippy::struct_excessive_bools,
    reason = "a state has many facets, most of which are yes or no"
)]
#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq)]
pub struct Instance {
    pub availability: Availability,
    /// The generation that it trusts.
    pub generation: Id,
    /// Whether its connections are lost, which its next operation finds out.
    pub broken: bool,
    /// Whether it has met the outage: an operation of it failed.
    pub met: bool,
    /// Whether it has a deletion to deliver, or something that only a new generation makes up for.
    pub owes: bool,
    recovery: Recovery,
    /// Whether the other instance was ill when this one's quarantine began, and has not probed since.
    awaits: bool,
    /// A reader that fills.
    pub filler: Filler,
}

/// As in `guard.rs`.
#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq)]
pub enum Availability {
    Away,
    Recovering,
    Doubtful,
    Ready,
}

/// How far `recover` is, which keeps the supervisor from anything else.
#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq)]
enum Recovery {
    Idle,
    /// Holds what is owed, if anything is.
    Delivering {
        owed: bool,
    },
    /// Has delivered it, and keeps it until the new generation is set.
    Delivered {
        owed: bool,
    },
}

/// How far the reader is.
#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq)]
pub enum Filler {
    Idle,
    Claiming(Lead),
    Running(Lead),
    Filling(Lead, u8),
}

/// What must still be there, and the generation of before the look-up.
#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq)]
pub struct Lead {
    pub expected: Option<Id>,
    generation: Id,
}

impl Instance {
    pub fn ready(generation: Id) -> Self {
        Self {
            availability: Availability::Ready,
            generation,
            broken: false,
            met: false,
            owes: false,
            recovery: Recovery::Idle,
            awaits: false,
            filler: Filler::Idle,
        }
    }

    /// What `observe` makes of an error.
    pub fn fail(&mut self) {
        self.met = true;
        if matches!(
            self.availability,
            Availability::Ready | Availability::Recovering
        ) {
            self.availability = Availability::Doubtful;
        }
    }

    /// Whether it may yet keep a deletion, or owe one.
    fn is_ill(&self) -> bool {
        self.broken || self.availability == Availability::Away || self.recovery != Recovery::Idle
    }

    pub fn open_breaker(&mut self) {
        self.met = true;
        self.availability = Availability::Away;
    }

    pub fn each_id(&mut self, visit: &mut impl FnMut(&mut Id)) {
        visit(&mut self.generation);
        if let Filler::Claiming(lead) | Filler::Running(lead) | Filler::Filling(lead, _) =
            &mut self.filler
        {
            visit(&mut lead.generation);
            lead.expected.as_mut().map(visit);
        }
    }
}

impl Outage {
    /// One step of an instance; `None` where it cannot be taken.
    pub fn step(self, state: &mut State, action: Action) -> Option<()> {
        match action {
            Action::FailOperation(number) => {
                if state.works(number) {
                    return None;
                }
                let instance = &mut state.instances[number];
                instance.fail();
                // While nobody answers, new connections are no better.
                instance.broken &= !state.reachable;
            }
            Action::OpenBreaker(number) => {
                if state.reachable {
                    return None;
                }
                state.instances[number].open_breaker();
            }
            Action::Confirm(number) => self.confirm(state, number)?,
            Action::Recover(number) => self.recover(state, number)?,
            Action::Deliver(number) | Action::SetGeneration(number) if state.works(number) => {
                self.settle(state, number, action)?;
            }
            Action::FailRecovery(number) if !state.works(number) => {
                let instance = &mut state.instances[number];
                let (Recovery::Delivering { owed } | Recovery::Delivered { owed }) =
                    instance.recovery
                else {
                    return None;
                };
                instance.recovery = Recovery::Idle;
                instance.owes |= owed;
                instance.open_breaker();
            }
            _ => fill(state, action)?,
        }
        Some(())
    }

    fn confirm(self, state: &mut State, number: usize) -> Option<()> {
        let same = self.lacks(Lack::Identity) || state.held.identity == state.identity;
        let instance = state.instances[number];
        let next = match instance.availability {
            Availability::Away => return None,
            Availability::Recovering if instance.awaits => return None,
            Availability::Doubtful if !self.lacks(Lack::QuarantineAfterDoubt) => {
                Availability::Recovering
            }
            _ => Availability::Ready,
        };
        if !state.works(number) || instance.recovery != Recovery::Idle {
            return None;
        }
        if !same {
            state.instances[number].open_breaker();
            return Some(());
        }
        state.instances[number].generation = state.held.generation;
        state.instances[number].availability = next;
        state.acknowledge_distrust(number);
        if next == Availability::Recovering {
            self.begin_quarantine(state, number);
        }
        Some(())
    }

    /// The first half of `recover`, up to where the lock is given back.
    fn recover(self, state: &mut State, number: usize) -> Option<()> {
        let works = state.works(number);
        let instance = &mut state.instances[number];
        let away = instance.availability == Availability::Away;
        if !works || !away || instance.recovery != Recovery::Idle {
            return None;
        }
        instance.recovery = Recovery::Delivering {
            owed: instance.owes,
        };
        instance.owes = false;
        if !self.lacks(Lack::DeletionsWhileDelivering) {
            instance.availability = Availability::Recovering;
        }
        Some(())
    }

    fn settle(self, state: &mut State, number: usize, action: Action) -> Option<()> {
        match (action, state.instances[number].recovery) {
            (Action::Deliver(_), Recovery::Delivering { owed }) => {
                if owed && !self.overflows {
                    state.held.key = None;
                }
                state.instances[number].recovery = Recovery::Delivered { owed };
            }
            (Action::SetGeneration(_), Recovery::Delivered { .. }) => {
                if !self.lacks(Lack::NewGeneration) {
                    state.held.generation = state.fresh();
                }
                state.held.identity = state.identity;
                let generation = state.held.generation;
                let instance = &mut state.instances[number];
                instance.generation = generation;
                instance.recovery = Recovery::Idle;
                if self.lacks(Lack::DeletionsWhileDelivering) && !instance.owes {
                    instance.availability = Availability::Recovering;
                }
                if instance.availability == Availability::Recovering {
                    self.begin_quarantine(state, number);
                }
                // It has probed, which is what a quarantine gives it the time for.
                state.instances[1 - number].awaits = false;
            }
            _ => return None,
        }
        Some(())
    }

    /// Time is not modelled; what it is for is: a quarantine lasts until the other instance, if it is
    /// ill, has noticed and has probed once.
    fn begin_quarantine(self, state: &mut State, number: usize) {
        state.instances[number].awaits =
            state.instances[1 - number].is_ill() && !self.lacks(Lack::Quarantine);
    }
}

/// One step of a reader that finds the key vacant.
fn fill(state: &mut State, action: Action) -> Option<()> {
    let (Action::Look(number)
    | Action::Claim(number)
    | Action::Read(number)
    | Action::Fill(number)
    | Action::Crash(number)) = action
    else {
        return None;
    };
    let works = state.works(number);
    let instance = state.instances[number];
    let found = state.held.key;
    let filler = match (action, instance.filler) {
        (Action::Look(_), Filler::Idle)
            if works
                && instance.availability == Availability::Ready
                && found.is_none_or(|stored| stored.generation != instance.generation) =>
        {
            Filler::Claiming(Lead {
                expected: found.map(|stored| stored.id),
                generation: instance.generation,
            })
        }
        (Action::Claim(_), Filler::Claiming(lead)) if works => {
            if found.map(|stored| stored.id) == lead.expected {
                let id = state.fresh();
                state.held.key = Some(Stored {
                    id,
                    generation: lead.generation,
                    value: None,
                });
                Filler::Running(Lead {
                    expected: Some(id),
                    ..lead
                })
            } else {
                Filler::Idle
            }
        }
        (Action::Read(_), Filler::Running(lead)) => Filler::Filling(lead, state.database),
        // Not only while the instance is ready: the command may have been under way for long.
        (Action::Fill(_), Filler::Filling(lead, value)) if state.reachable => {
            if found.map(|stored| stored.id) == lead.expected {
                state.held.key = Some(Stored {
                    id: state.fresh(),
                    generation: lead.generation,
                    value: Some(value),
                });
            }
            Filler::Idle
        }
        (Action::Crash(_), Filler::Claiming(_) | Filler::Running(_) | Filler::Filling(..)) => {
            Filler::Idle
        }
        _ => return None,
    };
    state.instances[number].filler = filler;
    Some(())
}
