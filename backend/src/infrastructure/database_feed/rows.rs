//! The statements of the feed: taking, removing and looking for rows of `cache_changes`.
//!
//! Come here to change a statement. When they run is decided in `drain`.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::cache::Change;
use crate::database::{Database, Transaction};

/// The most rows of one batch. This also bounds the memory of a pass.
pub(super) const BATCH: i64 = 1000;
/// The most rows that one statement removes where one invalidation of everything replaces them.
pub(super) const HEAP: i64 = 50_000;
/// The most undelivered rows that are kept. An instance that delivers would replace more of them by one new generation
/// anyway.
const MOST_KEPT: i64 = 10_000;

/// Takes rows in the order of their numbers, so that two passes never wait for each other. The inner statement waits
/// for rows that another pass has taken, and leaves out those that are gone afterwards.
const TAKE: &str = "DELETE FROM cache_changes
    WHERE id = ANY (ARRAY(SELECT id FROM cache_changes ORDER BY id LIMIT $1 FOR UPDATE))
    RETURNING kind, arguments::text";

/// The kind of a row that ends nothing. An instance without the cache inserts one to learn whether another instance
/// delivers.
const NOTHING: &str = "nothing";

/// The rows of one batch.
pub(super) struct Taken {
    /// The number of rows.
    pub(super) rows: usize,
    pub(super) changes: Vec<Change>,
}

/// Takes rows. They are removed when the transaction is committed.
pub(super) async fn take(transaction: &mut Transaction) -> Result<Taken, sqlx::Error> {
    let rows: Vec<(String, Option<String>)> = sqlx::query_as(TAKE)
        .bind(BATCH)
        .fetch_all(transaction)
        .await?;
    Ok(Taken {
        rows: rows.len(),
        changes: rows
            .into_iter()
            .filter(|(kind, _)| kind != NOTHING)
            .map(|(kind, arguments)| change(kind, arguments.as_deref()))
            .collect(),
    })
}

/// Takes many rows without their contents, and returns how many.
pub(super) async fn take_heap(transaction: &mut Transaction) -> Result<u64, sqlx::Error> {
    const TAKE_HEAP: &str = "DELETE FROM cache_changes
        WHERE id = ANY (ARRAY(SELECT id FROM cache_changes ORDER BY id LIMIT $1 FOR UPDATE))";
    let done = sqlx::query(TAKE_HEAP)
        .bind(HEAP)
        .execute(transaction)
        .await?;
    Ok(done.rows_affected())
}

/// The ends of the table.
pub(super) struct Ends {
    /// The smallest number of a visible row.
    pub(super) smallest: i64,
    /// The largest number of a visible row.
    pub(super) largest: i64,
    /// The age of the row with the smallest number, by the database's clock.
    pub(super) age: Duration,
}

/// The ends of the table; `None` for an empty one.
pub(super) async fn ends(database: &Database) -> Result<Option<Ends>, sqlx::Error> {
    const ENDS: &str = "SELECT oldest.id, (SELECT max(id) FROM cache_changes),
            extract(epoch FROM clock_timestamp() - oldest.changed_at)::float8
        FROM (SELECT id, changed_at FROM cache_changes ORDER BY id LIMIT 1) AS oldest";
    let row: Option<(i64, i64, f64)> = sqlx::query_as(ENDS).fetch_optional(database).await?;
    Ok(row.map(|(smallest, largest, age)| Ends {
        smallest,
        largest,
        age: Duration::try_from_secs_f64(age).unwrap_or_default(),
    }))
}

/// Whether the row of this number has not been removed.
pub(super) async fn stands(database: &Database, id: i64) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("SELECT EXISTS (SELECT FROM cache_changes WHERE id = $1)")
        .bind(id)
        .fetch_one(database)
        .await
}

/// Inserts a row that ends nothing, and returns its number.
pub(super) async fn insert_nothing(database: &Database) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("INSERT INTO cache_changes (kind, arguments) VALUES ($1, '{}') RETURNING id")
        .bind(NOTHING)
        .fetch_one(database)
        .await
}

/// Replaces undelivered rows by one that ends everything, once there are more than [`MOST_KEPT`]: nothing is lost, and the
/// table does not grow while no instance delivers. The row with the smallest number stays, since writes may wait for it.
/// Rows that a pass has taken are left to it.
pub(super) async fn condense(database: &Database) -> Result<(), sqlx::Error> {
    const COUNT: &str = "SELECT count(*) FROM (SELECT FROM cache_changes LIMIT $1 + 1) AS counted";
    const CONDENSE: &str = "WITH surplus AS (
            SELECT id FROM cache_changes ORDER BY id LIMIT $1 FOR UPDATE SKIP LOCKED),
        kept AS (
            UPDATE cache_changes SET kind = 'everything', arguments = NULL
            WHERE id = (SELECT min(id) FROM surplus))
        DELETE FROM cache_changes
        WHERE id = ANY (ARRAY(SELECT id FROM surplus)) AND id > (SELECT min(id) FROM surplus)";
    loop {
        let count: i64 = sqlx::query_scalar(COUNT)
            .bind(MOST_KEPT)
            .fetch_one(database)
            .await?;
        if count <= MOST_KEPT {
            return Ok(());
        }
        let condensed = sqlx::query(CONDENSE).bind(HEAP).execute(database).await?;
        if condensed.rows_affected() == 0 {
            return Ok(());
        }
    }
}

/// A row as a change. Arguments in another form than the triggers write count as missing, so that they are reported.
fn change(kind: String, arguments: Option<&str>) -> Change {
    let arguments = arguments.map(|text| {
        let named: BTreeMap<String, Vec<String>> = serde_json::from_str(text).unwrap_or_default();
        named
            .into_iter()
            .flat_map(|(name, values)| values.into_iter().map(move |value| (name.clone(), value)))
            .collect()
    });
    Change { kind, arguments }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c53_a_row_is_a_change_with_each_of_its_values() {
        let row = change(
            "widgets".to_owned(),
            Some(r#"{"owner": ["ada", "grace"], "widget_id": ["7"]}"#),
        );
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let expected = vec![
            pair("owner", "ada"),
            pair("owner", "grace"),
            pair("widget_id", "7"),
        ];
        assert_eq!(row.arguments, Some(expected));
        assert_eq!(change("widgets".to_owned(), None).arguments, None);
        for foreign in ["[]", "{\"owner\": 7}", "7"] {
            let row = change("widgets".to_owned(), Some(foreign));
            assert_eq!(row.arguments, Some(Vec::new()), "{foreign}");
        }
    }
}
