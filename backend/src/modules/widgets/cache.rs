//! Cache policies of widgets, and their invalidations.
//!
//! Come here when an answer about widgets is stale, or to cache another one. Other modules must not
//! write these keys: they use [`OF_OWNER`].

use super::schemas::WidgetQuery;
use crate::infrastructure::cache::{CachePolicy, Changes, Invalidation};
use crate::infrastructure::http::PageQuery;

/// One widget, the same for every caller.
pub const WIDGET: CachePolicy = CachePolicy::new("widget")
    .resource_id_name("widget_id")
    .expiration(600)
    .shared();

/// The pages of a user's widgets.
pub const LIST_OF_USER: CachePolicy =
    CachePolicy::new("user_{username}_widgets:page_{page}:size_{items_per_page}")
        .resource_id_name("username")
        .query::<PageQuery>()
        .group("user_{username}_widgets")
        .expiration(60)
        .shared();

/// The pages of every search.
pub const SEARCH: CachePolicy = CachePolicy::new("widget_search")
    .resource_id_name("query_hash")
    .query::<WidgetQuery>()
    .group("widget_search")
    .expiration(300)
    .shared();

/// The number of widgets.
pub const COUNT: CachePolicy = CachePolicy::new("widget_count")
    .resource_id("global")
    .expiration(300)
    .shared();

/// The groups that every write ends. The handler binds `owner`, the name of the user whose lists change.
const LISTS: &[&str] = &["user_{owner}_widgets", "widget_search"];

/// A new widget changes the count, the lists and the searches.
pub const CREATE: Invalidation = COUNT.to_invalidate_groups(LISTS).binds(&["owner"]);

/// A changed widget changes lists and searches too.
pub const UPDATE: Invalidation = WIDGET.to_invalidate_groups(LISTS).binds(&["owner"]);

/// A deleted widget changes the count too.
pub const DELETE: Invalidation = UPDATE.to_invalidate_extra(&[("widget_count", "global")]);

/// The invalidation of all entries of a user's widgets, for the deletion of the user. The handler binds
/// `owner`, the user's name, and the `widget_id` of each widget.
pub const OF_OWNER: Invalidation = Invalidation::new()
    .to_invalidate_extra(&[("widget", "widget_id"), ("widget_count", "global")])
    .to_invalidate_groups(LISTS)
    .binds(&["owner", "widget_id"]);

/// The changes that the triggers of migration 7 record.
pub const CHANGES: &[Changes] = &[
    Changes::of("widgets")
        .with(&["widget_id", "owner"])
        .ends(&[DELETE]),
    // The lists of a user whose name or existence changed.
    Changes::of("widget_owners")
        .with(&["owner"])
        .ends(&[Invalidation::new()
            .to_invalidate_groups(LISTS)
            .binds(&["owner"])]),
];
