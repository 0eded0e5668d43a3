//! Rows as the queries return them.

use chrono::{DateTime, Utc};

use super::schemas::UserRead;
use crate::infrastructure::http::{Page, PageQuery};

/// A row of a page: the total, and a user unless the page is empty.
#[derive(Debug)]
pub struct PageRow {
    /// How many users there are on all pages.
    pub total_count: i64,
    /// The rest is a [`UserRead`].
    pub id: Option<i64>,
    /// See [`UserRead::username`].
    pub username: Option<String>,
    /// See [`UserRead::email`].
    pub email: Option<String>,
    /// See [`UserRead::name`].
    pub name: Option<String>,
    /// See [`UserRead::is_superuser`].
    pub is_superuser: Option<bool>,
    /// See [`UserRead::created_at`].
    pub created_at: Option<DateTime<Utc>>,
    /// See [`UserRead::updated_at`].
    pub updated_at: Option<DateTime<Utc>>,
}

impl PageRow {
    fn into_user(self) -> Option<UserRead> {
        Some(UserRead {
            id: self.id?,
            username: self.username?,
            email: self.email?,
            name: self.name?,
            is_superuser: self.is_superuser?,
            created_at: self.created_at?,
            updated_at: self.updated_at?,
        })
    }
}

/// The page that the rows make; there is at least one row, even on an empty page.
pub fn page(rows: Vec<PageRow>, query: PageQuery) -> Page<UserRead> {
    let total_count = rows.first().map_or(0, |row| row.total_count);
    Page::new(
        rows.into_iter().filter_map(PageRow::into_user).collect(),
        total_count,
        query,
    )
}

/// The data that are checked before a user is changed, and when a user signs in.
pub struct Account {
    /// The user's id.
    pub id: i64,
    /// The hash of the password.
    pub password_hash: String,
}
