//! The map of a Redis Cluster, as one node gives it: `CLUSTER NODES`.
//!
//! Come here when the answer of a node is misread. Which answer is believed is decided in `seen`.

use std::ops::RangeInclusive;
use std::sync::{Arc, OnceLock};

use crate::backends::redis::RedisBackend;

/// A master.
#[derive(Debug)]
pub(super) struct Owner {
    /// Its id in the Cluster, which it keeps when it restarts.
    pub(super) id: String,
    /// Host name, if it announces one, or IP address.
    pub(super) host: String,
    /// IP address, as redirections name it.
    pub(super) ip: String,
    /// TCP port.
    pub(super) port: u16,
    /// The number of the last election or migration that gave it slots (`config-epoch`). Of two masters that claim a slot, the
    /// one with the higher number owns it.
    pub(super) epoch: u64,
    /// Its connections, after their first use.
    pub(super) connections: OnceLock<Arc<RedisBackend>>,
}

impl Owner {
    /// Whether it is the same master at the same address.
    pub(super) fn is_at_address_of(&self, other: &Self) -> bool {
        (&self.id, &self.host, &self.ip, self.port)
            == (&other.id, &other.host, &other.ip, other.port)
    }
}

/// Neighbouring slots of one master.
#[derive(Clone, Debug)]
pub(super) struct Part {
    pub(super) slots: RangeInclusive<u16>,
    pub(super) owner: Arc<Owner>,
}

/// Two parts are the same if the same master owns the same slots by the same election.
impl PartialEq for Part {
    fn eq(&self, other: &Self) -> bool {
        let number = |part: &Self| (part.slots.clone(), part.owner.epoch);
        number(self) == number(other) && self.owner.id == other.owner.id
    }
}

/// The masters, and their slots in ascending order.
#[derive(Clone, Debug, Default)]
pub(super) struct Map {
    pub(super) masters: Vec<Arc<Owner>>,
    parts: Vec<Part>,
}

impl Map {
    /// The map in the answer of the node at this host. `None` where the answer cannot be read.
    pub(super) fn read(answer: &str, asked: &str) -> Option<Self> {
        let mut map = Self::default();
        for line in answer.lines() {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let [id, address, flags, _, _, _, epoch, _, slots @ ..] = fields.as_slice() else {
                return None;
            };
            if !flags.split(',').any(|flag| flag == "master") {
                continue;
            }
            let Some((host, ip, port)) = address_of(address, asked) else {
                // A node that is not known well enough yet, such as one without an address.
                continue;
            };
            let owner = Arc::new(Owner {
                id: (*id).to_owned(),
                host,
                ip,
                port,
                epoch: epoch.parse().ok()?,
                connections: OnceLock::new(),
            });
            // Slots on their way stand in brackets. They are still those of their old master.
            for slots in slots.iter().filter(|slots| !slots.starts_with('[')) {
                let (first, last) = slots.split_once('-').unwrap_or((slots, slots));
                map.parts.push(Part {
                    slots: first.parse().ok()?..=last.parse().ok()?,
                    owner: Arc::clone(&owner),
                });
            }
            map.masters.push(owner);
        }
        map.parts.sort_unstable_by_key(|part| *part.slots.start());
        Some(map)
    }

    /// The owners of these slots, in ascending order. Slots without an owner are in no part.
    pub(super) fn of(&self, slots: &RangeInclusive<u16>) -> Vec<Part> {
        let overlapping = self.parts.iter().filter_map(|part| {
            let first = *part.slots.start().max(slots.start());
            let last = *part.slots.end().min(slots.end());
            (first <= last).then(|| Part {
                slots: first..=last,
                owner: Arc::clone(&part.owner),
            })
        });
        overlapping.collect()
    }

    /// Whether a master of this id owns a slot.
    pub(super) fn has_owner(&self, id: &str) -> bool {
        self.parts.iter().any(|part| part.owner.id == id)
    }
}

/// Host, IP address and port in `ip:port@bus-port,host`. A node that does not know its own address is at the host that was asked.
fn address_of(address: &str, asked: &str) -> Option<(String, String, u16)> {
    let (address, rest) = address.split_once('@').unwrap_or((address, ""));
    let (ip, port) = address.rsplit_once(':')?;
    let port = port.parse().ok().filter(|port| *port != 0)?;
    let ip = if ip.is_empty() { asked } else { ip };
    let announced = rest.split(',').nth(1).unwrap_or_default();
    let is_name = !announced.is_empty() && announced != "?" && !announced.contains('=');
    let host = if is_name { announced } else { ip };
    Some((host.to_owned(), ip.to_owned(), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER: &str = "\
07c3 127.0.0.1:7001@17001 master - 0 1 2 connected 5461-10922 12000
e7d1 :7000@17000,shop-1.internal,shard-id=ab myself,master - 0 0 1 connected 0-5000 5002-5460 [5001->-07c3]
292f 127.0.0.1:7002@17002,,shard-id=cd slave 07c3 0 1 2 connected
6ec2 :0@0 master,noaddr - 1 1 3 disconnected
824f ::1:7003@17003 master,fail - 0 1 4 connected
";

    #[test]
    fn c60_the_map_has_the_masters_with_their_slots_and_addresses() {
        let map = Map::read(ANSWER, "10.0.0.1").expect("a map");
        let masters = map.masters.iter().map(|owner| {
            let addresses = (owner.id.as_str(), owner.host.as_str(), owner.ip.as_str());
            (addresses, owner.port, owner.epoch)
        });
        assert_eq!(
            masters.collect::<Vec<_>>(),
            [
                (("07c3", "127.0.0.1", "127.0.0.1"), 7001, 2),
                (("e7d1", "shop-1.internal", "10.0.0.1"), 7000, 1),
                (("824f", "::1", "::1"), 7003, 4),
            ]
        );
        let parts = map.of(&(5000..=5461));
        let parts: Vec<_> = parts
            .iter()
            .map(|part| (part.slots.clone(), part.owner.id.as_str()))
            .collect();
        assert_eq!(
            parts,
            [
                (5000..=5000, "e7d1"),
                (5002..=5460, "e7d1"),
                (5461..=5461, "07c3")
            ]
        );
        assert!(map.has_owner("07c3") && !map.has_owner("824f"));
        assert!(Map::read("garbage", "10.0.0.1").is_none());
    }
}
