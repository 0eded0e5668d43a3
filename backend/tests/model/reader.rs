//! The reader of the model of one key: how far a request is. Its steps are in `reader_steps`.

use crate::ids::Id;
use crate::lookup::Stored;

/// A request under way.
#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq)]
pub struct Reader {
    /// The newest write that was acknowledged when the request began.
    pub floor: u8,
    /// How far it is.
    pub step: Step,
}

/// How far a request is.
#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq)]
pub enum Step {
    /// None is under way.
    Idle,
    /// One or none of the two halves of the answer is there.
    Looking(Look),
    /// Saw a claim.
    Met(Id),
    /// Saw an entry that is an answer, and may be refreshed.
    Found(Lead),
    /// Saw no answer and no generation of the group.
    Unstamped(Option<Id>),
    /// Was not the one who set the group's generation.
    Restamping(Option<Id>),
    /// Saw a vacant key, and has the group's generation.
    Claiming(Option<Id>, Option<Id>),
    /// The handler runs.
    Running(Lead),
    /// The handler has read the database.
    Filling(Lead, u8),
    /// Waits for a flight, with an old answer to fall back on where it refreshes.
    Joined(Id, Option<u8>),
    /// The refresh failed.
    Covering(Id, u8),
    /// The answer, which is no longer the handler's own affair.
    Answered(How, u8),
}

/// A look-up under way.
#[derive(Clone, Copy, Debug, Default, Hash, PartialEq, Eq)]
pub struct Look {
    /// The claim of another instance that is waited for.
    pub waits_for: Option<Id>,
    pub key: Half<Stored>,
    pub record: Half<Id>,
}

/// What a look-up knows of one of the two.
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
    pub stamp: Option<Id>,
    /// The value of the entry that is refreshed.
    pub refreshed: Option<u8>,
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
                if let Half::Seen(Some(generation)) = &mut look.record {
                    visit(generation);
                }
            }
            Self::Met(id) | Self::Joined(id, _) | Self::Covering(id, _) => {
                visit(id);
            }
            Self::Unstamped(seen) | Self::Restamping(seen) => {
                seen.as_mut().map(visit);
            }
            Self::Claiming(seen, stamp) => {
                seen.as_mut().map(&mut *visit);
                stamp.as_mut().map(visit);
            }
            Self::Found(lead) | Self::Running(lead) | Self::Filling(lead, _) => {
                visit(&mut lead.id);
                lead.stamp.as_mut().map(visit);
            }
        }
    }
}
