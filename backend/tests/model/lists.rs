//! The model of two instances with different lists of servers (C61): one key, which each looks for on another server.
//!
//! Come here when the protocol of `breaker/server_list.rs` changes. Instance 0 has servers 0 and 1 and looks for the key on
//! server 0; instance 1 looks for it on server 1, which stands in both lists. So a deletion of one never ends
//! the entry of the other.

use stateright::{Model, Property};

use crate::lists_state::{COMMON, Instance, Lack, Phase, Server, State, Value, last_is_no_answer};

/// The checked configuration.
#[derive(Clone, Copy, Debug)]
pub struct Lists {
    pub writes: u8,
    /// The number of processes of each list, one after the other.
    pub starts: [u8; 2],
    /// The step that is removed from the protocol.
    pub lacks: Option<Lack>,
}

/// One atomic step; the number is the instance's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// A process starts: it registers in the record of the common server.
    Join(usize),
    /// `Servers::start` returns.
    Start(usize),
    /// `visit` of the common server.
    Visit(usize),
    /// `visit` of server 0.
    VisitOwn,
    /// No record has named another list for one grace.
    Agree(usize),
    /// The pending deletion of everything is delivered to the common server, by a new generation.
    Deliver(usize),
    /// The same on server 0.
    DeliverOwn,
    /// All leases end: the instance is frozen.
    LeasesEnd(usize),
    /// `claim`.
    Claim(usize),
    /// The handler reads the database.
    Read(usize),
    /// `fill`.
    Fill(usize),
    /// The transaction of a write.
    Commit(usize),
    /// The deletion, and the acknowledgement of the write.
    Delete(usize),
    /// `leave`, with nothing pending.
    Leave(usize),
    /// The process is killed.
    Kill(usize),
    /// An instance that was killed is removed from the record by the other one.
    Remove(usize),
}

impl Model for Lists {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![State {
            servers: [Server::default(), Server::default()],
            list: 0,
            members: [false; 2],
            instances: [Instance::default(), Instance::default()],
            version: 0,
            acknowledged: 0,
        }]
    }

    fn actions(&self, _: &State, actions: &mut Vec<Action>) {
        use Action::{
            Agree, Claim, Commit, Delete, Deliver, DeliverOwn, Fill, Join, Kill, LeasesEnd, Leave,
            Read, Remove, Start, Visit, VisitOwn,
        };
        let of_each = [
            Join, Start, Visit, Agree, Deliver, LeasesEnd, Claim, Read, Fill, Commit, Delete,
            Leave, Kill, Remove,
        ];
        for own in 0..2 {
            actions.extend(of_each.map(|action| action(own)));
        }
        actions.extend([VisitOwn, DeliverOwn]);
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut state = last.clone();
        self.step(&mut state, action)?;
        (state != *last).then_some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let mut properties = vec![Property::always(OLD, |_: &Self, state: &State| {
            let answers = (0..2).filter_map(|own| state.answer(own));
            answers
                .min()
                .is_none_or(|oldest| oldest >= state.acknowledged)
        })];
        if self.lacks.is_none() {
            properties.push(Property::sometimes(
                "each list is used after the other",
                |model: &Self, state: &State| {
                    (0..2).all(|own| state.instances[own].started == model.starts[own])
                        && state.answer(0) == Some(model.writes)
                },
            ));
            properties.push(Property::sometimes(
                "the other list too",
                |model: &Self, state: &State| {
                    (0..2).all(|own| state.instances[own].started == model.starts[own])
                        && state.answer(1) == Some(model.writes)
                },
            ));
        }
        properties
    }
}

pub const OLD: &str = "no instance gives an old answer";

impl Lists {
    fn step(self, state: &mut State, action: Action) -> Option<()> {
        let own = action.instance();
        if let Action::Join(_) = action {
            let instance = &state.instances[own];
            (instance.phase == Phase::Stopped && instance.started < self.starts[own])
                .then_some(())?;
            state.join(own, self.lacks);
            return Some(());
        }
        let is_known = state.is_known(own);
        let is_running = state.instances[own].phase == Phase::Running;
        let instance = &mut state.instances[own];
        (instance.phase != Phase::Stopped).then_some(())?;
        match action {
            Action::Start(_) => {
                let waits = instance.knows_other && self.lacks != Some(Lack::WaitAtStart);
                (!waits || (is_known && !instance.pending[COMMON])).then_some(())?;
                instance.phase = Phase::Running;
            }
            Action::Visit(_) => {
                state.visit(own, self.lacks);
            }
            Action::VisitOwn => {
                let begins = instance.asked || self.lacks == Some(Lack::LeaseOfAll);
                (begins && !instance.knows_other && !instance.pending[0]).then_some(())?;
                instance.trusted = Some(state.servers[0].generation);
            }
            Action::Agree(_) => {
                instance.found_none.then_some(())?;
                instance.knows_other = false;
            }
            Action::DeliverOwn => {
                instance.pending[0].then_some(())?;
                instance.pending[0] = false;
                state.servers[0].generation += 1;
            }
            Action::Deliver(_) => {
                instance.pending[COMMON].then_some(())?;
                if state.visit(own, self.lacks) {
                    return Some(());
                }
                state.instances[own].pending[COMMON] = false;
                state.servers[COMMON].generation += 1;
                if self.lacks != Some(Lack::ListOfNewGeneration) {
                    state.list = own;
                }
            }
            Action::LeasesEnd(_) => {
                instance.asked = false;
                instance.trusted = None;
            }
            Action::Leave(_) => {
                (is_running && instance.write.is_none() && instance.pending == [false; 2])
                    .then_some(())?;
                state.members[own] = false;
                state.stop(own, false);
            }
            Action::Kill(_) => {
                instance.write.is_none().then_some(())?;
                state.stop(own, true);
            }
            Action::Remove(_) => {
                let other = 1 - own;
                (state.instances[other].was_killed && state.members[other]).then_some(())?;
                state.members[other] = false;
                state.servers[COMMON].generation += 1;
            }
            _ => self.serve(state, own, action)?,
        }
        Some(())
    }

    /// The steps of a read and of a write.
    fn serve(self, state: &mut State, own: usize, action: Action) -> Option<()> {
        let instance = &mut state.instances[own];
        let is_running = instance.phase == Phase::Running;
        match action {
            Action::Claim(_) => {
                let generation = instance.trusted.filter(|_| is_running)?;
                (instance.reader.is_none() && last_is_no_answer(&state.servers[own], generation))
                    .then_some(())?;
                instance.reader = Some((generation, None));
                state.servers[own].value = Value::Claim;
            }
            Action::Read(_) => {
                let (_, version) = instance.reader.as_mut()?;
                version.is_none().then_some(())?;
                *version = Some(state.version);
            }
            Action::Fill(_) => {
                let (generation, version) = instance.reader?;
                let version = version?;
                instance.reader = None;
                if state.servers[own].value == Value::Claim {
                    state.servers[own].value = Value::Entry {
                        generation,
                        version,
                    };
                }
            }
            Action::Commit(_) => {
                (is_running && instance.write.is_none() && state.version < self.writes)
                    .then_some(())?;
                state.version += 1;
                instance.write = Some(state.version);
            }
            Action::Delete(_) => {
                let version = instance.write.take()?;
                state.servers[own].value = Value::None;
                state.acknowledged = state.acknowledged.max(version);
            }
            _ => {}
        }
        Some(())
    }
}

impl Action {
    /// The instance that takes the step.
    fn instance(self) -> usize {
        match self {
            Self::VisitOwn | Self::DeliverOwn => 0,
            Self::Join(own)
            | Self::Start(own)
            | Self::Visit(own)
            | Self::Agree(own)
            | Self::Deliver(own)
            | Self::LeasesEnd(own)
            | Self::Claim(own)
            | Self::Read(own)
            | Self::Fill(own)
            | Self::Commit(own)
            | Self::Delete(own)
            | Self::Leave(own)
            | Self::Kill(own)
            | Self::Remove(own) => own,
        }
    }
}
