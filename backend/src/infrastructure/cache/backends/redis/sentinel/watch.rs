//! The task that asks the Sentinels, and the current term.
//!
//! Come here to change how fast a failover is noticed. The argument for the two times is in [`super`].

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, Instant};

use redis::ConnectionInfo;
use tokio::task::JoinHandle;
use tokio::time::{sleep, sleep_until};

use super::ask::Sentinel;
use super::majority::{Answer, majority};
use super::term::Term;
use crate::backends::redis::topology_round::ask_all;

/// The time between the beginnings of two questions, if the first one has ended by then.
const PERIOD: Duration = Duration::from_millis(200);
/// How long a master is used after the beginning of the question that a majority answered with it. Longer than two questions that
/// take as long as they may, and half of that for late timers.
pub(in crate::backends::redis) const LEASE: Duration = Duration::from_millis(750);
/// The time from the first answer that names a master until it is used. Longer than the lease of any instance.
pub(in crate::backends::redis) const SETTLE: Duration = Duration::from_millis(800);
/// The longest time that a start waits for a master.
const START_WAIT: Duration = Duration::from_secs(2);

/// Watches the Sentinels until it is dropped.
#[derive(Debug)]
pub(in crate::backends::redis) struct Watch {
    seen: Arc<RwLock<Seen>>,
    task: JoinHandle<()>,
}

/// The answers so far.
#[derive(Debug)]
struct Seen {
    term: Option<Arc<Term>>,
    /// From when on the master may be used.
    settled: Instant,
    /// Until when it may be used.
    until: Instant,
    /// The reason that no master may be used, if none may.
    reason: String,
    /// The reasons of the Sentinels that did not name a master last.
    silent: Vec<String>,
}

impl Watch {
    /// Watches these Sentinels, each given with its name for messages. Starts a task, which needs a Tokio runtime.
    pub(in crate::backends::redis) fn start(
        sentinels: Vec<(String, ConnectionInfo)>,
        master: String,
    ) -> Self {
        let seen = Arc::new(RwLock::new(Seen::nothing()));
        let sentinels = sentinels
            .into_iter()
            .map(|(name, address)| Sentinel::new(name, address));
        let task = tokio::spawn(watch(sentinels.collect(), master, Arc::clone(&seen)));
        Self { seen, task }
    }

    /// The current term.
    ///
    /// # Errors
    /// No master may be used now, for this reason.
    pub(in crate::backends::redis) fn current(&self) -> Result<Arc<Term>, String> {
        read(&self.seen).current(Instant::now())
    }

    /// The number of the current term; `None` where no master may be used.
    pub(in crate::backends::redis) fn number(&self) -> Option<u64> {
        read(&self.seen).number(Instant::now())
    }

    /// From when on no instance uses an earlier master.
    pub(in crate::backends::redis) fn settled(&self) -> Instant {
        read(&self.seen).settled
    }

    /// Waits until a master may be used, but not for ever.
    pub(in crate::backends::redis) async fn wait(&self) {
        let until = Instant::now() + START_WAIT;
        while self.number().is_none() && Instant::now() < until {
            sleep(PERIOD / 10).await;
        }
    }

    /// The Sentinels that do not name a master, with their reasons, where a majority does; `None` where all do.
    pub(in crate::backends::redis) fn shortfall(&self) -> Option<String> {
        let seen = read(&self.seen);
        (!seen.silent.is_empty()).then(|| seen.silent.join("; "))
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Seen {
    fn nothing() -> Self {
        let now = Instant::now();
        Self {
            term: None,
            settled: now,
            until: now,
            reason: "the Sentinels have not been asked yet".to_owned(),
            silent: Vec::new(),
        }
    }

    fn holds(&self, now: Instant) -> bool {
        self.settled <= now && now < self.until
    }

    fn number(&self, now: Instant) -> Option<u64> {
        let term = self.term.as_ref().filter(|_| self.holds(now));
        term.map(|term| term.number)
    }

    fn current(&self, now: Instant) -> Result<Arc<Term>, String> {
        match &self.term {
            Some(term) if self.holds(now) => Ok(Arc::clone(term)),
            Some(_) if now < self.settled => Err("the Sentinels name another master".to_owned()),
            _ => Err(self.reason.clone()),
        }
    }

    /// Takes the answers so far, at `now`, to a question that began at `asked`. A missing answer is `None`.
    fn note(&mut self, answers: &[Option<Answer>], asked: Instant, now: Instant) {
        let is_complete = answers.iter().all(Option::is_some);
        if is_complete {
            let silent = answers.iter().flatten().cloned().filter_map(Result::err);
            self.silent = silent.collect();
        }
        match majority(answers) {
            Err(_) if !is_complete => {}
            Err(reason) => self.reason = reason,
            Ok(master) => {
                if self.term.as_ref().is_none_or(|term| term.master != master) {
                    let number = self.term.as_ref().map_or(0, |term| term.number) + 1;
                    if let Some(before) = &self.term {
                        before.end();
                        tracing::warn!(
                            master = format!("{}:{}", master.host, master.port),
                            "the Sentinels name another master"
                        );
                    }
                    self.term = Some(Arc::new(Term::new(number, master)));
                    self.settled = now + SETTLE;
                }
                self.until = asked + LEASE;
                "no majority of the Sentinels has answered in time".clone_into(&mut self.reason);
            }
        }
    }
}

/// Asks until the task ends.
async fn watch(mut sentinels: Vec<Sentinel>, master: String, seen: Arc<RwLock<Seen>>) {
    loop {
        let asked = Instant::now();
        let questions = sentinels.iter_mut().map(|sentinel| sentinel.ask(&master));
        ask_all(questions, |answers| {
            write(&seen).note(answers, asked, Instant::now());
        })
        .await;
        sleep_until((asked + PERIOD).into()).await;
    }
}

fn read(seen: &RwLock<Seen>) -> RwLockReadGuard<'_, Seen> {
    seen.read().unwrap_or_else(PoisonError::into_inner)
}

fn write(seen: &RwLock<Seen>) -> RwLockWriteGuard<'_, Seen> {
    seen.write().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::super::ask::ANSWER;
    use super::super::term::Master;
    use super::*;

    const MOMENT: Duration = Duration::from_millis(1);

    fn named(port: u16, failover: u64) -> Vec<Option<Answer>> {
        let master = Master {
            host: "10.0.0.1".to_owned(),
            port,
            failover,
        };
        vec![Some(Ok(master.clone())), None, Some(Ok(master))]
    }

    fn silence() -> Vec<Option<Answer>> {
        vec![Some(Err("silent".to_owned())); 3]
    }

    #[test]
    fn c60_a_new_master_is_used_when_no_instance_uses_the_old_one() {
        // Another instance asked at the last moment at which a majority could name the old master.
        let began = Instant::now();
        let (mut seen, mut other) = (Seen::nothing(), Seen::nothing());
        other.note(&named(1, 0), began, began);
        let asked = began + SETTLE;
        other.note(&named(1, 0), asked, asked + ANSWER);
        seen.note(&named(2, 1), asked, asked);
        for time in (0..3000).map(|time| asked + time * MOMENT) {
            seen.until = time + MOMENT;
            assert!(seen.number(time).is_none() || other.number(time).is_none());
        }
        assert_eq!(seen.number(asked + SETTLE), Some(1));
    }

    #[test]
    fn c60_a_master_is_used_without_a_gap_while_the_slowest_questions_succeed() {
        let began = Instant::now();
        let mut seen = Seen::nothing();
        for number in 0..9 {
            let asked = began + number * ANSWER.max(PERIOD);
            let answered = asked + ANSWER;
            let is_settled = answered >= began + ANSWER + SETTLE;
            assert_eq!(seen.holds(answered), is_settled, "question {number}");
            seen.note(&named(1, 0), asked, answered);
        }
    }

    #[test]
    fn c60_a_master_is_not_used_after_a_majority_has_been_silent_for_the_lease() {
        let asked = Instant::now();
        let mut seen = Seen::nothing();
        seen.note(&named(1, 0), asked, asked);
        seen.note(&named(1, 0), asked + SETTLE, asked + SETTLE);
        let last = asked + SETTLE;
        seen.note(&silence(), last + PERIOD, last + PERIOD);
        assert_eq!(seen.number(last + LEASE / 10 * 9), Some(1));
        assert_eq!(seen.number(last + LEASE), None);
        // It is still the same term when they answer again.
        seen.note(&named(1, 0), last + 9 * LEASE, last + 9 * LEASE);
        assert_eq!(seen.number(last + 9 * LEASE), Some(1));
    }

    #[test]
    fn c60_a_master_that_returns_by_another_failover_begins_another_term() {
        let asked = Instant::now();
        let mut seen = Seen::nothing();
        seen.note(&named(1, 0), asked, asked);
        let first = seen.term.clone().expect("a term");
        seen.note(&named(1, 2), asked + LEASE, asked + LEASE);
        assert!(first.has_ended());
        assert_eq!(seen.number(asked + LEASE), None, "it is not settled");
        seen.note(&named(1, 2), asked + LEASE + SETTLE, asked + LEASE + SETTLE);
        assert_eq!(seen.number(asked + LEASE + SETTLE), Some(2));
    }
}
