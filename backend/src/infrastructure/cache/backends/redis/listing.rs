//! Listing keys: SCAN in bounded steps, and the first bytes of each value.
//!
//! Come here when a list of entries is slow or incomplete. No command here changes a value.

use std::time::Duration;

use bytes::Bytes;
use redis::Value;

use super::answers::failed;
use super::connections::{Lanes, Placed};
use crate::backends::contract::{BackendError, LISTED_BYTES, Listing};
use crate::backends::glob;

/// The number of keys that one SCAN looks at, at least.
const SCAN_COUNT: usize = 100;
/// The most steps of one call.
const STEPS: usize = 100;

/// See [`CacheBackend::list`](crate::backends::CacheBackend::list). The deadline is that of one command.
pub(super) async fn list(
    lanes: &Lanes,
    deadline: Duration,
    prefix: &str,
    cursor: u64,
    limit: usize,
) -> Result<Listing, BackendError> {
    let pattern = format!("{}*", glob::escape(prefix));
    let mut part = Listing {
        next: cursor,
        ..Listing::default()
    };
    for _ in 0..STEPS {
        let mut scan = redis::pipe();
        let step = scan.cmd("SCAN").arg(part.next).arg("MATCH").arg(&pattern);
        step.arg("COUNT").arg(SCAN_COUNT).arg("TYPE").arg("string");
        let ((next, keys),): ((u64, Vec<Bytes>),) = run(lanes, deadline, &scan).await?;
        part.values.extend(with_heads(lanes, deadline, keys).await?);
        part.next = next;
        if next == 0 || part.values.len() >= limit {
            break;
        }
    }
    Ok(part)
}

/// The keys with the first bytes of their values. A key that has ended meanwhile is left out.
async fn with_heads(
    lanes: &Lanes,
    deadline: Duration,
    keys: Vec<Bytes>,
) -> Result<Vec<(String, Bytes)>, BackendError> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let mut heads = redis::pipe();
    for key in &keys {
        let head = heads.cmd("GETRANGE").arg(&key[..]);
        // A value of another type that has replaced the entry is an error of this command alone.
        head.arg(0).arg(LISTED_BYTES - 1).ignore_errors();
    }
    let heads: Vec<Value> = run(lanes, deadline, &heads).await?;
    let listed = keys.iter().zip(heads).filter_map(|(key, head)| {
        let key = std::str::from_utf8(key).ok()?.to_owned();
        match head {
            Value::BulkString(head) if !head.is_empty() => Some((key, Bytes::from(head))),
            _ => None,
        }
    });
    Ok(listed.collect())
}

async fn run<T: redis::FromRedisValue>(
    lanes: &Lanes,
    deadline: Duration,
    commands: &redis::Pipeline,
) -> Result<T, BackendError> {
    let question = |mut placed: Placed| async move {
        let answer = commands.query_async(&mut placed.connection).await;
        answer.map_err(|error| failed(lanes, placed.place, error))
    };
    lanes.ask(deadline, question).await
}
