//! The model of the database feed: rows in a table, passes of two instances, writes that wait for them, instances that are
//! killed or cut off from the cache, and recovery.
//!
//! Come here when the protocol of `database_feed` changes. The steps are in `feed_steps`, what must hold in
//! `feed_properties`.

use stateright::{Model, Property};

/// The number of instances.
pub const INSTANCES: usize = 2;
/// The most writers. The last one of a model writes past the service.
pub const WRITERS: usize = 3;

/// The checked configuration.
#[derive(Clone, Copy, Debug)]
pub struct Feed {
    /// The number of writers, each of which writes once.
    pub writers: usize,
    /// Whether one process may be killed, at any moment. Another one starts in its place.
    pub kills: bool,
    /// The number of instances that may be cut off from the cache, once each.
    pub cut_offs: usize,
    /// The step that is removed from the protocol.
    pub lacks: Option<Lack>,
}

/// A step that is removed from the protocol. Each variant says what happens instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lack {
    /// A pass leaves out rows that another one has taken (`SKIP LOCKED`).
    WaitForTakenRows,
    /// A pass removes its rows before their delivery is confirmed.
    RemovalAfterDelivery,
    /// A pass removes every row up to the largest number that it delivered.
    RemovalByRow,
    /// A write joins a pass that has begun already.
    PassAfterCommit,
    /// A write whose instance does not reach the cache is answered at once.
    WaitForOthers,
    /// Once a write has waited in vain, later ones are answered without a look whether its row is still there.
    LookAfterWaitingInVain,
    /// A recovered backend is trusted although changes from before are in the table.
    DeliveryBeforeTrust,
    /// A recovered backend is trusted after one pass, which may have begun before a write that was answered meanwhile.
    SecondPassBeforeTrust,
}

/// What became of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Stage {
    Idle,
    /// Its row has a number, and nobody sees it.
    Begun,
    /// Its row is in the table, and no pass for it has begun.
    Committed,
    /// It is answered with the pass that its instance makes.
    InPass,
    /// It is answered when no row up to that number is left.
    WaitsForOthers(u8),
    Answered,
    /// Nobody waits for an answer any more, or it was past the service.
    Unanswered,
}

/// A write and its row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Write {
    pub stage: Stage,
    /// The instance; `None` past the service.
    pub instance: Option<usize>,
    /// The row's number, from the beginning of the transaction.
    pub number: u8,
    /// The version of the data that it made; 0 before the commit.
    pub version: u8,
    /// Whether its row is in the table.
    pub is_in_table: bool,
    /// The pass that has taken the row.
    pub taken_by: Option<usize>,
}

/// A pass. Sets of rows are bits by writer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Pass {
    /// The rows that it sees.
    pub seen: u8,
    /// Whether it has taken them, after waiting for those that another pass had.
    pub has_taken: bool,
    /// Whether the cache has confirmed their deletions.
    pub is_delivered: bool,
}

/// An instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Instance {
    pub reaches_cache: bool,
    pub was_cut_off: bool,
    pub trusts: bool,
    /// Passes that have ended since the recovery began.
    pub recovery_passes: u8,
    pub pass: Option<Pass>,
    /// The largest number for which a write has waited in vain.
    pub in_vain: Option<u8>,
}

/// The state of everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct State {
    /// The version of the data.
    pub database: u8,
    /// The version in the entry.
    pub entry: Option<u8>,
    /// The newest version of an answered write.
    pub acknowledged: u8,
    /// Numbers that were given to rows.
    pub numbers: u8,
    pub writes: [Write; WRITERS],
    pub instances: [Instance; INSTANCES],
    pub killed: bool,
    /// Whether a pass was rolled back after the cache had confirmed it.
    pub undone: bool,
}

/// One atomic step. Numbers are those of instances, and of writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// The transaction of a write begins, and takes a number.
    Begin(usize, Option<usize>),
    Commit(usize),
    /// `pass`: the instance begins a pass for the writes that wait, for its recovery, or since it has looked.
    BeginPass(usize),
    /// A write waits for the pass that is under way.
    Join(usize),
    /// `take`, after the wait for taken rows.
    Take(usize),
    /// `deliver`: confirmed, or failed.
    Deliver(usize),
    /// The pass is committed, and its writes are answered.
    CommitPass(usize),
    /// `release`: no row is left for which the write waits.
    Release(usize),
    /// A second has passed, in which no instance delivered.
    GiveUp(usize),
    /// The same for an instance without a write that waits: it has watched a row.
    Watch(usize),
    /// A handler reads the database and fills the entry.
    Fill(usize),
    Kill(usize),
    CutOff(usize),
    Mend(usize),
    /// An operation of the cache fails.
    Notice(usize),
    /// The recovered cache is trusted.
    Trust(usize),
}

impl Feed {
    pub fn lacks(self, lack: Lack) -> bool {
        self.lacks == Some(lack)
    }
}

impl State {
    /// The rows that are in the table, as bits.
    pub fn visible(&self) -> u8 {
        self.rows(|write| write.is_in_table)
    }

    pub fn rows(&self, fits: impl Fn(&Write) -> bool) -> u8 {
        let numbered = self.writes.iter().enumerate();
        numbered
            .filter(|(_, write)| fits(write))
            .fold(0, |rows, (number, _)| rows | 1 << number)
    }

    /// Whether an instance answers with an entry from before this version.
    pub fn answers_from_before(&self, version: u8) -> bool {
        let serves = |instance: &Instance| instance.trusts && instance.reaches_cache;
        self.entry.is_some_and(|entry| entry < version) && self.instances.iter().any(serves)
    }
}

impl Model for Feed {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let write = Write {
            stage: Stage::Idle,
            instance: None,
            number: 0,
            version: 0,
            is_in_table: false,
            taken_by: None,
        };
        let instance = Instance {
            reaches_cache: true,
            was_cut_off: false,
            trusts: true,
            recovery_passes: 0,
            pass: None,
            in_vain: None,
        };
        vec![State {
            database: 0,
            entry: Some(0),
            acknowledged: 0,
            numbers: 0,
            writes: [write; WRITERS],
            instances: [instance; INSTANCES],
            killed: false,
            undone: false,
        }]
    }

    fn actions(&self, _: &State, actions: &mut Vec<Action>) {
        for instance in 0..INSTANCES {
            actions.extend(
                [
                    Action::BeginPass,
                    Action::Take,
                    Action::Deliver,
                    Action::CommitPass,
                    Action::Fill,
                    Action::Kill,
                    Action::CutOff,
                    Action::Mend,
                    Action::Notice,
                    Action::Watch,
                    Action::Trust,
                ]
                .map(|action| action(instance)),
            );
        }
        let by_hand = self.writers - 1;
        for write in 0..self.writers {
            if write == by_hand {
                actions.push(Action::Begin(write, None));
            } else {
                actions.extend((0..INSTANCES).map(|on| Action::Begin(write, Some(on))));
            }
            actions.extend(
                [
                    Action::Commit,
                    Action::Join,
                    Action::Release,
                    Action::GiveUp,
                ]
                .map(|action| action(write)),
            );
        }
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut state = *last;
        self.step(&mut state, action)?;
        (state != *last).then_some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let mut properties = vec![
            Property::always(
                "no answer is from before an acknowledged write",
                |_, state: &State| !state.answers_from_before(state.acknowledged),
            ),
            Property::always(
                "an entry from before a change stands only while the change is in the table",
                |_, state: &State| {
                    state.writes.iter().all(|write| {
                        let is_old = state.entry.is_some_and(|entry| entry < write.version);
                        !is_old || write.is_in_table
                    })
                },
            ),
            Property::sometimes(
                "every change is delivered",
                |model: &Self, state: &State| {
                    usize::from(state.database) == model.writers && state.visible() == 0
                },
            ),
        ];
        if self.kills {
            properties.push(Property::sometimes(
                "a pass is undone after its delivery, and made again",
                |_, state: &State| state.undone && state.visible() == 0,
            ));
        }
        if self.cut_offs > 0 {
            properties.push(Property::sometimes(
                "an instance recovers",
                |_, state: &State| {
                    let recovered = |instance: &Instance| {
                        instance.was_cut_off && instance.recovery_passes > 0 && instance.trusts
                    };
                    state.acknowledged > 0 && state.instances.iter().any(recovered)
                },
            ));
        }
        properties
    }
}
