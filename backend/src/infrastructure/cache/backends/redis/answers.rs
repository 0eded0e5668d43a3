//! Answers and errors of Redis, and their meaning.
//!
//! Come here when an answer of the server is misread. No command is sent from here.

use std::time::Duration;

use bytes::Bytes;
use redis::{RedisError, ServerError, Value, from_redis_value};

use super::connections::{Lanes, Placed};
use super::redirection::redirection;
use crate::backends::contract::{BackendError, Found, Version};
use crate::backends::head::{HEAD_BYTES, MAGIC};
use crate::backends::lanes::Place;

/// The codes of errors of a server that has no data, refuses the login, or is read-only. Another server may have taken
/// its place behind the same name, or a proxy may have replaced its connection to the server. So all connections are
/// closed, and new ones lead to the right server and log in.
const ELSEWHERE: [&str; 5] = ["READONLY", "LOADING", "MASTERDOWN", "NOAUTH", "CLUSTERDOWN"];
/// The codes of errors of an available server that stores no new value: it is full, or cannot save or replicate.
const FULL: [&str; 3] = ["OOM", "MISCONF", "NOREPLICAS"];

/// The meaning of an error. An error of the connection closes all connections, since the others are
/// probably lost too.
pub(super) fn failed(lanes: &Lanes, place: Place, error: RedisError) -> BackendError {
    if error.is_unrecoverable_error() || error.is_connection_dropped() || error.is_io_error() {
        lanes.end_all_with(place);
    }
    let message = error.to_string();
    // The error of a pipeline has no code of its own.
    let errors = error.into_server_errors().unwrap_or_default();
    match errors.first() {
        Some((_, error)) => refused(lanes, place, error),
        None => BackendError::Unavailable(message),
    }
}

/// The meaning of an error in a server's answer.
pub(super) fn refused(lanes: &Lanes, place: Place, error: &ServerError) -> BackendError {
    lanes.connector().identity.permissions.note(error);
    let message = error.to_string();
    if redirection(error).is_some() {
        return BackendError::Moving(message);
    }
    if ELSEWHERE.iter().any(|code| is(error, code)) {
        lanes.end_all_with(place);
    } else if FULL.iter().any(|code| is(error, code)) {
        return BackendError::CannotStore(message);
    }
    BackendError::Unavailable(message)
}

/// Whether the error has this code. Redis 6.2 reports the error of a command in a script as `ERR`, with the
/// code in the text.
fn is(error: &ServerError, code: &str) -> bool {
    let text = error.details().unwrap_or_default();
    error.code() == code || (error.code() == "ERR" && text.contains(&format!("-{code} ")))
}

/// The value in the answer to a GET.
pub(super) fn read(
    lanes: &Lanes,
    place: Place,
    answer: Value,
) -> Result<Option<Found>, BackendError> {
    match answer {
        // A value of another type is foreign, and a miss.
        Value::ServerError(error) if error.code() == "WRONGTYPE" => Ok(Some(Found {
            value: Bytes::new(),
            version: Version::Anything,
        })),
        Value::ServerError(error) => Err(refused(lanes, place, &error)),
        answer => {
            let value: Option<Bytes> =
                from_redis_value(answer).map_err(BackendError::unavailable)?;
            Ok(value.map(|value| Found {
                version: version_of(&value),
                value,
            }))
        }
    }
}

/// Whether a SET has stored its value.
pub(super) fn was_set(
    lanes: &Lanes,
    placed: &Placed,
    answer: Option<Value>,
) -> Result<bool, BackendError> {
    match answer {
        Some(Value::Okay) => Ok(true),
        Some(Value::Nil) => Ok(false),
        Some(Value::ServerError(error)) => Err(refused(lanes, placed.place, &error)),
        other => Err(BackendError::unavailable(format!(
            "the server answered {other:?} to SET"
        ))),
    }
}

pub(super) fn version_of(value: &Bytes) -> Version {
    if value.len() >= HEAD_BYTES && value.starts_with(MAGIC) {
        Version::Head(value.slice(..HEAD_BYTES))
    } else {
        Version::Anything
    }
}

pub(super) fn milliseconds(expiration: Duration) -> u64 {
    u64::try_from(expiration.as_millis())
        .unwrap_or(u64::MAX)
        .clamp(1, i64::MAX as u64 / 4)
}
