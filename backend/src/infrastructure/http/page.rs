//! Pages of a list.

use garde::Validate;
use serde::{Deserialize, Serialize};

/// Which page of a list is wanted.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, Validate)]
#[serde(default)]
pub struct PageQuery {
    /// From 1.
    #[garde(range(min = 1, max = Self::MAX_PAGE))]
    pub page: i64,
    /// 1–100, 10 by default.
    #[garde(range(min = 1, max = Self::MAX_ITEMS_PER_PAGE))]
    pub items_per_page: i64,
}

impl Default for PageQuery {
    fn default() -> Self {
        Self {
            page: 1,
            items_per_page: 10,
        }
    }
}

impl PageQuery {
    /// The last page that can be asked for.
    pub const MAX_PAGE: i64 = 1_000_000_000;
    /// The most items on one page.
    pub const MAX_ITEMS_PER_PAGE: i64 = 100;

    /// How many rows come before the page.
    #[must_use]
    pub fn offset(&self) -> i64 {
        self.page
            .saturating_sub(1)
            .saturating_mul(self.items_per_page)
    }
}

/// One page of a list.
#[derive(Clone, Debug, Serialize)]
pub struct Page<T> {
    /// The items, newest first.
    pub data: Vec<T>,
    /// How many there are on all pages.
    pub total_count: i64,
    /// Whether there is a next page.
    pub has_more: bool,
    /// Which page this is.
    pub page: i64,
    /// How many items a page has.
    pub items_per_page: i64,
}

impl<T> Page<T> {
    /// The page that was asked for.
    #[must_use]
    pub fn new(data: Vec<T>, total_count: i64, query: PageQuery) -> Self {
        Self {
            data,
            total_count,
            has_more: query.offset().saturating_add(query.items_per_page) < total_count,
            page: query.page,
            items_per_page: query.items_per_page,
        }
    }
}
