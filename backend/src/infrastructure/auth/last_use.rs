//! The last use of a token, to the hour.
//!
//! Come here to change how exactly it is kept. A request never waits for it and never fails by it: an hour without the note
//! is no harm.

use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::sleep;

use super::token::AccessToken;
use crate::database::Database;

/// The notes that this process makes at the same time. A request that finds no place leaves the note to the next request of its
/// session, so that the beginning of an hour takes no connections from requests.
static PLACES: Semaphore = Semaphore::const_new(2);
/// The time for which a failed note keeps its place: on a database that is read-only or away, requests do not try again and again.
const AFTER_FAILURE: Duration = Duration::from_mins(1);

/// Notes in the background that a token was used in this hour.
pub(super) fn note(database: &Database, token: AccessToken) {
    let Ok(place) = PLACES.try_acquire() else {
        return;
    };
    let database = database.clone();
    tokio::spawn(async move {
        // A row that another transaction holds is skipped: it is noted or revoked there.
        let noted = sqlx::query!(
            "UPDATE access_tokens SET last_used_at = date_trunc('hour', now(), 'UTC')
             WHERE token_hash = (
                 SELECT token_hash FROM access_tokens
                 WHERE token_hash = $1 AND last_used_at < date_trunc('hour', now(), 'UTC') FOR UPDATE SKIP LOCKED
             )",
            token.hash(),
        );
        if let Err(error) = noted.execute(&database).await {
            tracing::debug!("the last use of a token was not noted: {error}");
            sleep(AFTER_FAILURE).await;
        }
        drop(place);
    });
}
