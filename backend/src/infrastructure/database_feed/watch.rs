//! The question whether another instance delivers while this one does not reach the cache (C54).
//!
//! Come here to change when a write without the cache is answered at once. How long a write waits for another instance is
//! decided in `drain` and `feed`, not here.
//!
//! A row that stands for a second shows that no instance delivers. While that row stands, no instance trusts the cache
//! either, since a recovery delivers every row from before (C55). So writes do not wait.

use std::time::Duration;

use tokio::time::Instant;

use super::rows::{insert_nothing, stands};
use crate::database::Database;

/// The time that a row has to stand. An instance that reaches the cache looks four times meanwhile.
const LONG: Duration = Duration::from_secs(1);

/// The knowledge about other instances.
#[derive(Debug, Default)]
pub(super) struct Watch {
    /// A row, and the time when it was first seen.
    row: Option<(i64, Instant)>,
    /// A row that has stood for [`LONG`].
    undelivered: Option<i64>,
}

impl Watch {
    /// Watches the row with the largest number. Without a row it inserts one that ends nothing, so that the answer is
    /// known before a write needs it.
    pub(super) async fn look(
        &mut self,
        database: &Database,
        largest: Option<i64>,
    ) -> Result<(), sqlx::Error> {
        match self.row {
            None => {
                let id = match largest {
                    Some(largest) => largest,
                    None => insert_nothing(database).await?,
                };
                self.row = Some((id, Instant::now()));
            }
            Some((id, since)) if since.elapsed() >= LONG => {
                if stands(database, id).await? {
                    self.undelivered = Some(id);
                } else {
                    self.end();
                }
            }
            Some(_) => {}
        }
        Ok(())
    }

    /// A write has waited in vain for the row of this number.
    pub(super) const fn nobody_delivers(&mut self, id: i64) {
        self.undelivered = Some(id);
    }

    /// Whether no other instance delivers now.
    pub(super) async fn is_deserted(&mut self, database: &Database) -> Result<bool, sqlx::Error> {
        let Some(id) = self.undelivered else {
            return Ok(false);
        };
        let is_deserted = stands(database, id).await?;
        if !is_deserted {
            self.undelivered = None;
        }
        Ok(is_deserted)
    }

    /// Forgets everything, since this instance reaches the cache.
    pub(super) const fn end(&mut self) {
        self.row = None;
        self.undelivered = None;
    }
}
