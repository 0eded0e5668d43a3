//! Single flight: one run of a handler that several requests of this process wait for (C34).
//!
//! A single flight has the id of the claim that it fills, or of the entry that it refreshes. A request may join it only
//! after it has *seen* that id in the backend. An acknowledged write has deleted the id, so no request joins a single
//! flight from before a write.
//!
//! Come here to change how requests of one process share an answer. Waiting for another instance is in
//! `decide`.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;
use tokio::time::Instant;
use tracing::Span;

use crate::stored::{Entry, ValueId};

/// The most single flights that are registered. Requests beyond that run alone.
const MAX_SINGLE_FLIGHTS: usize = 10_000;

/// The result of a single flight for its waiting requests: the entry, and the span of the run that gave it.
type Answer = Option<(Arc<Entry>, Span)>;

/// The single flights of this process that are under way.
#[derive(Debug, Default)]
pub(crate) struct SingleFlights(Mutex<HashMap<ValueId, UnderWay>>);

/// The view of a single flight that its waiting requests have.
#[derive(Clone, Debug)]
pub(crate) struct UnderWay {
    /// The moment just before the handler runs.
    pub(super) started: Instant,
    answer: watch::Receiver<Answer>,
}

/// The end of a single flight that the request which runs the handler holds. If it is dropped without an answer, the waiting
/// requests run their own handlers.
#[derive(Debug)]
pub(crate) struct SingleFlight {
    single_flights: Arc<SingleFlights>,
    id: ValueId,
    sender: watch::Sender<Answer>,
}

impl SingleFlights {
    /// Registers a single flight; `None` where one with that id is under way already, or
    /// [`MAX_SINGLE_FLIGHTS`] are.
    pub(crate) fn start(self: &Arc<Self>, id: ValueId) -> Option<SingleFlight> {
        let mut single_flights = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if single_flights.len() >= MAX_SINGLE_FLIGHTS || single_flights.contains_key(&id) {
            return None;
        }
        let (sender, answer) = watch::channel(None);
        let started = Instant::now();
        single_flights.insert(id, UnderWay { started, answer });
        Some(SingleFlight {
            single_flights: Arc::clone(self),
            id,
            sender,
        })
    }

    /// The single flight with that id, if this process runs it.
    pub(crate) fn find(&self, id: ValueId) -> Option<UnderWay> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&id)
            .cloned()
    }
}

impl SingleFlight {
    /// The id of the claim or of the entry.
    pub(crate) fn id(&self) -> ValueId {
        self.id
    }

    /// Gives the answer to all waiting requests.
    pub(crate) fn answer(&self, entry: Arc<Entry>) {
        self.sender.send_replace(Some((entry, Span::current())));
    }
}

impl Drop for SingleFlight {
    fn drop(&mut self) {
        self.single_flights
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&self.id);
    }
}

impl UnderWay {
    /// Waits for the answer; `None` where the single flight ended without an answer that may be shared. The caller sets
    /// the deadline. The span that is entered is linked to that of the run.
    pub(crate) async fn join(mut self) -> Option<Arc<Entry>> {
        let answer = self.answer.wait_for(Option::is_some).await.ok()?.clone();
        let (entry, run) = answer?;
        Span::current().follows_from(&run);
        Some(entry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watchdog;

    #[tokio::test]
    async fn c34_a_dropped_single_flight_leaves_no_request_waiting() {
        watchdog::watch();
        let single_flights = Arc::new(SingleFlights::default());
        let single_flight = single_flights.start(ValueId(1)).unwrap();
        let under_way = single_flights.find(ValueId(1)).unwrap();
        drop(single_flight);
        assert!(under_way.join().await.is_none());
        assert!(single_flights.find(ValueId(1)).is_none());
    }

    #[tokio::test]
    async fn c34_a_second_single_flight_of_the_same_claim_is_refused() {
        watchdog::watch();
        let single_flights = Arc::new(SingleFlights::default());
        let _flight = single_flights.start(ValueId(1)).unwrap();
        assert!(single_flights.start(ValueId(1)).is_none());
    }
}
