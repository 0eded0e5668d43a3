//! Counters: each change is one script, so it is atomic and takes one round trip.
//!
//! Come here when a counter has a wrong value. The caller decides the meaning of a count.

use std::time::Duration;

use redis::Cmd;

use super::answers::{failed, milliseconds};
use super::connections::Lanes;
use crate::backends::contract::{BackendError, Count};

/// Adds one. A counter without an expiry gets one. Otherwise a client could be refused for ever.
const INCREMENT: &str = "\
local count = redis.call('INCR', KEYS[1])
local remaining = redis.call('PTTL', KEYS[1])
if remaining < 0 then
  redis.call('PEXPIRE', KEYS[1], ARGV[1])
  remaining = tonumber(ARGV[1])
end
return {count, remaining}";

/// Subtracts one from a counter, but not below 0 and not from an absent one.
const DECREMENT: &str = "\
local count = redis.call('GET', KEYS[1])
if count and tonumber(count) > 0 then
  return {redis.call('DECR', KEYS[1]), 0}
end
return {0, 0}";

/// Adds one to a counter.
pub(super) async fn increment(
    lanes: &Lanes,
    deadline: Duration,
    key: &str,
    expiration: Duration,
) -> Result<Count, BackendError> {
    let mut call = script(INCREMENT, key);
    call.arg(milliseconds(expiration));
    let (value, remaining) = run(lanes, deadline, &call).await?;
    Ok(Count {
        value,
        remaining: Duration::from_millis(remaining),
    })
}

/// Subtracts one from a counter.
pub(super) async fn decrement(
    lanes: &Lanes,
    deadline: Duration,
    key: &str,
) -> Result<(), BackendError> {
    run(lanes, deadline, &script(DECREMENT, key))
        .await
        .map(drop)
}

/// The script is sent as text and not by its hash. It is short, and a hash that the server does not know would cost a
/// second round trip.
fn script(text: &str, key: &str) -> Cmd {
    let mut call = redis::cmd("EVAL");
    call.arg(text).arg(1).arg(key);
    call
}

async fn run(lanes: &Lanes, deadline: Duration, call: &Cmd) -> Result<(u64, u64), BackendError> {
    let mut placed = lanes.of_thread().await?;
    // Without an answer it is unknown whether the counter was changed, so the command is not repeated.
    let answer = call.query_async::<(u64, u64)>(&mut placed.connection);
    let answer = lanes.watched(placed.place, deadline / 2, answer);
    answer
        .await
        .map_err(|error| failed(lanes, placed.place, error))
}
