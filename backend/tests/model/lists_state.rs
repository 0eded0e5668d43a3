//! The state of the model of different lists of servers, and the visits of records.
//!
//! Come here when the record or its reading changes. The other steps are in `lists`.

/// The server in both lists.
pub const COMMON: usize = 1;

/// A step that is removed from the protocol. Each variant says what happens instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lack {
    /// An instance that meets another list stops trusting, and its servers keep their generations.
    Distrust,
    /// A process that starts and meets another list writes at once.
    WaitAtStart,
    /// The list under which a generation began is not compared.
    ListOfGeneration,
    /// A generation that is begun while both lists are used keeps the list of the one before.
    ListOfNewGeneration,
    /// A lease begins though another server of the list was not asked.
    LeaseOfAll,
}

#[derive(Clone, Debug, Default, Hash, PartialEq, Eq)]
pub struct Server {
    pub generation: u8,
    pub value: Value,
}

#[derive(Clone, Copy, Debug, Default, Hash, PartialEq, Eq)]
pub enum Value {
    #[default]
    None,
    Claim,
    Entry {
        generation: u8,
        version: u8,
    },
}

#[derive(Clone, Copy, Debug, Default, Hash, PartialEq, Eq)]
pub enum Phase {
    #[default]
    Stopped,
    /// It has joined and serves no request yet.
    Starting,
    Running,
}

#[derive(Clone, Debug, Default, Hash, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts")]
pub struct Instance {
    pub phase: Phase,
    /// Whether it knows of another list.
    pub knows_other: bool,
    /// Whether its last visit of the common server found no other list.
    pub found_none: bool,
    /// Whether a deletion of everything is pending for each server.
    pub pending: [bool; 2],
    /// Whether it has asked the common server within a lease.
    pub asked: bool,
    /// Whether it has asked the common server since the other instance joined.
    pub noticed: bool,
    /// The generation that it trusts on the server of the key.
    pub trusted: Option<u8>,
    /// A reader: the generation that it captured, and the version that it read.
    pub reader: Option<(u8, Option<u8>)>,
    /// A write that is committed and not deleted yet.
    pub write: Option<u8>,
    pub started: u8,
    pub was_killed: bool,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq)]
pub struct State {
    pub servers: [Server; 2],
    /// The list under which the generation of the common server began.
    pub list: usize,
    pub members: [bool; 2],
    pub instances: [Instance; 2],
    pub version: u8,
    pub acknowledged: u8,
}

impl State {
    /// The version that the instance answers with from the cache.
    pub fn answer(&self, own: usize) -> Option<u8> {
        let instance = &self.instances[own];
        match self.servers[own].value {
            Value::Entry {
                generation,
                version,
            } if instance.phase == Phase::Running && instance.trusted == Some(generation) => {
                Some(version)
            }
            _ => None,
        }
    }

    /// `visit_once` on the common server: `examine`, `next` and the lease. Returns whether the other list was not known.
    pub fn visit(&mut self, own: usize, lacks: Option<Lack>) -> bool {
        let compares = lacks != Some(Lack::ListOfGeneration);
        let has_other_member = self.members[1 - own];
        let names_other = has_other_member || (compares && self.list != own);
        let instance = &mut self.instances[own];
        let is_new = names_other && !instance.knows_other;
        if is_new {
            instance.knows_other = true;
            instance.trusted = None;
            instance.pending =
                [own != COMMON, true].map(|listed| listed && lacks != Some(Lack::Distrust));
        }
        if compares && self.list != own && !has_other_member {
            self.list = own;
            self.servers[COMMON].generation += 1;
        }
        self.members[own] = true;
        instance.found_none = !names_other;
        instance.asked = true;
        instance.noticed = true;
        if own == COMMON && !instance.knows_other && !instance.pending[COMMON] {
            instance.trusted = Some(self.servers[COMMON].generation);
        }
        is_new
    }

    pub fn join(&mut self, own: usize, lacks: Option<Lack>) {
        if std::mem::take(&mut self.instances[own].was_killed) {
            // The roll call of the new process finds the old one in the records of its own servers.
            self.servers[own].generation += 1;
            if own != COMMON {
                self.servers[COMMON].generation += 1;
            }
        }
        self.visit(own, lacks);
        self.instances[1 - own].noticed = false;
        let instance = &mut self.instances[own];
        instance.phase = Phase::Starting;
        instance.started += 1;
    }

    /// Ends the process. What it knew is lost; the servers keep what they have.
    pub fn stop(&mut self, own: usize, was_killed: bool) {
        self.instances[own] = Instance {
            started: self.instances[own].started,
            was_killed,
            ..Instance::default()
        };
    }

    /// Whether the other instance has met this one, or trusts nothing from before.
    pub fn is_known(&self, own: usize) -> bool {
        let other = &self.instances[1 - own];
        other.phase == Phase::Stopped || other.noticed || !other.asked
    }
}

/// Whether the server holds no entry of the generation.
pub fn last_is_no_answer(server: &Server, trusted: u8) -> bool {
    !matches!(server.value, Value::Entry { generation, .. } if generation == trusted)
}
