//! Single flight: one run of a handler that several requests of this process wait for (C34).
//!
//! A single flight has the id of the claim (or of the ageing entry) that it answers for. A request may
//! join it only after it has *seen* that id in the backend: a write that was acknowledged earlier has
//! deleted it, so no request joins a single flight from before a write.
//!
//! Come here to change how requests of one process share an answer. Waiting for another instance is in
//! `decide`.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;
use tokio::time::Instant;

use crate::infrastructure::cache::stored::{Entry, ValueId};

/// The most single flights that are registered. Requests beyond that run alone.
const MAX_SINGLE_FLIGHTS: usize = 10_000;

/// The result of a single flight for its waiting requests.
type Landing = Option<Arc<Entry>>;

/// The single flights of this process that are under way.
#[derive(Debug, Default)]
pub(in crate::infrastructure::cache) struct SingleFlights(Mutex<HashMap<ValueId, UnderWay>>);

/// A single flight, as its waiting requests see it.
#[derive(Clone, Debug)]
pub(in crate::infrastructure::cache) struct UnderWay {
    /// The moment just before the handler runs.
    pub(super) started: Instant,
    landing: watch::Receiver<Landing>,
}

/// Held by the request that runs the handler. When it is dropped without an answer, for whatever reason,
/// the waiting requests run their own handlers.
#[derive(Debug)]
pub(in crate::infrastructure::cache) struct SingleFlight {
    single_flights: Arc<SingleFlights>,
    id: ValueId,
    sender: watch::Sender<Landing>,
}

impl SingleFlights {
    /// Registers a single flight; `None` where one with that id is under way already, or
    /// [`MAX_SINGLE_FLIGHTS`] are.
    pub(in crate::infrastructure::cache) fn start(
        self: &Arc<Self>,
        id: ValueId,
    ) -> Option<SingleFlight> {
        let mut single_flights = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if single_flights.len() >= MAX_SINGLE_FLIGHTS || single_flights.contains_key(&id) {
            return None;
        }
        let (sender, landing) = watch::channel(None);
        let started = Instant::now();
        single_flights.insert(id, UnderWay { started, landing });
        Some(SingleFlight {
            single_flights: Arc::clone(self),
            id,
            sender,
        })
    }

    /// The single flight with that id, if this process runs it.
    pub(in crate::infrastructure::cache) fn find(&self, id: ValueId) -> Option<UnderWay> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&id)
            .cloned()
    }
}

impl SingleFlight {
    /// Gives the answer to all waiting requests.
    pub(in crate::infrastructure::cache) fn land(&self, entry: Arc<Entry>) {
        self.sender.send_replace(Some(entry));
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
    /// Waits for the single flight to land; `None` where it ended without an answer that may be shared.
    pub(in crate::infrastructure::cache) async fn join(mut self) -> Landing {
        self.landing
            .wait_for(Option::is_some)
            .await
            .ok()
            .and_then(|landing| landing.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::infrastructure::cache::watchdog;

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
