//! Pages of a list, read with their total.
//!
//! Come here to change how a page is read. Its form and its parameters are in `http::page`.

use sqlx::Postgres;
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::{Map, QueryScalar};

use super::pool::Database;
use crate::http::{ApiResult, Page, PageQuery};

impl Database {
    /// One page of a list: `rows` selects its items in order, with the page's `LIMIT` and `OFFSET`; `total` counts the items
    /// of all pages. A write between the two statements may show in the total only.
    ///
    /// # Errors
    /// The errors of the statements. Each waits for its turn at most as long as the statements of
    /// [`Database::scans`].
    pub async fn page<T, R>(
        &self,
        query: PageQuery,
        rows: Map<'_, Postgres, R, PgArguments>,
        total: QueryScalar<'_, Postgres, i64, PgArguments>,
    ) -> ApiResult<Page<T>>
    where
        T: Send + Unpin,
        R: FnMut(PgRow) -> Result<T, sqlx::Error> + Send,
    {
        let rows = rows.fetch_all(self.scans()).await?;
        let total = total.fetch_one(self.scans()).await?;
        Ok(Page::new(rows, total, query))
    }
}
