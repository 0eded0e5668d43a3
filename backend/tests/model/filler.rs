//! The reader of an instance in the model of an outage: it looks, claims, reads the database and stores.
//!
//! Come here when the steps of a fill change. Readers of the model of one key are in `reader`.

use crate::ids::{Id, Ids as _};
use crate::instance::Availability;
use crate::outage::Action;
use crate::outage_state::{State, Stored};

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
    pub generation: Id,
}

/// One step of a reader that finds the key vacant.
pub fn fill(state: &mut State, action: Action) -> Option<()> {
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
