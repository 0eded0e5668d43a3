//! The steps of the model of the database feed.
//!
//! Come here to see what one step changes. The state and the properties are in `feed`.

use crate::feed::{Action, Feed, Instance, Lack, Pass, Stage, State};

/// Passes after which a recovered cache is trusted.
const PASSES_BEFORE_TRUST: u8 = 2;

impl Feed {
    /// Takes a step; `None` where it cannot be taken.
    pub fn step(self, state: &mut State, action: Action) -> Option<()> {
        match action {
            Action::Begin(write, instance) => {
                let begun = &mut state.writes[write];
                if begun.stage != Stage::Idle {
                    return None;
                }
                state.numbers += 1;
                begun.number = state.numbers;
                begun.instance = instance;
                begun.stage = Stage::Begun;
            }
            Action::Commit(write) => commit(state, write)?,
            Action::BeginPass(on) => begin_pass(state, on)?,
            Action::Join(write) => {
                let instance = state.writes[write].instance?;
                let may_join = self.lacks(Lack::PassAfterCommit)
                    && state.writes[write].stage == Stage::Committed
                    && state.instances[instance].pass.is_some();
                may_join.then_some(())?;
                state.writes[write].stage = Stage::InPass;
            }
            Action::Take(on) => self.take(state, on)?,
            Action::Deliver(on) => self.deliver(state, on)?,
            Action::CommitPass(on) => self.commit_pass(state, on)?,
            Action::Release(write) => {
                let Stage::WaitsForOthers(largest) = state.writes[write].stage else {
                    return None;
                };
                (state.rows(|row| row.is_in_table && row.number <= largest) == 0).then_some(())?;
                answer(state, write);
            }
            Action::GiveUp(write) => give_up(state, write)?,
            Action::Watch(on) => watch(state, on)?,
            Action::Fill(on) => {
                let instance = state.instances[on];
                let fills = instance.trusts && instance.reaches_cache && state.entry.is_none();
                fills.then_some(())?;
                state.entry = Some(state.database);
            }
            Action::Kill(on) => self.kill(state, on)?,
            _ => self.change_connection(state, action)?,
        }
        Some(())
    }

    fn take(self, state: &mut State, on: usize) -> Option<()> {
        let pass = state.instances[on].pass.filter(|pass| !pass.has_taken)?;
        let taken = state.rows(|row| row.taken_by.is_some_and(|other| other != on));
        if pass.seen & taken != 0 && !self.lacks(Lack::WaitForTakenRows) {
            return None;
        }
        for (number, row) in state.writes.iter_mut().enumerate() {
            // Rows that another pass has removed meanwhile are left out.
            if pass.seen & 1 << number != 0 && row.is_in_table && row.taken_by.is_none() {
                row.taken_by = Some(on);
                row.is_in_table = !self.lacks(Lack::RemovalAfterDelivery);
            }
        }
        state.instances[on].pass = Some(Pass {
            has_taken: true,
            ..pass
        });
        Some(())
    }

    fn deliver(self, state: &mut State, on: usize) -> Option<()> {
        let pass = state.instances[on]
            .pass
            .filter(|pass| pass.has_taken && !pass.is_delivered)?;
        let has_rows = state.writes.iter().any(|row| row.taken_by == Some(on));
        if state.instances[on].reaches_cache || !has_rows {
            if has_rows {
                state.entry = None;
            }
            state.instances[on].pass = Some(Pass {
                is_delivered: true,
                ..pass
            });
            return Some(());
        }
        roll_back(state, on);
        notice(&mut state.instances[on]);
        self.wait_for_others(state, on);
        Some(())
    }

    /// `answer`, for the writes of a pass that could not be delivered.
    fn wait_for_others(self, state: &mut State, on: usize) {
        let in_table = state.writes.iter().filter(|row| row.is_in_table);
        let largest = in_table.map(|row| row.number).max().unwrap_or(0);
        let waits_in_vain = state.instances[on].in_vain.is_some_and(|number| {
            self.lacks(Lack::LookAfterWaitingInVain)
                || state.rows(|row| row.is_in_table && row.number == number) != 0
        });
        if !waits_in_vain {
            state.instances[on].in_vain = None;
        }
        for write in 0..state.writes.len() {
            let waiting = state.writes[write];
            if waiting.instance == Some(on) && waiting.stage == Stage::InPass {
                if waits_in_vain || self.lacks(Lack::WaitForOthers) {
                    answer(state, write);
                } else {
                    state.writes[write].stage = Stage::WaitsForOthers(largest);
                }
            }
        }
    }

    fn commit_pass(self, state: &mut State, on: usize) -> Option<()> {
        state.instances[on].pass.filter(|pass| pass.is_delivered)?;
        let taken = state.writes.iter().filter(|row| row.taken_by == Some(on));
        let largest = taken.map(|row| row.number).max().unwrap_or(0);
        let by_number = self.lacks(Lack::RemovalByRow);
        for row in &mut state.writes {
            let is_removed = row.taken_by == Some(on)
                || by_number && row.is_in_table && row.taken_by.is_none() && row.number <= largest;
            if is_removed {
                row.is_in_table = false;
                row.taken_by = None;
            }
        }
        for write in 0..state.writes.len() {
            let waiting = state.writes[write];
            if waiting.instance == Some(on) && waiting.stage == Stage::InPass {
                answer(state, write);
            }
        }
        let instance = &mut state.instances[on];
        instance.pass = None;
        instance.in_vain = None;
        if !instance.trusts && instance.reaches_cache {
            instance.recovery_passes = (instance.recovery_passes + 1).min(PASSES_BEFORE_TRUST);
        }
        Some(())
    }

    fn kill(self, state: &mut State, on: usize) -> Option<()> {
        (self.kills && !state.killed).then_some(())?;
        state.killed = true;
        roll_back(state, on);
        for write in &mut state.writes {
            let waits = !matches!(
                write.stage,
                Stage::Idle | Stage::Answered | Stage::Unanswered
            );
            if write.instance == Some(on) && waits {
                write.stage = Stage::Unanswered;
            }
        }
        let killed = &mut state.instances[on];
        notice(killed);
        killed.in_vain = None;
        Some(())
    }

    fn change_connection(self, state: &mut State, action: Action) -> Option<()> {
        let cut = state.instances.iter().filter(|one| one.was_cut_off).count();
        match action {
            Action::CutOff(on) if cut < self.cut_offs && !state.instances[on].was_cut_off => {
                state.instances[on].was_cut_off = true;
                state.instances[on].reaches_cache = false;
            }
            Action::Mend(on) if !state.instances[on].reaches_cache => {
                state.instances[on].reaches_cache = true;
            }
            Action::Notice(on) if !state.instances[on].reaches_cache => {
                notice(&mut state.instances[on]);
            }
            Action::Trust(on) if !state.instances[on].trusts => {
                let needed = match self.lacks {
                    Some(Lack::DeliveryBeforeTrust) => 0,
                    Some(Lack::SecondPassBeforeTrust) => 1,
                    _ => PASSES_BEFORE_TRUST,
                };
                let instance = &mut state.instances[on];
                let may_trust = instance.reaches_cache && instance.recovery_passes >= needed;
                may_trust.then_some(())?;
                instance.trusts = true;
            }
            _ => return None,
        }
        Some(())
    }
}

fn commit(state: &mut State, write: usize) -> Option<()> {
    let committed = &mut state.writes[write];
    (committed.stage == Stage::Begun).then_some(())?;
    state.database += 1;
    committed.version = state.database;
    committed.is_in_table = true;
    committed.stage = match committed.instance {
        Some(_) => Stage::Committed,
        None => Stage::Unanswered,
    };
    Some(())
}

/// The group is complete before the pass sees the table: all of its writes have committed.
fn begin_pass(state: &mut State, on: usize) -> Option<()> {
    let instance = state.instances[on];
    instance.pass.is_none().then_some(())?;
    let mut has_group = false;
    for write in &mut state.writes {
        if write.instance == Some(on) && write.stage == Stage::Committed {
            write.stage = Stage::InPass;
            has_group = true;
        }
    }
    let seen = state.visible();
    let recovers = !instance.trusts && instance.reaches_cache;
    // A pass that neither sees nor answers nor recovers anything changes nothing.
    (has_group || seen != 0 || recovers).then_some(())?;
    state.instances[on].pass = Some(Pass {
        seen,
        has_taken: false,
        is_delivered: false,
    });
    Some(())
}

/// An instance that trusts the cache looks four times a second: within the second it delivers, or notices that it cannot. A
/// recovery that has begun ends within it too.
fn give_up(state: &mut State, write: usize) -> Option<()> {
    let Stage::WaitsForOthers(largest) = state.writes[write].stage else {
        return None;
    };
    let on = state.writes[write].instance?;
    no_instance_delivers(state).then_some(())?;
    state.instances[on].in_vain = Some(largest);
    answer(state, write);
    Some(())
}

fn watch(state: &mut State, on: usize) -> Option<()> {
    no_instance_delivers(state).then_some(())?;
    let in_table = state.writes.iter().filter(|row| row.is_in_table);
    state.instances[on].in_vain = Some(in_table.map(|row| row.number).max()?);
    Some(())
}

fn no_instance_delivers(state: &State) -> bool {
    state.instances.iter().all(|instance| {
        !instance.trusts && instance.recovery_passes == 0 && instance.pass.is_none()
    })
}

fn answer(state: &mut State, write: usize) {
    state.writes[write].stage = Stage::Answered;
    state.acknowledged = state.acknowledged.max(state.writes[write].version);
}

fn notice(instance: &mut Instance) {
    instance.trusts = false;
    instance.recovery_passes = 0;
}

/// The transaction of a pass ends without a commit: its rows are there for others.
fn roll_back(state: &mut State, on: usize) {
    if state.instances[on]
        .pass
        .is_some_and(|pass| pass.is_delivered)
    {
        state.undone |= state.writes.iter().any(|row| row.taken_by == Some(on));
    }
    for row in &mut state.writes {
        if row.taken_by == Some(on) {
            row.taken_by = None;
        }
    }
    state.instances[on].pass = None;
}
