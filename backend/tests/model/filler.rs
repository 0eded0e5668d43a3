//! The reader of an instance in the model of an outage: it looks, claims, reads the database and stores.
//!
//! Come here when the steps of a fill change. Readers of the model of one key are in `reader`.

use crate::ids::{Id, Ids as _};
use crate::instance::Availability;
use crate::outage::Action;
use crate::outage_state::{State, Stored};

/// The progress of the reader.
#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq)]
pub enum Filler {
    Idle,
    Claiming(FillPermit),
    Running(FillPermit),
    Filling(FillPermit, u8),
}

/// The right to fill: the id that must still stand under the key, and the generation from before the look-up.
#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq)]
pub struct FillPermit {
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
            Filler::Claiming(FillPermit {
                expected: found.map(|stored| stored.id),
                generation: instance.generation,
            })
        }
        (Action::Claim(_), Filler::Claiming(permit)) if works => {
            if found.map(|stored| stored.id) == permit.expected {
                let id = state.fresh();
                state.held.key = Some(Stored {
                    id,
                    generation: permit.generation,
                    value: None,
                });
                Filler::Running(FillPermit {
                    expected: Some(id),
                    ..permit
                })
            } else {
                Filler::Idle
            }
        }
        (Action::Read(_), Filler::Running(permit)) => Filler::Filling(permit, state.database),
        // Also while the instance is not ready: the command may have been on the way for long.
        (Action::Fill(_), Filler::Filling(permit, value)) if state.reachable => {
            if found.map(|stored| stored.id) == permit.expected {
                state.held.key = Some(Stored {
                    id: state.fresh(),
                    generation: permit.generation,
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
