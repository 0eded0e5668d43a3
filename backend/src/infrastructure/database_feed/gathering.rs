//! How many writes share a pass.
//!
//! Come here for another wait under load. What a pass does is in `drain`.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

/// The longest time that a pass waits for more writes to share it, while requests wait for a connection to the database.
const GATHERING: Duration = Duration::from_millis(3);
/// The most writes that share one pass.
pub(super) const MOST_SHARING: usize = 10_000;

/// Lets more writes share the next pass, as long as requests wait for a connection (`is_busy`): then the statements of a pass
/// take time from them, and a write that waits longer for its pass costs no throughput. Otherwise a pass begins at once.
pub(super) async fn gather<T>(
    group: &mut Vec<T>,
    requests: &mut mpsc::Receiver<T>,
    is_busy: impl Fn() -> bool,
) {
    let until = Instant::now() + GATHERING;
    while is_busy() && group.len() < MOST_SHARING {
        let room = MOST_SHARING - group.len();
        match timeout_at(until, requests.recv_many(group, room)).await {
            Ok(received) if received > 0 => {}
            // Nobody asks any more, or the time is over.
            _ => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::watchdog;

    #[tokio::test]
    async fn a_pass_waits_for_more_writes_only_while_requests_wait_for_a_connection() {
        watchdog::watch();
        let (sender, mut requests) = mpsc::channel(10);
        sender.send(2).await.unwrap();
        let mut group = vec![1];
        gather(&mut group, &mut requests, || false).await;
        assert_eq!(group, [1]);

        let looks = Cell::new(0);
        let until_the_third_look = || {
            looks.set(looks.get() + 1);
            looks.get() < 3
        };
        let later = async {
            tokio::task::yield_now().await;
            sender.send(3).await.unwrap();
            sender.send(4).await.unwrap();
        };
        tokio::join!(
            gather(&mut group, &mut requests, until_the_third_look),
            later
        );
        assert_eq!(group, [1, 2, 3, 4]);

        // Nothing comes, and the wait ends.
        gather(&mut group, &mut requests, || true).await;
        drop(sender);
        gather(&mut group, &mut requests, || true).await;
        assert_eq!(group, [1, 2, 3, 4]);
    }
}
