//! The value under the key in the model of one key.
//!
//! Come here when claims or entries contain something new. The look-up judges them in `lookup`.

use crate::ids::Id;

/// A claim or an entry.
#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq)]
pub struct Stored {
    /// The id, which compare-and-set compares.
    pub id: Id,
    /// The generations and rights that it belongs to; none where a record vanished before.
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

/// The answer of a handler.
#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq)]
pub struct Value {
    /// The number of writes that the handler saw.
    pub written: u8,
    /// The rights of the caller of the handler.
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
