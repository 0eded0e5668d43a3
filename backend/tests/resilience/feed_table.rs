//! The table of recorded changes under steady writes: it is empty soon after them, and stays small on disk (C54).
//!
//! Come here after changing the table's settings for vacuum, or the statements of a pass. Rows that nobody delivers are in
//! `feed_faults`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::feed::Site;
use crate::figures::soaking;
use crate::support::eventually;
use crate::support::server::Kind;

const WRITERS: usize = 4;
const TIME: Duration = Duration::from_secs(10);
const TIME_IN_SOAK: Duration = Duration::from_mins(10);
/// The most bytes of the table with its index. 2 000 dead rows have about 300 kB until the next vacuum, which comes within
/// PostgreSQL's `autovacuum_naptime` (a minute): some 100 000 rows on a fast machine.
const BOUND: i64 = 64 << 20;

async fn size(site: &Site) -> i64 {
    let bytes = sqlx::query_scalar("SELECT pg_total_relation_size('cache_changes')");
    bytes.fetch_one(&site.pool).await.unwrap()
}

/// Ten minutes in the soak.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c54_the_table_is_empty_after_the_last_write_and_bounded_on_disk() {
    let site = Arc::new(Site::prepare(Kind::Redis).await);
    let began = Instant::now();
    let time = if soaking() { TIME_IN_SOAK } else { TIME };
    let writes = Arc::new(AtomicU64::new(0));
    let mut tasks = tokio::task::JoinSet::new();
    for writer in 0..WRITERS {
        let (site, writes) = (Arc::clone(&site), Arc::clone(&writes));
        tasks.spawn(async move {
            for number in 0_u64.. {
                if began.elapsed() >= time {
                    return;
                }
                let name = format!("writer {writer}, write {number}");
                assert_eq!(site.rename(writer % 2, &name).await, 200);
                writes.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    let (mut largest, mut halfway) = (0, 0);
    while began.elapsed() < time {
        let now = size(&site).await;
        largest = largest.max(now);
        if began.elapsed() < time / 2 {
            halfway = largest;
        }
        // The pace of the measurement.
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    while let Some(ended) = tasks.join_next().await {
        ended.expect("no panic");
    }
    let ended = Instant::now();
    eventually("the table is empty", async || site.undelivered().await == 0).await;
    println!(
        "{} writes in {time:?}: the table was empty {:.0?} after the last one; its largest size was {} kB, {} kB in the first half",
        writes.load(Ordering::Relaxed),
        ended.elapsed(),
        largest / 1024,
        halfway / 1024
    );
    assert!(largest <= BOUND, "{largest} bytes");
}
