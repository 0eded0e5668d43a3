//! The model of one key, alone or in a group: look-ups, claims, flights, fills and deletions.

use stateright::{Model, Property};

use crate::ids::{Id, Ids};
use crate::reader::{How, Reader, Step};
use crate::stored::{Stamp, Stored, Value};

/// The checked configuration: numbers of processes, and the protocol.
#[derive(Clone, Debug)]
pub struct Lookup {
    /// The process that each reader runs in; readers of one process share flights.
    pub processes: &'static [u8],
    /// How many writes there are, all of which may overlap.
    pub writers: usize,
    /// How many records the entry belongs to: a write ends the generation of one of them and leaves the key. With
    /// none, it deletes the key.
    pub records: usize,
    /// Whether the entry is one caller's, whose rights change once.
    pub has_rights: bool,
    /// Whether anything vanishes by itself: by expiry, by eviction, or by hand.
    pub vanishes: bool,
    /// Whether a reader that meets an entry may refresh it, and fall back on it (C38, C39).
    pub refreshes: bool,
    /// The protocol.
    pub variant: Variant,
}

/// The protocol, or the protocol without one of its steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variant {
    /// As told at the top of `lookup.rs`.
    Told,
    /// The fill is a plain set.
    FillUnconditionally,
    /// Without claims: the fill is a set of a key that is absent.
    FillIfAbsent,
    /// A refresh replaces whatever is there.
    RefreshUnconditionally,
    /// A request joins any flight of its process, whether or not it saw the claim.
    JoinUnseen,
    /// The writer deletes, then commits.
    DeleteBeforeCommit,
    /// The entry carries the group's generation of when it is stored.
    StampWhenStoring,
    /// Claims do not carry the group's generation.
    ClaimWithoutGeneration,
    /// A claim that was made without a generation stands while the group has none.
    AbsentGenerationsMatch,
    /// The stamp is that of the first record alone.
    StampOfOneRecord,
    /// The caller's rights are no part of the stamp.
    StampWithoutRights,
}

/// The backend, the database and everybody at work.
#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq)]
pub struct State {
    /// Commits so far, which is the value that a handler reads.
    pub database: u8,
    /// The newest write that was acknowledged.
    pub acknowledged: u8,
    /// What stands under the key.
    pub key: Option<Stored>,
    /// What stands under the keys of the records: their generations.
    pub records: [Option<Id>; 2],
    /// The version of the caller's rights.
    pub rights: u8,
    /// One request after another, without end. Those that the model has no process for stay idle.
    pub readers: [Reader; 3],
    writers: [Writer; 2],
}

#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq)]
enum Writer {
    Idle,
    Committed(u8),
    Acknowledged,
    /// Only where the deletion comes first.
    Deleted,
}

/// One atomic step; the number is the reader's or the writer's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// A request begins.
    Begin(usize),
    /// A request begins by joining a flight that it knows nothing of.
    JoinUnseen(usize),
    /// The part of `look` that gets the key.
    LookAtKey(usize),
    /// The part of `look` that gets a record.
    LookAtRecord(usize, usize),
    /// `find` and `join` of a flight whose claim was seen, or `wait_for_other_instance`.
    JoinOrWait(usize),
    /// Answers from the entry.
    Hit(usize),
    /// `refresh`, or `join_refresh` where that is under way.
    Refresh(usize),
    /// `begin_record`: sets the record's generation if there is none.
    BeginRecord(usize, usize),
    /// `begin_record`: reads the generation that another has set.
    ReadRecord(usize, usize),
    /// `claim`.
    Claim(usize),
    /// The handler reads the database, and the flight lands with that.
    Read(usize),
    /// `store`: the compare-and-set.
    Fill(usize),
    /// `give_up` and `release`: the handler failed, or its answer may not be stored.
    GiveUp(usize),
    /// `cover`: the refresh failed, and the old answer serves if it `still_holds`.
    Cover(usize),
    /// A wait is over: the request runs alone.
    RunAlone(usize),
    /// The process of the request dies, or its task.
    Crash(usize),
    /// The write's transaction.
    Commit(usize),
    /// `invalidate`, and the acknowledgement.
    Delete(usize),
    /// Expiry, eviction, another's deletion, `redis-cli DEL`.
    KeyVanishes,
    /// The same of a record.
    RecordVanishes(usize),
    /// The caller's rights change, in the database.
    ChangeRights,
}

/// What `look` makes of the key.
pub enum Judged {
    Filled(Id, Value),
    Claimed(Id),
    Vacant(Option<Id>),
}

impl Lookup {
    /// The stamp of these records and rights; none where a record is missing.
    pub fn stamp(&self, records: [Option<Id>; 2], rights: u8) -> Option<Stamp> {
        let counted = match self.variant {
            Variant::StampOfOneRecord => 1,
            _ => self.records,
        };
        let mut generations = [None; 2];
        for (generation, record) in generations.iter_mut().zip(records).take(counted) {
            *generation = Some(record?);
        }
        let rights = match self.variant {
            Variant::StampWithoutRights => 0,
            _ => rights,
        };
        Some(Stamp {
            generations,
            rights,
        })
    }

    /// As at the end of `look`, for a caller of these rights.
    pub fn judge(&self, key: Option<Stored>, records: [Option<Id>; 2], rights: u8) -> Judged {
        let Some(stored) = key else {
            return Judged::Vacant(None);
        };
        let stamp = self.stamp(records, rights);
        let same = stored.stamp == stamp;
        let claimed = match self.variant {
            Variant::ClaimWithoutGeneration => true,
            Variant::AbsentGenerationsMatch => same,
            _ => same && stamp.is_some(),
        };
        match stored.value {
            Some(value) if same && stamp.is_some() => Judged::Filled(stored.id, value),
            None if claimed => Judged::Claimed(stored.id),
            _ => Judged::Vacant(Some(stored.id)),
        }
    }

    fn write(&self, state: &mut State, number: usize, action: Action) -> Option<()> {
        let deletes_first = self.variant == Variant::DeleteBeforeCommit;
        state.writers[number] = match (action, state.writers[number]) {
            (Action::Commit(_), Writer::Idle) if !deletes_first => {
                state.database += 1;
                Writer::Committed(state.database)
            }
            (Action::Delete(_), Writer::Committed(value)) => {
                self.delete(state, number);
                state.acknowledged = state.acknowledged.max(value);
                Writer::Acknowledged
            }
            (Action::Delete(_), Writer::Idle) if deletes_first => {
                self.delete(state, number);
                Writer::Deleted
            }
            (Action::Commit(_), Writer::Deleted) => {
                state.database += 1;
                state.acknowledged = state.database;
                Writer::Acknowledged
            }
            _ => return None,
        };
        Some(())
    }

    /// A write by the policy ends the record of the resource, another write that of the group.
    fn delete(&self, state: &mut State, writer: usize) {
        match writer.checked_rem(self.records) {
            Some(which) => state.records[which] = None,
            None => state.key = None,
        }
    }
}

impl Model for Lookup {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![State {
            database: 0,
            acknowledged: 0,
            key: None,
            records: [None; 2],
            rights: 0,
            readers: [Reader::IDLE; 3],
            writers: [Writer::Idle; 2],
        }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        for number in 0..self.processes.len() {
            self.reader_actions(state, number, actions);
        }
        for number in 0..self.writers {
            actions.extend([Action::Commit(number), Action::Delete(number)]);
        }
        if self.vanishes {
            actions.push(Action::KeyVanishes);
            actions.extend((0..self.records).map(Action::RecordVanishes));
        }
        if self.has_rights && state.rights == 0 {
            actions.push(Action::ChangeRights);
        }
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut state = *last;
        match action {
            Action::KeyVanishes => state.key = None,
            Action::RecordVanishes(which) => state.records[which] = None,
            Action::ChangeRights => state.rights += 1,
            Action::Commit(number) | Action::Delete(number) => {
                self.write(&mut state, number, action)?;
            }
            _ => self.read(&mut state, action)?,
        }
        state.renumber();
        (state != *last).then_some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let mut properties = vec![
            Property::always(
                "no entry that is an answer is old",
                |model: &Self, state: &State| match model.judge(
                    state.key,
                    state.records,
                    state.rights,
                ) {
                    Judged::Filled(_, value) => value.written >= state.acknowledged,
                    _ => true,
                },
            ),
            Property::always("nobody is given an old answer", |_, state: &State| {
                state.readers.iter().all(|reader| match reader.step {
                    Step::Answered(_, value) => value.written >= reader.floor,
                    _ => true,
                })
            }),
            Property::always(
                "nobody is given an answer of other rights",
                |_, state: &State| {
                    state.readers.iter().all(|reader| match reader.step {
                        Step::Answered(_, value) => value.rights == reader.rights,
                        _ => true,
                    })
                },
            ),
            Property::sometimes("a request hits what a write left", |_, state: &State| {
                state.answered(|how, value| how == How::Hit && value.written > 0)
            }),
            Property::sometimes("a fill finds its claim gone", |_, state: &State| {
                state.answered(|how, _| how == How::Refused)
            }),
        ];
        let shares = |left: usize| self.processes[..left].contains(&self.processes[left]);
        if (0..self.processes.len()).any(shares) {
            let joined = |_: &Self, state: &State| state.answered(|how, _| how == How::Joined);
            properties.push(Property::sometimes("a request joins a flight", joined));
        } else {
            let waited = |_: &Self, state: &State| state.answered(|how, _| how == How::Waited);
            properties.push(Property::sometimes(
                "a request waits for another instance",
                waited,
            ));
        }
        if self.refreshes {
            let covered = |_: &Self, state: &State| state.answered(|how, _| how == How::Covered);
            properties.push(Property::sometimes(
                "an old answer covers a failure",
                covered,
            ));
        }
        properties
    }
}

impl State {
    fn answered(&self, matches: impl Fn(How, Value) -> bool) -> bool {
        self.readers
            .iter()
            .any(|reader| matches!(reader.step, Step::Answered(how, value) if matches(how, value)))
    }
}

impl Ids for State {
    fn each_id(&mut self, visit: &mut impl FnMut(&mut Id)) {
        if let Some(stored) = &mut self.key {
            stored.each_id(visit);
        }
        for generation in self.records.iter_mut().flatten() {
            visit(generation);
        }
        for reader in &mut self.readers {
            reader.step.each_id(visit);
        }
    }
}
