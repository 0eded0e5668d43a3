//! Cache policies of widgets, and their invalidations.
//!
//! Come here when an answer about widgets is stale, or to cache another one. Do not name these
//! keys in other modules: they use [`CHANGES`].

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

/// The groups in which a widget stands.
const LISTS: &[&str] = &["user_{owner}_widgets", "widget_search"];

/// A changed widget changes lists and searches too.
const CONTENT: Invalidation = WIDGET.to_invalidate_groups(LISTS);

/// A widget that is created or deleted. The triggers of migration 7 record these changes, and the feed ends what they
/// make stale: no handler binds anything.
pub const EXISTENCE_CHANGES: Changes = Changes::of("widgets")
    .with(&["widget_id", "owner"])
    .ends(&[CONTENT.to_invalidate_extra(&[("widget_count", "global")])]);

/// A widget whose fields change.
pub const CONTENT_CHANGES: Changes = Changes::of("widget_contents")
    .with(&["widget_id", "owner"])
    .ends(&[CONTENT]);

/// The lists of a user who is renamed, deleted or back.
const OWNER_CHANGES: Changes = Changes::of("widget_owners")
    .with(&["owner"])
    .ends(&[Invalidation::new().to_invalidate_groups(LISTS)]);

/// All recorded changes of widgets.
pub const CHANGES: &[Changes] = &[EXISTENCE_CHANGES, CONTENT_CHANGES, OWNER_CHANGES];
