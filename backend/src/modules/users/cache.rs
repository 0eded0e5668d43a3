//! What is cached of users, and what makes it stale.
//!
//! Handlers that change a user bind `user_id`; creating one binds `username`; deleting one binds the
//! `widget_id` of each of the user's widgets.

use crate::infrastructure::cache::{CachePolicy, Invalidation, ResourceIdType};

/// What everybody may see of a user.
pub const PROFILE: CachePolicy = CachePolicy::new("user")
    .resource_id_name("username")
    .resource_id_type(ResourceIdType::String)
    .expiration(600)
    .shared();

/// What only the user sees.
pub const ME: CachePolicy = CachePolicy::new("me_{caller}")
    .resource_id("profile")
    .expiration(60)
    .per_caller();

/// A change shows in both.
pub const UPDATE: Invalidation = PROFILE.to_invalidate_extra(&[("me_{user_id}", "profile")]);

/// With a user go the user's widgets, by id, in lists, in searches and in the count.
pub const DELETE: Invalidation = PROFILE
    .to_invalidate_extra(&[
        ("me_{user_id}", "profile"),
        ("widget", "widget_id"),
        ("widget_count", "global"),
    ])
    .to_invalidate_groups(&["user_{username}_widgets", "widget_search"]);
