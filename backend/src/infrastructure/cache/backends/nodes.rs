//! The servers of one backend: one, or several among which keys are distributed (C60, C61).
//!
//! Come here to change which server holds a key. The groups of slots of a Redis Cluster count as servers; a key's slot decides
//! there. Otherwise distribution is rendezvous hashing (Thaler and Ravishankar
//! 1998): each server has a score for the key, and the highest one holds it. Every process computes the same
//! from the same names in any order, and a server that is added or removed moves only its own share of the
//! keys. What a server's outage means is decided in `breaker`.

use std::sync::Arc;

use rapidhash::v3::rapidhash_v3;

use super::contract::{BackendError, CacheBackend};
use super::redis::group_of;

/// The most servers of a backend.
pub const MOST_NODES: usize = 64;

/// One server of a backend.
#[derive(Clone)]
pub struct Node {
    /// The name that decides which keys the server holds, such as `10.0.0.1:11211`. Every instance must use
    /// the same name.
    pub name: String,
    /// The server.
    pub backend: Arc<dyn CacheBackend>,
}

/// The servers of a backend, at least one.
#[derive(Clone)]
pub struct Nodes {
    nodes: Vec<Node>,
    distribution: Distribution,
}

impl Nodes {
    /// Several servers of different names, in any order.
    ///
    /// # Errors
    /// The list is empty, or has more than [`MOST_NODES`].
    pub fn new(mut nodes: Vec<Node>) -> Result<Self, BackendError> {
        if !(1..=MOST_NODES).contains(&nodes.len()) {
            return Err(BackendError::unavailable(format!(
                "{} servers are named; 1 to {MOST_NODES} may be",
                nodes.len()
            )));
        }
        // So that a server has the same place in every instance.
        nodes.sort_unstable_by(|one, other| one.name.cmp(&other.name));
        let distribution = Distribution::over(nodes.iter().map(|node| node.name.as_str()));
        Ok(Self {
            nodes,
            distribution,
        })
    }

    /// The groups of slots of a Redis Cluster, in their order.
    pub(super) fn of_slots(nodes: Vec<Node>) -> Self {
        let distribution = Distribution::by_slots(nodes.iter().map(|node| node.name.as_str()));
        Self {
            nodes,
            distribution,
        }
    }

    /// The servers that a check has to ask, each with its name for people. One of the groups of slots asks for all.
    pub fn to_check(&self) -> impl Iterator<Item = (String, &Arc<dyn CacheBackend>)> {
        let kind = self.kind();
        let (checked, of_all) = match self.distribution.rule {
            Rule::Scores => (&self.nodes[..], None),
            Rule::Slots => (&self.nodes[..1], Some("cluster")),
        };
        checked.iter().map(move |node| {
            let shown = [kind, of_all.unwrap_or(&node.name)].join(" ");
            (shown.trim_end().to_owned(), &node.backend)
        })
    }

    /// The name of their kind: `redis`, `memcached`, `memory`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        self.nodes[0].backend.name()
    }

    /// The server that holds a key, given with its namespace.
    #[must_use]
    pub fn of(&self, key: &str) -> &Node {
        &self.nodes[self.distribution.place(key)]
    }

    /// The distribution of keys among the servers.
    pub(crate) fn distribution(&self) -> &Distribution {
        &self.distribution
    }

    /// The servers, in the order of their names.
    #[must_use]
    pub fn all(&self) -> &[Node] {
        &self.nodes
    }
}

/// A single server has no name, since it holds every key.
impl From<Arc<dyn CacheBackend>> for Nodes {
    fn from(backend: Arc<dyn CacheBackend>) -> Self {
        Self {
            nodes: vec![Node {
                name: String::new(),
                backend,
            }],
            distribution: Distribution::over([""]),
        }
    }
}

/// Which of several servers holds a key.
#[derive(Clone, Debug)]
pub(crate) struct Distribution {
    /// The hash of each server's name.
    names: Vec<u64>,
    fingerprint: u64,
    rule: Rule,
}

/// How the server of a key is found.
#[derive(Clone, Copy, Debug)]
enum Rule {
    /// By the scores of rendezvous hashing.
    Scores,
    /// By the slot of Redis Cluster.
    Slots,
}

impl Distribution {
    /// The distribution over the groups of slots of a Redis Cluster.
    fn by_slots<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        Self {
            rule: Rule::Slots,
            ..Self::over(names)
        }
    }

    /// The distribution over servers of these names.
    pub(crate) fn over<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        let names: Vec<&str> = names.into_iter().collect();
        let mut sorted = names.clone();
        sorted.sort_unstable();
        let fingerprint = if names.len() < 2 {
            0
        } else {
            rapidhash_v3(sorted.join(",").as_bytes()).max(1)
        };
        Self {
            names: names
                .iter()
                .map(|name| rapidhash_v3(name.as_bytes()))
                .collect(),
            fingerprint,
            rule: Rule::Scores,
        }
    }

    /// Whether every instance has this distribution at any time.
    pub(crate) fn is_fixed(&self) -> bool {
        matches!(self.rule, Rule::Slots)
    }

    /// The number of servers.
    pub(crate) fn len(&self) -> usize {
        self.names.len()
    }

    /// A number that differs for lists that distribute differently, and does not depend on their order. 0 for a
    /// single server, which holds every key whatever its name.
    pub(crate) fn fingerprint(&self) -> u64 {
        self.fingerprint
    }

    /// The place in the list of the server that holds the key, given in the server's form.
    pub(crate) fn place(&self, key: &str) -> usize {
        if self.names.len() < 2 {
            return 0;
        }
        if self.is_fixed() {
            return group_of(key.as_bytes());
        }
        let key = rapidhash_v3(key.as_bytes());
        let score = |name: u64| {
            let mut both = [0; 16];
            both[..8].copy_from_slice(&name.to_le_bytes());
            both[8..].copy_from_slice(&key.to_le_bytes());
            // With the name, so that two equal scores do not depend on the order.
            (rapidhash_v3(&both), name)
        };
        let scores = self.names.iter().enumerate();
        let highest = scores.max_by_key(|(_, name)| score(**name));
        highest.map_or(0, |(place, _)| place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const KEYS: usize = 2000;

    /// The name of the server of each key.
    fn held<'a>(names: &[&'a str]) -> Vec<&'a str> {
        let distribution = Distribution::over(names.iter().copied());
        let held = (0..KEYS).map(|number| names[distribution.place(&format!("widget:{number}"))]);
        held.collect()
    }

    /// Different names of servers, at least two.
    fn names() -> impl Strategy<Value = Vec<String>> {
        proptest::collection::hash_set("[a-z]{1,8}:[1-9][0-9]{0,3}", 2..9)
            .prop_map(|names| names.into_iter().collect())
    }

    /// Whether a count of [`KEYS`] is a share of `1 / of`, within six standard deviations.
    #[expect(clippy::cast_precision_loss, reason = "small numbers")]
    fn is_share(count: usize, of: usize) -> bool {
        let (keys, share) = (KEYS as f64, 1.0 / of as f64);
        let deviation = (keys * share * (1.0 - share)).sqrt();
        (count as f64 - keys * share).abs() <= 6.0 * deviation
    }

    proptest! {
        #[test]
        fn c61_the_order_of_the_list_does_not_matter(names in names(), rotation in 0_usize..8) {
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let mut other = names.clone();
            other.rotate_left(rotation % names.len());
            prop_assert_eq!(held(&names), held(&other));
            let fingerprint = |names: &[&str]| Distribution::over(names.iter().copied()).fingerprint();
            prop_assert_eq!(fingerprint(&names), fingerprint(&other));
            prop_assert_ne!(fingerprint(&names), fingerprint(&names[1..]));
        }

        #[test]
        fn c61_an_added_server_takes_its_share_and_moves_no_other_key(names in names()) {
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let (added, before) = names.split_last().expect("two names");
            let moved = held(before).into_iter().zip(held(&names)).filter(|(old, new)| old != new);
            let mut count = 0;
            for (_, new) in moved {
                prop_assert_eq!(new, *added);
                count += 1;
            }
            prop_assert!(is_share(count, names.len()), "{} of {KEYS} keys moved to one of {}", count, names.len());
        }

        #[test]
        fn c61_each_server_holds_an_equal_share(names in names()) {
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let held = held(&names);
            for name in &names {
                let count = held.iter().filter(|held| *held == name).count();
                prop_assert!(is_share(count, names.len()), "{} of {KEYS} keys on one of {}", count, names.len());
            }
        }
    }

    #[test]
    fn c61_the_distribution_stays_from_release_to_release() {
        // In a rolling deployment two releases share the servers.
        let distribution = Distribution::over(["a:11211", "b:11211", "c:11211"]);
        let places = ["user:1", "user:2", "user:3", "user:4"].map(|key| distribution.place(key));
        assert_eq!(
            (places, distribution.fingerprint()),
            ([1, 1, 1, 0], 10_814_726_429_694_668_628)
        );
    }

    #[test]
    fn c61_a_single_server_holds_every_key_whatever_its_name() {
        let alone = Distribution::over(["a:11211"]);
        assert_eq!((alone.place("user:1"), alone.fingerprint()), (0, 0));
    }
}
