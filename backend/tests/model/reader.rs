//! The reader of the model of one key: the progress of its request.
//!
//! Come here when a look-up gets another state. The steps from one state to the next are in `reader_steps`.

use crate::ids::Id;
use crate::stored::{Stamp, Stored, Value};

/// A request under way.
#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq)]
pub struct Reader {
    /// The newest write that was acknowledged when the request began.
    pub floor: u8,
    /// The caller's rights when the request was authenticated.
    pub rights: u8,
    /// The progress.
    pub step: Step,
}

/// The progress of a request.
#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq)]
pub enum Step {
    /// No request is under way.
    Idle,
    /// Some parts of the look-up have not been answered.
    Looking(Look),
    /// The look-up found a claim.
    Met(Id),
    /// The look-up found an entry that is an answer, and may be refreshed.
    Found(FillPermit),
    /// The look-up found no answer, and the generations of the records are read or begun.
    Stamping(Option<Id>, [Generation; 2]),
    /// The key is vacant. The stamp is known, unless a record vanished.
    Claiming(Option<Id>, Option<Stamp>),
    /// The handler runs.
    Running(FillPermit),
    /// The handler has read the database.
    Filling(FillPermit, Value),
    /// The request waits for a single flight. With a refresh it has an old answer in case that fails.
    Joined(Id, Option<Value>),
    /// The refresh failed.
    Covering(Id, Value),
    /// The request is answered.
    Answered(Source, Value),
}

/// A look-up under way.
#[derive(Clone, Copy, Debug, Default, Hash, PartialEq, Eq)]
pub struct Look {
    /// The claim of another instance for which the request waits.
    pub waits_for: Option<Id>,
    pub key: Half<Stored>,
    pub records: [Half<Id>; 2],
}

/// The knowledge about a record's generation before a claim.
#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq)]
pub enum Generation {
    /// There was no record.
    Missing,
    /// Another request set it first.
    Raced,
    Known(Id),
    /// The record vanished again, or the key has none.
    None,
}

/// The answer to one part of a look-up.
#[derive(Clone, Copy, Debug, Default, Hash, PartialEq, Eq)]
pub enum Half<T> {
    #[default]
    Unseen,
    Seen(Option<T>),
}

/// The right to fill.
#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq)]
pub struct FillPermit {
    /// The id of the claim or of the entry that is refreshed, and of the single flight.
    pub id: Id,
    pub stamp: Option<Stamp>,
    /// The value of the entry that is refreshed.
    pub refreshed: Option<Value>,
}

/// The source of an answer. The answers of a request's own handler are never old, so they count only where
/// their fill was refused.
#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq)]
pub enum Source {
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
            Self::Found(permit) | Self::Running(permit) | Self::Filling(permit, _) => {
                visit(&mut permit.id);
                if let Some(stamp) = &mut permit.stamp {
                    stamp.each_id(visit);
                }
            }
        }
    }
}
