//! Pages of a list.
//!
//! Come here to change the parameters or the form of a page. The rows are read in the modules.

use std::future::Ready;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::error::ApiError;
use super::extract::query_of;

/// The wanted page of a list.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, Serialize, Validate)]
#[serde(default)]
pub struct PageQuery {
    /// The number of the page, from 1.
    #[garde(range(min = 1, max = Self::MAX_PAGE))]
    pub page: i64,
    /// The number of items on a page: 1–100, 10 by default.
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
    /// The largest number of a page.
    pub const MAX_PAGE: i64 = 1_000_000_000;
    /// The most items on one page.
    pub const MAX_ITEMS_PER_PAGE: i64 = 100;

    /// The page that the fields of a larger query ask for.
    #[must_use]
    pub const fn new(page: PageNumber, items_per_page: ItemsPerPage) -> Self {
        Self {
            page: page.0,
            items_per_page: items_per_page.0,
        }
    }

    /// The number of rows before the page.
    #[must_use]
    pub fn offset(&self) -> i64 {
        self.page
            .saturating_sub(1)
            .saturating_mul(self.items_per_page)
    }
}

/// The number of a page, from 1, in a query that has other fields too.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, Serialize, Validate)]
#[garde(transparent)]
#[schemars(inline)]
pub struct PageNumber(#[garde(range(min = 1, max = PageQuery::MAX_PAGE))] i64);

impl Default for PageNumber {
    fn default() -> Self {
        Self(PageQuery::default().page)
    }
}

/// The number of items on a page, 1–100, 10 by default, in a query that has other fields too.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, Serialize, Validate)]
#[garde(transparent)]
#[schemars(inline)]
pub struct ItemsPerPage(#[garde(range(min = 1, max = PageQuery::MAX_ITEMS_PER_PAGE))] i64);

impl Default for ItemsPerPage {
    fn default() -> Self {
        Self(PageQuery::default().items_per_page)
    }
}

/// As a parameter of a handler: the query of the route, where that has no other fields. 422 for a value out of bounds.
impl FromRequest for PageQuery {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        std::future::ready(query_of(request))
    }
}

/// One page of a list.
#[derive(Clone, Debug, JsonSchema, Serialize)]
#[schemars(rename = "PageOf{T}")]
pub struct Page<T> {
    /// The items, newest first.
    pub data: Vec<T>,
    /// The number of items on all pages.
    pub total_count: i64,
    /// Whether there is a next page.
    pub has_more: bool,
    /// The number of the page.
    pub page: i64,
    /// The number of items on a page.
    pub items_per_page: i64,
}

impl<T> Page<T> {
    /// The page for a query.
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
