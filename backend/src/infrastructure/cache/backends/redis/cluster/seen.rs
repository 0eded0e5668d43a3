//! The owners of each group of slots, as far as this process may believe the answers of the nodes.
//!
//! Come here to change when an owner is believed. The argument is in [`super`].

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::map::{Map, Owner, Part};
use super::slots::{GROUPS, group_of_slot, slots_of};
use crate::backends::redis::sentinel::{LEASE, SETTLE};

/// The answer of one node: the map, or the reason that there is none.
pub(super) type Answer = Result<Map, String>;

/// The owners of all groups.
#[derive(Debug)]
pub(super) struct Seen {
    groups: [Group; GROUPS],
    /// The masters in the answer that was believed last, those without slots included.
    pub(super) masters: Vec<Arc<Owner>>,
    /// The reason that some owners are not known, if some are not.
    pub(super) reason: String,
    /// The reasons of the nodes that did not answer last.
    pub(super) silent: Vec<String>,
}

/// The owners of one group.
#[derive(Clone, Debug)]
struct Group {
    /// Changes with each change of `parts`; 0 before the first ones.
    number: u32,
    parts: Vec<Part>,
    /// The number of changes after which an earlier owner may be believed by other instances and not know of its successor.
    replacements: u64,
    /// From when on entries may be read.
    settled: Instant,
    /// From when on no instance believes an owner that was replaced.
    replaced: Instant,
    /// Until when the owners are believed.
    until: Instant,
}

impl Seen {
    /// Before the first answers.
    pub(super) fn nothing() -> Self {
        let now = Instant::now();
        let group = Group {
            number: 0,
            parts: Vec::new(),
            replacements: 0,
            settled: now,
            replaced: now,
            until: now,
        };
        Self {
            groups: std::array::from_fn(|_| group.clone()),
            masters: Vec::new(),
            reason: "the nodes of the Cluster have not been asked yet".to_owned(),
            silent: Vec::new(),
        }
    }

    /// Takes the answers so far, at `now`, to a question that began at `asked`. A missing answer is `None`. Returns whether a
    /// majority agrees on every group.
    pub(super) fn note(
        &mut self,
        answers: &[Option<Answer>],
        asked: Instant,
        now: Instant,
    ) -> bool {
        let given = answers.iter().flatten();
        let maps: Vec<&Map> = given.filter_map(|answer| answer.as_ref().ok()).collect();
        let (mut agreed, mut successions) = (0, 0);
        for (number, group) in self.groups.iter_mut().enumerate() {
            let slots = slots_of(number);
            let claims: Vec<Vec<Part>> = maps.iter().map(|map| map.of(&slots)).collect();
            let has_majority = |claim: &&Vec<Part>| {
                let votes = claims.iter().filter(|other| other == claim).count();
                2 * votes > answers.len()
            };
            let believed = claims.iter().position(|claim| has_majority(&claim));
            if let Some(believed) = believed.filter(|place| !claims[*place].is_empty()) {
                agreed += 1;
                maps[believed].masters.clone_into(&mut self.masters);
                let begins = group.parts.is_empty();
                let is_succession = group.believe(&claims[believed], maps[believed], asked, now);
                successions += usize::from(is_succession && !begins);
            }
        }
        if successions > 0 {
            tracing::warn!(
                groups = successions,
                "the nodes of the Redis Cluster name another master for groups of slots"
            );
        }
        if answers.iter().all(Option::is_some) {
            let silent = answers.iter().flatten().cloned().filter_map(Result::err);
            self.silent = silent.collect();
            self.reason = match self.silent.first() {
                Some(silent) => format!(
                    "no majority of the nodes of the Cluster names an owner: {} of {} answer; {silent}",
                    maps.len(),
                    answers.len()
                ),
                None => "no majority of the nodes of the Cluster names the same owner".to_owned(),
            };
        }
        agreed == GROUPS
    }

    /// The owner of a slot, by the last answers that were believed.
    pub(super) fn owner(&self, slot: u16) -> Option<&Arc<Owner>> {
        let parts = &self.groups[group_of_slot(slot)].parts;
        let part = parts.iter().find(|part| part.slots.contains(&slot));
        part.map(|part| &part.owner)
    }

    /// The owners of a group, by the last answers that were believed.
    pub(super) fn parts(&self, group: usize) -> &[Part] {
        &self.groups[group].parts
    }

    /// The number of the owners of a group; `None` while entries may not be read.
    pub(super) fn number(&self, group: usize, now: Instant) -> Option<u32> {
        let group = &self.groups[group];
        (group.settled <= now && now < group.until).then_some(group.number)
    }

    /// Whether the owners of a group are believed, although entries may not be read from them yet.
    pub(super) fn is_settling(&self, group: usize, now: Instant) -> bool {
        let group = &self.groups[group];
        now < group.settled && now < group.until
    }

    /// The number of replacements so far in the group of a slot; `None` while a deletion may miss the owner that another instance
    /// reads from.
    pub(super) fn replacements(&self, group: usize, now: Instant) -> Option<u64> {
        let group = &self.groups[group];
        (group.replaced <= now && now < group.until).then_some(group.replacements)
    }

    /// From when on no instance believes an owner that was replaced.
    pub(super) fn replaced(&self, group: usize) -> Instant {
        self.groups[group].replaced
    }
}

impl Group {
    /// Believes these owners. Returns whether one took the place of another, or is the first.
    fn believe(&mut self, parts: &[Part], map: &Map, asked: Instant, now: Instant) -> bool {
        let before = self.replacements;
        if self.parts != parts {
            // A master that gives slots away by a migration keeps others, and redirects. One that was replaced keeps none.
            let is_replaced = |part: &Part| !map.has_owner(&part.owner.id);
            if self.parts.is_empty() || self.parts.iter().any(is_replaced) {
                self.replacements += 1;
                self.replaced = now + SETTLE;
            }
            self.number += 1;
            self.settled = now + SETTLE;
        }
        let has_address = |(part, new): (&Part, &Part)| part.owner.is_at_address_of(&new.owner);
        // Owners that are the same are kept, since they hold their connections.
        if self.parts != parts || !self.parts.iter().zip(parts).all(has_address) {
            parts.clone_into(&mut self.parts);
        }
        self.until = asked + LEASE;
        self.replacements != before
    }
}

/// The longest time until a start knows the owners, if the nodes answer.
pub(super) const START_WAIT: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use super::*;

    const MOMENT: Duration = Duration::from_millis(1);

    fn map(lines: &str) -> Map {
        Map::read(lines, "10.0.0.9").expect("a map")
    }

    fn all_of(id: &str, epoch: u64) -> Map {
        let other = if id == "a" { "b" } else { "a" };
        map(&format!(
            "{id} 10.0.0.1:1@1 master - 0 0 {epoch} connected 0-16383\n\
             {other} 10.0.0.2:2@2 slave {id} 0 0 {epoch} connected"
        ))
    }

    fn divided(last_of_a: u16) -> Map {
        map(&format!(
            "a 10.0.0.1:1@1 master - 0 0 1 connected 0-{last_of_a}\n\
             b 10.0.0.2:2@2 master - 0 0 2 connected {}-16383",
            last_of_a + 1
        ))
    }

    impl Seen {
        /// Takes a complete round of answers, at once.
        fn note_all(&mut self, answers: &[Answer], now: Instant) -> bool {
            let answers: Vec<_> = answers.iter().cloned().map(Some).collect();
            self.note(&answers, now, now)
        }
    }

    /// The owners that are believed after two equal rounds of these answers, and the time of the second round.
    fn after(answers: &[Answer]) -> (Seen, Instant) {
        let (began, mut seen) = (Instant::now(), Seen::nothing());
        let settled = began + SETTLE;
        seen.note_all(answers, began);
        seen.note_all(answers, settled);
        (seen, settled)
    }

    #[test]
    fn c60_an_owner_is_believed_if_more_than_half_of_the_nodes_name_it() {
        let silent = || Err("10.0.0.3:3: no answer".to_owned());
        let (seen, now) = after(&[Ok(all_of("a", 1)), silent(), Ok(all_of("b", 2))]);
        assert_eq!(seen.number(0, now), None);
        assert!(seen.owner(0).is_none() && seen.reason.contains("2 of 3 answer"));
        let (seen, now) = after(&[Ok(all_of("a", 1)), silent(), Ok(all_of("a", 1))]);
        assert_eq!(seen.number(0, now), Some(1));
        let ended = now + LEASE;
        assert_eq!(seen.number(0, ended), None, "the lease has ended");
        assert_eq!(seen.replacements(0, ended), None);
    }

    #[test]
    fn c60_a_majority_decides_before_the_last_node_has_answered() {
        let (mut seen, now) = after(&[Ok(all_of("a", 1)), Ok(all_of("a", 1)), Ok(all_of("a", 1))]);
        let promoted = || Some(Ok(all_of("b", 2)));
        assert!(!seen.note(&[promoted(), None, None], now, now));
        assert_eq!(seen.number(0, now), Some(1), "one of three is no majority");
        assert!(seen.note(&[promoted(), None, promoted()], now, now));
        assert_eq!(seen.owner(0).map(|owner| owner.id.as_str()), Some("b"));
        assert!(seen.silent.is_empty(), "it may still answer");
        let late = Some(Err("10.0.0.3:3: no answer".to_owned()));
        assert!(seen.note(&[promoted(), late, promoted()], now, now));
        assert_eq!(seen.silent.len(), 1);
    }

    #[test]
    fn c60_a_promoted_replica_is_neither_read_nor_changed_before_no_instance_believes_the_old_master()
     {
        let (mut seen, now) = after(&[Ok(all_of("a", 1))]);
        assert_eq!(seen.replacements(0, now), Some(1));
        seen.note_all(&[Ok(all_of("b", 2))], now);
        let late = now + SETTLE.saturating_sub(MOMENT);
        seen.note_all(&[Ok(all_of("b", 2))], late);
        assert_eq!(
            (seen.number(0, late), seen.replacements(0, late)),
            (None, None)
        );
        let settled = now + SETTLE;
        assert_eq!(seen.number(0, settled), Some(2));
        assert_eq!(seen.replacements(0, settled), Some(2));
    }

    #[test]
    fn c60_a_migration_ends_the_trust_of_its_group_alone_and_leaves_deletions_possible() {
        let (mut seen, now) = after(&[Ok(divided(8000))]);
        seen.note_all(&[Ok(divided(8001))], now);
        let moved = group_of_slot(8001);
        for group in 0..GROUPS {
            assert_eq!(seen.number(group, now).is_none(), group == moved, "{group}");
            assert_eq!(seen.replacements(group, now), Some(1));
        }
        assert!(seen.is_settling(moved, now));
        assert_eq!(seen.owner(8001).map(|owner| owner.id.as_str()), Some("a"));
    }

    #[test]
    fn c60_a_master_that_loses_its_last_slot_counts_as_replaced() {
        let (mut seen, now) = after(&[Ok(divided(0))]);
        seen.note_all(&[Ok(all_of("b", 2))], now);
        assert_eq!(seen.replacements(0, now), None);
        assert_eq!(seen.replacements(GROUPS - 1, now), Some(1));
    }
}
