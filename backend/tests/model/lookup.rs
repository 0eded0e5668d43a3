//! The model of one key, alone or in a group: look-ups, claims, single flights, fills and deletions.
//!
//! Come here when the protocol of `cache::lookup` changes. The steps of a reader are in `reader_steps`.

use stateright::{Model, Property};

use crate::ids::{Id, Ids};
use crate::reader::{Reader, Source, Step};
use crate::stored::{Stamp, Stored, Value};

/// The checked configuration: numbers of processes, and the protocol.
#[derive(Clone, Debug)]
pub struct Lookup {
    /// The process of each reader. Readers of one process share single flights.
    pub processes: &'static [u8],
    /// The number of writes, all of which may overlap.
    pub writers: usize,
    /// The number of records that the entry belongs to: a write ends the generation of one of them and leaves the
    /// key. Without records it deletes the key.
    pub records: usize,
    /// Whether the entry is one caller's, whose rights change once.
    pub has_rights: bool,
    /// Whether values vanish without a write: by expiry, by eviction, or by hand.
    pub vanishes: bool,
    /// Whether a reader that finds an entry may refresh it, and answer from it if the refresh fails (C38, C39).
    pub refreshes: bool,
    /// The protocol.
    pub variant: Variant,
}

/// The protocol, or the protocol without one of its steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variant {
    /// All steps, as `cache::lookup` describes them.
    Complete,
    /// The fill is a plain set.
    FillUnconditionally,
    /// Without claims: the fill is a set of a key that is absent.
    FillIfAbsent,
    /// A refresh replaces any value.
    RefreshUnconditionally,
    /// A request joins any single flight of its process, whether or not it saw the claim.
    JoinUnseen,
    /// The writer deletes, then commits.
    DeleteBeforeCommit,
    /// The entry contains the group's generation of the moment when it is stored.
    StampWhenStoring,
    /// Claims do not contain the group's generation.
    ClaimWithoutGeneration,
    /// A claim that was made without a generation stands while the group has none.
    AbsentGenerationsMatch,
    /// The stamp is that of the first record alone.
    StampOfOneRecord,
    /// The caller's rights are no part of the stamp.
    StampWithoutRights,
}

/// The backend, the database, the readers and the writers.
#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq)]
pub struct State {
    /// Commits so far: the value that a handler reads.
    pub database: u8,
    /// The newest acknowledged write.
    pub acknowledged: u8,
    /// The value under the key.
    pub key: Option<Stored>,
    /// The generations under the keys of the records.
    pub records: [Option<Id>; 2],
    /// The version of the caller's rights.
    pub rights: u8,
    /// The readers, each of which makes one request after another without end. Readers without a process stay idle.
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
    /// A request begins by joining a single flight whose claim it did not see.
    JoinUnseen(usize),
    /// The part of `look` that gets the key.
    LookAtKey(usize),
    /// The part of `look` that gets a record.
    LookAtRecord(usize, usize),
    /// `find` and `join` of a single flight whose claim was seen, or `wait_for_other_instance`.
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
    /// The handler reads the database, and the single flight ends with its answer.
    Read(usize),
    /// `store`: the compare-and-set.
    Fill(usize),
    /// `give_up` and `release`: the handler failed, or its answer may not be stored.
    GiveUp(usize),
    /// `cover`: the refresh failed, and the old answer is used if it `still_holds`.
    Cover(usize),
    /// A wait ends, and the request runs its handler alone.
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

/// The state of the key for a reader, as at the end of `look`.
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
            Property::always("no reader gets an old answer", |_, state: &State| {
                state.readers.iter().all(|reader| match reader.step {
                    Step::Answered(_, value) => value.written >= reader.floor,
                    _ => true,
                })
            }),
            Property::always(
                "no reader gets an answer of other rights",
                |_, state: &State| {
                    state.readers.iter().all(|reader| match reader.step {
                        Step::Answered(_, value) => value.rights == reader.rights,
                        _ => true,
                    })
                },
            ),
            Property::sometimes(
                "a request hits a value of after a write",
                |_, state: &State| {
                    state.answered(|source, value| source == Source::Hit && value.written > 0)
                },
            ),
            Property::sometimes("a fill does not find its claim", |_, state: &State| {
                state.answered(|source, _| source == Source::Refused)
            }),
        ];
        let shares = |left: usize| self.processes[..left].contains(&self.processes[left]);
        if (0..self.processes.len()).any(shares) {
            let joined =
                |_: &Self, state: &State| state.answered(|source, _| source == Source::Joined);
            properties.push(Property::sometimes(
                "a request joins a single flight",
                joined,
            ));
        } else {
            let waited =
                |_: &Self, state: &State| state.answered(|source, _| source == Source::Waited);
            properties.push(Property::sometimes(
                "a request waits for another instance",
                waited,
            ));
        }
        if self.refreshes {
            let covered =
                |_: &Self, state: &State| state.answered(|source, _| source == Source::Covered);
            properties.push(Property::sometimes(
                "an old answer replaces a failure",
                covered,
            ));
        }
        properties
    }
}

impl State {
    fn answered(&self, matches: impl Fn(Source, Value) -> bool) -> bool {
        self.readers.iter().any(
            |reader| matches!(reader.step, Step::Answered(source, value) if matches(source, value)),
        )
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
