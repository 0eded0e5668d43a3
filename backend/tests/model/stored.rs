//! What stands under the key in the model of one key.
//!
//! Come here when claims or entries carry something new. What a look-up makes of it is in `lookup`.

use crate::ids::Id;

/// A claim or an entry.
#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq)]
pub struct Stored {
    /// Which value this is: what compare-and-set compares.
    pub id: Id,
    /// What it belongs to; none where a record vanished before it was made.
    pub stamp: Option<Stamp>,
    /// The entry's value; a claim has none.
    pub value: Option<Value>,
}

/// The generations of all records, and the rights of the caller.
#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq)]
pub struct Stamp {
    pub generations: [Option<Id>; 2],
    pub rights: u8,
}

/// What a handler answers.
#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq)]
pub struct Value {
    /// How many writes it has seen.
    pub written: u8,
    /// The rights of the caller that it answered.
    pub rights: u8,
}

impl Stored {
    pub fn each_id(&mut self, visit: &mut impl FnMut(&mut Id)) {
        visit(&mut self.id);
        if let Some(stamp) = &mut self.stamp {
            stamp.each_id(visit);
        }
    }
}

impl Stamp {
    pub fn each_id(&mut self, visit: &mut impl FnMut(&mut Id)) {
        for generation in self.generations.iter_mut().flatten() {
            visit(generation);
        }
    }
}
