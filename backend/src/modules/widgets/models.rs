//! Rows of the queries.
//!
//! Come here to change a row. Answers to clients are in `schemas`.

use chrono::{DateTime, Utc};

use super::schemas::WidgetRead;
use crate::infrastructure::http::{Page, PageQuery};

/// A row of a page: the total, and a widget unless the page is empty.
#[derive(Debug)]
pub struct PageRow {
    /// The number of widgets on all pages.
    pub total_count: i64,
    /// The other fields are those of a [`WidgetRead`].
    pub id: Option<i64>,
    /// See [`WidgetRead::owner`].
    pub owner: Option<String>,
    /// See [`WidgetRead::name`].
    pub name: Option<String>,
    /// See [`WidgetRead::description`].
    pub description: Option<String>,
    /// See [`WidgetRead::created_at`].
    pub created_at: Option<DateTime<Utc>>,
    /// See [`WidgetRead::updated_at`].
    pub updated_at: Option<DateTime<Utc>>,
}

impl PageRow {
    fn into_widget(self) -> Option<WidgetRead> {
        Some(WidgetRead {
            id: self.id?,
            owner: self.owner?,
            name: self.name?,
            description: self.description,
            created_at: self.created_at?,
            updated_at: self.updated_at?,
        })
    }
}

/// The page of these rows. There is at least one row, even for an empty page.
pub fn page(rows: Vec<PageRow>, query: PageQuery) -> Page<WidgetRead> {
    let total_count = rows.first().map_or(0, |row| row.total_count);
    Page::new(
        rows.into_iter().filter_map(PageRow::into_widget).collect(),
        total_count,
        query,
    )
}

/// The data that decide who may change a widget.
#[derive(Debug)]
pub struct Ownership {
    /// The user it belongs to.
    pub owner_id: i64,
    /// The name of that user.
    pub owner: String,
}
