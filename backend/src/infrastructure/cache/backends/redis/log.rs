//! The log of events: a stream of bounded length.
//!
//! Come here to change how long events are kept on the server. What an event contains is decided in `events`, not here.

use std::collections::HashMap;
use std::time::Duration;

use bytes::Bytes;

use super::answers::{failed, milliseconds};
use super::connections::Lanes;
use crate::backends::contract::BackendError;

/// The name of the only field of a record.
const FIELD: &str = "event";
/// The time after the last record in which the log is kept.
const KEPT: Duration = Duration::from_hours(7 * 24);

/// Appends records; about the newest `most` ones stay. It is not repeated: a record that the server may have is not sent twice.
pub(super) async fn append(
    lanes: &Lanes,
    deadline: Duration,
    key: &str,
    records: &[Bytes],
    most: usize,
) -> Result<(), BackendError> {
    if records.is_empty() {
        return Ok(());
    }
    let mut commands = redis::pipe();
    for record in records {
        let add = commands
            .cmd("XADD")
            .arg(key)
            .arg("MAXLEN")
            .arg("~")
            .arg(most);
        add.arg("*").arg(FIELD).arg(&record[..]).ignore();
    }
    let expire = commands.cmd("PEXPIRE").arg(key);
    expire.arg(milliseconds(KEPT)).ignore();
    let mut placed = lanes.of_thread().await?;
    let answer = commands.query_async::<()>(&mut placed.connection);
    let answer = lanes.watched(placed.place, deadline / 2, answer);
    answer
        .await
        .map_err(|error| failed(lanes, placed.place, error))
}

/// The newest records, the newest one first.
pub(super) async fn read(
    lanes: &Lanes,
    deadline: Duration,
    key: &str,
    most: usize,
) -> Result<Vec<Bytes>, BackendError> {
    let mut command = redis::cmd("XREVRANGE");
    command.arg(key).arg("+").arg("-").arg("COUNT").arg(most);
    let mut placed = lanes.of_thread().await?;
    let answer =
        command.query_async::<Vec<(Bytes, HashMap<String, Bytes>)>>(&mut placed.connection);
    let answer = lanes.watched(placed.place, deadline / 2, answer);
    let records = answer
        .await
        .map_err(|error| failed(lanes, placed.place, error))?;
    let fields = records.into_iter().map(|(_, fields)| fields);
    Ok(fields
        .filter_map(|mut fields| fields.remove(FIELD))
        .collect())
}
