//! Which servers of a list every instance knows to lack deletions of this one, by the records of the other servers (C61).
//!
//! Come here when a change counts as delivered although a server lacks it. What the records say is decided in `next_record`; that
//! nobody trusts such a server, in `server_list` and `supervisor`.
//!
//! An instance writes into each record that it visits which other servers may lack its deletions. All instances read that within one
//! grace, and have no lease from before after another one. They read it for as long as the instance is listed: it is removed a grace
//! after a roll call that it did not answer, which is more than a lease after its last visit. So an instance that visits no record,
//! because it is cut off from all servers or from the nodes that say who owns them, can rely on nothing that it wrote before.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::intervals::Intervals;

/// For each server of the list, the time in which the records of others have named it.
#[derive(Debug)]
pub(super) struct Told(Mutex<Vec<Option<Span>>>);

/// A time without a gap.
#[derive(Clone, Copy, Debug)]
struct Span {
    since: Instant,
    /// The beginning of the last visit.
    last: Instant,
}

impl Told {
    /// Nothing about so many servers.
    pub(super) fn nothing(servers: usize) -> Self {
        Self(Mutex::new(vec![None; servers]))
    }

    /// Notes a visit to the server at a place, from `asked` to `now`. Its record names these servers: one bit for each place.
    pub(super) fn note(
        &self,
        place: usize,
        named: u64,
        [asked, now]: [Instant; 2],
        lease: Duration,
    ) {
        let mut spans = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (other, span) in spans.iter_mut().enumerate() {
            if other == place {
                continue;
            }
            *span = match *span {
                _ if named >> other & 1 == 0 => None,
                Some(before) if asked.saturating_duration_since(before.last) <= lease => {
                    let last = before.last.max(asked);
                    Some(Span { last, ..before })
                }
                _ => Some(Span {
                    since: now,
                    last: asked,
                }),
            };
        }
    }

    /// Whether no instance trusts the server at a place, and none will before this one has delivered to it or has ended.
    pub(super) fn is_known_to_all(&self, place: usize, now: Instant, intervals: Intervals) -> bool {
        let spans = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let span = spans.get(place).copied().flatten();
        span.is_some_and(|span| {
            // One grace until each instance has read it, and one until its lease has ended.
            now.saturating_duration_since(span.since) > 2 * intervals.grace
                && now.saturating_duration_since(span.last) <= intervals.lease
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: usize = 1;
    const LACKING: u64 = 1 << PLACE;

    fn intervals() -> Intervals {
        Intervals::of(Duration::from_millis(250))
    }

    /// Visits to the server at place 0 between these times, in milliseconds, as often as they come while it is trusted.
    fn visit(told: &Told, began: Instant, times: std::ops::Range<u64>, named: u64) {
        for time in times.step_by(250) {
            let now = began + Duration::from_millis(time);
            told.note(0, named, [now, now], intervals().lease);
        }
    }

    fn is_known(told: &Told, began: Instant, time: u64) -> bool {
        told.is_known_to_all(PLACE, began + Duration::from_millis(time), intervals())
    }

    #[test]
    fn c61_a_server_that_lacks_deletions_is_known_to_all_two_graces_after_a_record_names_it() {
        let (told, began) = (Told::nothing(3), Instant::now());
        visit(&told, began, 0..2500, LACKING);
        assert!(!is_known(&told, began, 2500));
        visit(&told, began, 2500..3000, LACKING);
        assert!(is_known(&told, began, 2900));
        // It has every deletion.
        visit(&told, began, 3000..3001, 0);
        assert!(!is_known(&told, began, 3001));
    }

    #[test]
    fn c61_an_instance_that_visits_no_other_server_tells_nothing() {
        let (told, began) = (Told::nothing(3), Instant::now());
        told.note(PLACE, 0, [began; 2], intervals().lease);
        assert!(!is_known(&told, began, 60_000));
        visit(&told, began, 0..5000, LACKING);
        assert!(is_known(&told, began, 5000));
        assert!(!is_known(&told, began, 6001), "it may have been removed");
        // After the gap it begins anew.
        visit(&told, began, 10_000..12_500, LACKING);
        assert!(!is_known(&told, began, 12_500));
        visit(&told, began, 12_500..13_000, LACKING);
        assert!(is_known(&told, began, 13_000));
    }
}
