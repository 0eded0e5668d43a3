//! Cache policies of users, and their invalidations.
//!
//! Come here when an answer about users is stale, or to cache another one. Do not write keys of other
//! modules here.

use crate::infrastructure::cache::{CachePolicy, Changes, Invalidation, ResourceIdType};
use crate::modules::widgets;

/// The part of a user that everybody may see.
pub const PROFILE: CachePolicy = CachePolicy::new("user")
    .resource_id_name("username")
    .resource_id_type(ResourceIdType::String)
    .expiration(600)
    .shared();

/// The user's own view.
pub const ME: CachePolicy = CachePolicy::new("me_{caller}")
    .resource_id("profile")
    .expiration(60)
    .per_caller();

/// A user who is created, changed or deleted. The triggers of migration 6 record these changes, and the feed ends what they
/// make stale: no handler binds anything. Widgets record for themselves what a change of a user means for them.
pub const CHANGES: &[Changes] = &[Changes::of("users")
    .with(&["user_id", "username"])
    .ends(&[PROFILE.to_invalidate_extra(&[("me_{user_id}", "profile")])])];

/// The widgets of a user are deleted with the user.
pub const DELETION: Invalidation =
    Invalidation::recorded(CHANGES).also(&[Invalidation::recorded(widgets::CHANGES)]);
