//! Ids and generations: drawn at random by the code, so that none is ever drawn twice.

/// An id or a generation.
pub type Id = u8;

/// A state that knows ids.
pub trait Ids {
    /// Shows every id that anybody still knows, always in the same order.
    fn each_id(&mut self, visit: &mut impl FnMut(&mut Id));

    /// An id that is not in use yet.
    fn fresh(&mut self) -> Id {
        let mut highest = 0;
        self.each_id(&mut |id| highest = highest.max(*id));
        highest + 1
    }

    /// Numbers the ids in the order in which they are shown. Only whether two are equal matters, so
    /// this loses nothing, and requests without end make a finite number of states.
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
