//! Writes in the model of an outage: their deletions are delivered, kept as pending, or replaced by a new generation.
//!
//! Come here when `breaker/deletions.rs` or `breaker/distrust.rs` changes. The commit of a write is in `outage`.

use crate::ids::Ids as _;
use crate::instance::Availability;
use crate::outage::{Action, Lack, Outage};
use crate::outage_state::State;

/// The progress of a write.
#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq)]
pub enum Writer {
    Idle,
    Committed(u8),
    /// A new generation is set; the write waits for this instance to confirm it.
    Distrusted(u8, usize),
    Acknowledged,
}

impl Outage {
    /// One step of a write on an instance; `None` where it is impossible.
    pub fn write(self, state: &mut State, action: Action) -> Option<()> {
        let (Action::Delete(number, writer)
        | Action::Keep(number, writer)
        | Action::Distrust(number, writer)) = action
        else {
            return None;
        };
        let Writer::Committed(value) = state.writers[writer] else {
            return None;
        };
        let works = state.works(number);
        let instance = &mut state.instances[number];
        let is_unavailable = instance.availability == Availability::Unavailable;
        match action {
            // A lost connection costs the first attempt, and the second succeeds.
            Action::Delete(..) if state.reachable && !is_unavailable && !self.distrusts => {
                state.held.key = None;
                if instance.broken {
                    instance.broken = false;
                    instance.fail();
                }
            }
            Action::Keep(..) if instance.joined && (is_unavailable || !works) => {
                instance.broken &= !state.reachable;
                if self.lacks(Lack::Undelivered) {
                    instance.fail();
                } else {
                    instance.has_pending_deletions = true;
                    instance.open_breaker();
                }
            }
            Action::Distrust(..) if self.distrusts && works => {
                let generation = state.fresh();
                state.held.generation = generation;
                state.instances[number].generation = generation;
                if !self.lacks(Lack::WaitAfterDistrust) {
                    state.writers[writer] = Writer::Distrusted(value, 1 - number);
                    return Some(());
                }
            }
            _ => return None,
        }
        state.acknowledged = state.acknowledged.max(value);
        state.writers[writer] = Writer::Acknowledged;
        Some(())
    }
}
