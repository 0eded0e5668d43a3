//! The steps of a request in the model of one key.
//!
//! Come here when `look`, `claim`, `decide` or a refresh changes.

use crate::ids::{Id, Ids as _};
use crate::lookup::{Action, Judged, Lookup, State, Variant};
use crate::reader::{FillPermit, Generation, Half, Look, Reader, Source, Step};
use crate::stored::{Stored, Value};

impl Lookup {
    /// The possible next actions of the reader. An action that proves impossible changes nothing.
    pub fn reader_actions(&self, state: &State, number: usize, actions: &mut Vec<Action>) {
        match state.readers[number].step {
            Step::Idle | Step::Answered(..) => {
                actions.push(Action::Begin(number));
                if self.variant == Variant::JoinUnseen {
                    actions.push(Action::JoinUnseen(number));
                }
            }
            Step::Looking(look) => {
                if look.key == Half::Unseen {
                    actions.push(Action::LookAtKey(number));
                }
                for which in 0..self.records {
                    if look.records[which] == Half::Unseen {
                        actions.push(Action::LookAtRecord(number, which));
                    }
                }
                if look.waits_for.is_some() {
                    actions.push(Action::RunAlone(number));
                }
            }
            Step::Met(_) => actions.push(Action::JoinOrWait(number)),
            Step::Found(_) => {
                actions.push(Action::Hit(number));
                if self.refreshes {
                    actions.push(Action::Refresh(number));
                }
            }
            Step::Stamping(_, generations) => {
                for (which, generation) in generations.iter().enumerate() {
                    match generation {
                        Generation::Missing => actions.push(Action::BeginRecord(number, which)),
                        Generation::Raced => actions.push(Action::ReadRecord(number, which)),
                        Generation::Known(_) | Generation::None => {}
                    }
                }
            }
            Step::Claiming(..) => actions.extend([Action::Claim(number), Action::Crash(number)]),
            Step::Running(_) => actions.extend([
                Action::Read(number),
                Action::GiveUp(number),
                Action::Crash(number),
            ]),
            Step::Filling(..) => actions.extend([Action::Fill(number), Action::Crash(number)]),
            Step::Joined(..) => actions.push(Action::RunAlone(number)),
            Step::Covering(..) => actions.push(Action::Cover(number)),
        }
    }

    /// One step of a reader; `None` where it is impossible.
    pub fn read(&self, state: &mut State, action: Action) -> Option<()> {
        let (number, next) = match action {
            Action::Begin(number) => {
                authenticate(state, number);
                (number, Step::Looking(Look::default()))
            }
            Action::JoinUnseen(number) => {
                authenticate(state, number);
                (number, self.join(state, number, None, None)?)
            }
            Action::LookAtKey(number) => {
                let seen = Half::Seen(state.key);
                let look = |look: Look| Look {
                    key: look.key.or(seen),
                    ..look
                };
                (number, self.look(state, number, look)?)
            }
            Action::LookAtRecord(number, which) => {
                let seen = Half::Seen(state.records[which]);
                let look = |mut look: Look| {
                    look.records[which] = look.records[which].or(seen);
                    look
                };
                (number, self.look(state, number, look)?)
            }
            Action::JoinOrWait(number) => (number, self.join_or_wait(state, number)?),
            Action::Hit(number) => match state.readers[number].step {
                Step::Found(permit) => (number, Step::Answered(Source::Hit, permit.refreshed?)),
                _ => return None,
            },
            Action::Refresh(number) => (number, self.refresh(state, number)?),
            Action::BeginRecord(number, which) | Action::ReadRecord(number, which) => {
                (number, self.stamp_record(state, number, which)?)
            }
            Action::Claim(number) => (number, self.claim(state, number)?),
            Action::Read(number) => match state.readers[number].step {
                Step::Running(permit) => {
                    let value = Value {
                        written: state.database,
                        rights: state.readers[number].rights,
                    };
                    self.answer(state, number, permit, Some(value));
                    (number, Step::Filling(permit, value))
                }
                _ => return None,
            },
            Action::Fill(number) => (number, self.fill(state, number)?),
            Action::GiveUp(number) => (number, self.give_up(state, number)?),
            Action::Cover(number) => match state.readers[number].step {
                Step::Covering(entry, value) => {
                    let rights = state.readers[number].rights;
                    match self.judge(state.key, state.records, rights) {
                        Judged::Filled(id, _) if id == entry => {
                            (number, Step::Answered(Source::Covered, value))
                        }
                        _ => (number, Step::Looking(Look::default())),
                    }
                }
                _ => return None,
            },
            Action::RunAlone(number) => (number, Step::Idle),
            Action::Crash(number) => {
                if let Step::Running(permit) = state.readers[number].step {
                    self.answer(state, number, permit, None);
                }
                (number, Step::Idle)
            }
            _ => return None,
        };
        state.readers[number].step = next;
        if next == Step::Idle {
            state.readers[number] = Reader::IDLE;
        }
        Some(())
    }

    /// Part of a `look`; after the last part, the decision of `decide` or `wait_for_other_instance`.
    fn look(&self, state: &State, number: usize, part: impl FnOnce(Look) -> Look) -> Option<Step> {
        let Step::Looking(look) = state.readers[number].step else {
            return None;
        };
        let look = part(look);
        let Half::Seen(key) = look.key else {
            return Some(Step::Looking(look));
        };
        let mut records = [None; 2];
        for (record, seen) in records.iter_mut().zip(look.records).take(self.records) {
            let Half::Seen(generation) = seen else {
                return Some(Step::Looking(look));
            };
            *record = generation;
        }
        let again = |waits_for| {
            Step::Looking(Look {
                waits_for,
                ..Look::default()
            })
        };
        let rights = state.readers[number].rights;
        let stamp = self.stamp(records, rights);
        Some(match (self.judge(key, records, rights), look.waits_for) {
            (Judged::Filled(_, value), Some(_)) => Step::Answered(Source::Waited, value),
            (Judged::Claimed(claim), Some(awaited)) if claim == awaited => again(Some(claim)),
            (_, Some(_)) => again(None),
            // The stamp of an answer is that of the records.
            (Judged::Filled(entry, value), None) => Step::Found(FillPermit {
                id: entry,
                stamp,
                refreshed: Some(value),
            }),
            (Judged::Claimed(claim), None) => Step::Met(claim),
            (Judged::Vacant(seen), None) if stamp.is_none() => {
                let known =
                    |record: Option<Id>| record.map_or(Generation::Missing, Generation::Known);
                let mut generations = [Generation::None; 2];
                for (generation, record) in generations.iter_mut().zip(records).take(self.records) {
                    *generation = known(record);
                }
                Step::Stamping(seen, generations)
            }
            (Judged::Vacant(seen), None) => Step::Claiming(seen, stamp),
        })
    }

    /// One half of `begin_record`: sets the record if there is none, or reads the one that another reader set.
    fn stamp_record(&self, state: &mut State, number: usize, which: usize) -> Option<Step> {
        let Step::Stamping(seen, mut generations) = state.readers[number].step else {
            return None;
        };
        generations[which] = match (generations[which], state.records[which]) {
            (Generation::Missing, Some(_)) => Generation::Raced,
            (Generation::Missing, None) => {
                let generation = state.fresh();
                state.records[which] = Some(generation);
                Generation::Known(generation)
            }
            (Generation::Raced, Some(generation)) => Generation::Known(generation),
            (Generation::Raced, None) => Generation::None,
            _ => return None,
        };
        let is_open =
            |generation: &Generation| matches!(generation, Generation::Missing | Generation::Raced);
        if generations.iter().any(is_open) {
            return Some(Step::Stamping(seen, generations));
        }
        let records = generations.map(|generation| match generation {
            Generation::Known(id) => Some(id),
            _ => None,
        });
        let rights = state.readers[number].rights;
        Some(Step::Claiming(seen, self.stamp(records, rights)))
    }

    fn join_or_wait(&self, state: &State, number: usize) -> Option<Step> {
        let Step::Met(claim) = state.readers[number].step else {
            return None;
        };
        let joined = self.join(state, number, Some(claim), None);
        // The single flight of a claim of the same process may have ended since the claim was seen.
        Some(joined.unwrap_or(Step::Looking(Look {
            waits_for: Some(claim),
            ..Look::default()
        })))
    }

    /// Joins the single flight of that id, if the reader's process has it. It stays registered until its fill was
    /// tried.
    fn join(
        &self,
        state: &State,
        number: usize,
        wanted: Option<Id>,
        refreshed: Option<Value>,
    ) -> Option<Step> {
        let process = self.processes[number];
        (0..self.processes.len())
            .filter(|other| *other != number && self.processes[*other] == process)
            .find_map(|other| match state.readers[other].step {
                Step::Running(permit) if wanted.is_none_or(|id| id == permit.id) => {
                    Some(Step::Joined(permit.id, refreshed))
                }
                Step::Filling(permit, value) if wanted.is_none_or(|id| id == permit.id) => {
                    Some(Step::Answered(Source::Joined, value))
                }
                _ => None,
            })
    }

    fn refresh(&self, state: &State, number: usize) -> Option<Step> {
        let Step::Found(permit) = state.readers[number].step else {
            return None;
        };
        let joined = self.join(state, number, Some(permit.id), permit.refreshed);
        Some(joined.unwrap_or(Step::Running(permit)))
    }

    fn claim(&self, state: &mut State, number: usize) -> Option<Step> {
        let Step::Claiming(seen, stamp) = state.readers[number].step else {
            return None;
        };
        let permit = FillPermit {
            id: state.fresh(),
            stamp,
            refreshed: None,
        };
        if self.variant == Variant::FillIfAbsent {
            return Some(Step::Running(permit));
        }
        if state.key.map(|stored| stored.id) != seen {
            return Some(Step::Looking(Look::default()));
        }
        state.key = Some(Stored {
            id: permit.id,
            stamp,
            value: None,
        });
        Some(Step::Running(permit))
    }

    /// Ends a single flight: the requests that joined get its answer, or continue without one.
    fn answer(&self, state: &mut State, leader: usize, permit: FillPermit, answer: Option<Value>) {
        for (number, process) in self.processes.iter().enumerate() {
            let reader = &mut state.readers[number];
            let Step::Joined(id, refreshed) = reader.step else {
                continue;
            };
            if id != permit.id || *process != self.processes[leader] {
                continue;
            }
            reader.step = match (answer, refreshed) {
                (Some(value), _) => Step::Answered(Source::Joined, value),
                (None, Some(value)) => Step::Covering(id, value),
                (None, None) => {
                    *reader = Reader::IDLE;
                    continue;
                }
            };
        }
    }

    fn fill(&self, state: &mut State, number: usize) -> Option<Step> {
        let Step::Filling(permit, value) = state.readers[number].step else {
            return None;
        };
        let stands = match self.variant {
            Variant::FillUnconditionally => true,
            Variant::RefreshUnconditionally if permit.refreshed.is_some() => true,
            Variant::FillIfAbsent => state.key.is_none(),
            _ => state.key.is_some_and(|stored| stored.id == permit.id),
        };
        if !stands {
            return Some(Step::Answered(Source::Refused, value));
        }
        let late = self.variant == Variant::StampWhenStoring;
        state.key = Some(Stored {
            id: state.fresh(),
            stamp: if late {
                self.stamp(state.records, state.readers[number].rights)
            } else {
                permit.stamp
            },
            value: Some(value),
        });
        Some(Step::Idle)
    }

    fn give_up(&self, state: &mut State, number: usize) -> Option<Step> {
        let Step::Running(permit) = state.readers[number].step else {
            return None;
        };
        self.answer(state, number, permit, None);
        Some(if let Some(value) = permit.refreshed {
            Step::Covering(permit.id, value)
        } else {
            state.key = None;
            Step::Idle
        })
    }
}

/// The request is authenticated, with the rights that the caller has now.
fn authenticate(state: &mut State, number: usize) {
    state.readers[number].floor = state.acknowledged;
    state.readers[number].rights = state.rights;
}
