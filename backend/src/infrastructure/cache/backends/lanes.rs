//! What the connections to both servers have in common.
//!
//! Come here to change which connection a thread uses. The connections themselves are in
//! `redis::connections` and `memcached::connections`.

use std::sync::atomic::{AtomicUsize, Ordering};

/// The number of this thread: those of the process are numbered in the order in which they come here.
pub(super) fn thread_number() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static NUMBER: usize = NEXT.fetch_add(1, Ordering::Relaxed);
    }
    NUMBER.with(|number| *number)
}
