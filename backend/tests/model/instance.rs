//! One instance in the model of an outage: its guard, its supervisor and one reader.

use crate::ids::{Id, Ids as _};
use crate::outage::{Action, Lack, Outage, Promised, State, Stored};

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
    /// Whether it has met the outage, by the promise that is checked.
    pub met: bool,
    /// Whether it has a deletion to deliver, or something that only a new generation makes up for.
    pub owes: bool,
    recovery: Recovery,
    /// Whether the other instance has still to probe before this one's quarantine is over.
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

/// How far `recover` is.
#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq)]
enum Recovery {
    Idle,
    Delivered,
    Set(Id),
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

    pub fn open_breaker(&mut self) {
        self.met = true;
        self.availability = Availability::Away;
    }

    pub fn each_id(&mut self, visit: &mut impl FnMut(&mut Id)) {
        visit(&mut self.generation);
        if let Recovery::Set(generation) = &mut self.recovery {
            visit(generation);
        }
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
            Action::LoseConnection(number) => {
                let reachable = state.reachable;
                let instance = &mut state.instances[number];
                if !instance.broken {
                    return None;
                }
                self.lose_connection(instance);
                // While nobody answers, new connections are no better.
                instance.broken = !reachable;
            }
            Action::OpenBreaker(number) => {
                if state.reachable {
                    return None;
                }
                state.instances[number].open_breaker();
            }
            Action::Confirm(number) => self.confirm(state, number)?,
            Action::Deliver(_)
            | Action::SetGeneration(_)
            | Action::Settle(_)
            | Action::FailRecovery(_) => self.recover(state, action)?,
            _ => fill(state, action)?,
        }
        Some(())
    }

    /// What `observe` makes of an error.
    pub fn lose_connection(self, instance: &mut Instance) {
        instance.broken = false;
        instance.met |= self.promised == Promised::WhoLostAConnection;
        if instance.availability == Availability::Ready {
            if self.lacks(Lack::LostConnectionsAreNoOutage) {
                instance.availability = Availability::Doubtful;
            } else {
                instance.open_breaker();
            }
        }
    }

    fn confirm(self, state: &mut State, number: usize) -> Option<()> {
        let works = state.works(number);
        let same = self.lacks(Lack::Identity) || state.held.identity == state.identity;
        let instance = &mut state.instances[number];
        let over = match instance.availability {
            Availability::Away => false,
            Availability::Recovering => !instance.awaits,
            Availability::Doubtful | Availability::Ready => true,
        };
        if !works || !over {
            return None;
        }
        if same {
            instance.generation = state.held.generation;
            instance.availability = Availability::Ready;
            state.instances[1 - number].awaits = false;
        } else {
            instance.open_breaker();
        }
        Some(())
    }

    fn recover(self, state: &mut State, action: Action) -> Option<()> {
        let (Action::Deliver(number)
        | Action::SetGeneration(number)
        | Action::Settle(number)
        | Action::FailRecovery(number)) = action
        else {
            return None;
        };
        let works = state.works(number);
        let instance = state.instances[number];
        if instance.availability != Availability::Away {
            return None;
        }
        let recovery = match (action, instance.recovery) {
            (Action::Deliver(_), Recovery::Idle) if works => {
                if instance.owes && !self.overflows && !self.lacks(Lack::Deletion) {
                    state.held.key = None;
                }
                state.instances[number].owes = false;
                Recovery::Delivered
            }
            (Action::SetGeneration(_), Recovery::Delivered) if works => {
                if !self.lacks(Lack::NewGeneration) {
                    state.held.generation = state.fresh();
                }
                state.held.identity = state.identity;
                Recovery::Set(state.held.generation)
            }
            (Action::Settle(_), Recovery::Set(generation)) => {
                self.settle(state, number, generation);
                Recovery::Idle
            }
            (Action::FailRecovery(_), Recovery::Delivered) if !works => Recovery::Idle,
            _ => return None,
        };
        state.instances[number].recovery = recovery;
        Some(())
    }

    /// The end of `recover`. Time is not modelled; what it is for is: a quarantine lasts until the
    /// other instance, if it is not well, has noticed and has probed once.
    fn settle(self, state: &mut State, number: usize, generation: Id) {
        let other = &state.instances[1 - number];
        let other_is_ill = other.broken
            || matches!(
                other.availability,
                Availability::Away | Availability::Doubtful
            );
        let instance = &mut state.instances[number];
        let settled = !instance.owes;
        if settled {
            instance.generation = generation;
            instance.availability = Availability::Recovering;
            instance.awaits = other_is_ill && !self.lacks(Lack::Quarantine);
        }
        if settled || self.lacks(Lack::LateDeletionsWait) {
            state.instances[1 - number].awaits = false;
        }
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
