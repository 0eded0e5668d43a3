//! Ids and generations. The code draws them at random, so that no id is used twice.
//!
//! Come here only if a state has too many ids to number.

/// An id or a generation.
pub type Id = u8;

/// A state that contains ids.
pub trait Ids {
    /// Visits every id in the state, always in the same order.
    fn each_id(&mut self, visit: &mut impl FnMut(&mut Id));

    /// An id that is not in the state.
    fn fresh(&mut self) -> Id {
        let mut highest = 0;
        self.each_id(&mut |id| highest = highest.max(*id));
        highest + 1
    }

    /// Numbers the ids in the order of the visit. Ids are only compared with each other, so nothing is lost,
    /// and requests without end make a finite number of states.
    fn renumber(&mut self) {
        let mut known = [0; 64];
        let mut count = 0;
        self.each_id(&mut |id| {
            let number = (1..=count).find(|number| known[usize::from(*number)] == *id);
            *id = number.unwrap_or_else(|| {
                count += 1;
                known[usize::from(count)] = *id;
                count
            });
        });
    }
}
