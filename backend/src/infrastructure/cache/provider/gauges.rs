//! The gauges of the cache (C62): states that are looked at when they are asked for.
//!
//! Come here to add a state. Events are counted where they happen: see `measurements`.

use metrics::{Unit, counter, describe_counter, describe_gauge, gauge};

use super::cache::Cache;
use crate::measurements;

const STATE: &str = "cache_backend_state";
const PENDING: &str = "cache_pending_deletions";
const OTHER_KEYS: &str = "cache_values_of_other_keys_total";
const BYTES: &str = "cache_store_bytes";
const ENTRIES: &str = "cache_store_entries";
const STALE: &str = "cache_stale_entries_total";

impl Cache {
    /// Describes the metrics of the cache to the recorder of the crate `metrics`.
    pub fn describe_metrics() {
        measurements::describe();
        describe_gauge!(
            STATE,
            "1 for the state that the backend is in, 0 for the others"
        );
        describe_gauge!(
            PENDING,
            "Deletions that the server has not received yet; those of everything count as one"
        );
        describe_counter!(
            OTHER_KEYS,
            "Values that arrived under a key other than their own, and were not used"
        );
        describe_gauge!(BYTES, Unit::Bytes, "Memory of the values in this process");
        describe_gauge!(ENTRIES, "Values in this process");
        describe_counter!(
            STALE,
            "Entries that running their handler again found stale (CACHE_VERIFY_PERCENT)"
        );
    }

    /// Sets the gauges to the present states, and the counters that are kept elsewhere.
    pub fn record_gauges(&self) {
        counter!(STALE).absolute(self.stale_entries_found());
        let backends = self.shared.backends();
        for backend in backends.flat_map(|registered| registered.servers.all()) {
            let name = &backend.registered_name;
            for (state, is_current) in backend.states() {
                let value = f64::from(u8::from(is_current));
                gauge!(STATE, "backend" => name.clone(), "state" => state).set(value);
            }
            gauge!(PENDING, "backend" => name.clone()).set(as_gauge(backend.pending_deletions()));
            counter!(OTHER_KEYS, "backend" => name.clone())
                .absolute(backend.values_of_other_keys());
            if let Some(kept) = backend.unguarded.in_process() {
                let labels = [("backend", name.clone()), ("store", kept.store.to_owned())];
                gauge!(BYTES, &labels).set(as_gauge(kept.bytes));
                gauge!(ENTRIES, &labels).set(as_gauge(kept.entries));
            }
        }
    }
}

/// A number as the value of a gauge: exact up to 2⁵³.
#[expect(
    clippy::cast_precision_loss,
    reason = "a gauge is a float, and no process holds 2⁵³ of anything"
)]
fn as_gauge(number: usize) -> f64 {
    number as f64
}
