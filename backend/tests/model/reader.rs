//! The reader of the model of one key: how far a request is. Its steps are in `reader_steps`.

use crate::ids::Id;
use crate::stored::{Stamp, Stored, Value};

/// A request under way.
#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq)]
pub struct Reader {
    /// The newest write that was acknowledged when the request began.
    pub floor: u8,
    /// The caller's rights when the request was authenticated.
    pub rights: u8,
    /// How far it is.
    pub step: Step,
}

/// How far a request is.
#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq)]
pub enum Step {
    /// None is under way.
    Idle,
    /// Some parts of the answer are not there yet.
    Looking(Look),
    /// Saw a claim.
    Met(Id),
    /// Saw an entry that is an answer, and may be refreshed.
    Found(Lead),
    /// Saw no answer, and finds out the generations of the records.
    Stamping(Option<Id>, [Generation; 2]),
    /// Saw a vacant key, and has a stamp unless a record vanished.
    Claiming(Option<Id>, Option<Stamp>),
    /// The handler runs.
    Running(Lead),
    /// The handler has read the database.
    Filling(Lead, Value),
    /// Waits for a flight, with an old answer to fall back on where it refreshes.
    Joined(Id, Option<Value>),
    /// The refresh failed.
    Covering(Id, Value),
    /// The answer, which is no longer the handler's own affair.
    Answered(How, Value),
}

/// A look-up under way.
#[derive(Clone, Copy, Debug, Default, Hash, PartialEq, Eq)]
pub struct Look {
    /// The claim of another instance that is waited for.
    pub waits_for: Option<Id>,
    pub key: Half<Stored>,
    pub records: [Half<Id>; 2],
}

/// What a request that is about to claim knows of a record's generation.
#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq)]
pub enum Generation {
    /// There was no record.
    Missing,
    /// Another request was the one who set it.
    Raced,
    Known(Id),
    /// The record vanished again, or the key has none.
    None,
}

/// What a look-up knows of one key.
#[derive(Clone, Copy, Debug, Default, Hash, PartialEq, Eq)]
pub enum Half<T> {
    #[default]
    Unseen,
    Seen(Option<T>),
}

/// The right to fill.
#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq)]
pub struct Lead {
    /// The claim, or the entry that is refreshed; the flight's id too.
    pub id: Id,
    pub stamp: Option<Stamp>,
    /// The value of the entry that is refreshed.
    pub refreshed: Option<Value>,
}

/// Where an answer came from. Answers of a handler that the request ran itself are never old, so
/// they are shown only where their fill was refused.
#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq)]
pub enum How {
    Hit,
    Joined,
    Waited,
    Covered,
    Refused,
}

impl<T> Half<T> {
    pub fn or(self, other: Self) -> Self {
        match self {
            Self::Unseen => other,
            Self::Seen(_) => self,
        }
    }
}

impl Reader {
    pub const IDLE: Self = Self {
        floor: 0,
        rights: 0,
        step: Step::Idle,
    };
}

impl Step {
    pub fn each_id(&mut self, visit: &mut impl FnMut(&mut Id)) {
        match self {
            Self::Idle | Self::Answered(..) => {}
            Self::Looking(look) => {
                look.waits_for.as_mut().map(&mut *visit);
                if let Half::Seen(Some(stored)) = &mut look.key {
                    stored.each_id(visit);
                }
                for record in &mut look.records {
                    if let Half::Seen(Some(generation)) = record {
                        visit(generation);
                    }
                }
            }
            Self::Met(id) | Self::Joined(id, _) | Self::Covering(id, _) => {
                visit(id);
            }
            Self::Stamping(seen, generations) => {
                seen.as_mut().map(&mut *visit);
                for generation in generations {
                    if let Generation::Known(id) = generation {
                        visit(id);
                    }
                }
            }
            Self::Claiming(seen, stamp) => {
                seen.as_mut().map(&mut *visit);
                if let Some(stamp) = stamp {
                    stamp.each_id(visit);
                }
            }
            Self::Found(lead) | Self::Running(lead) | Self::Filling(lead, _) => {
                visit(&mut lead.id);
                if let Some(stamp) = &mut lead.stamp {
                    stamp.each_id(visit);
                }
            }
        }
    }
}
