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

/// A new user's profile may have been requested before the user existed. The handler binds `username`.
pub const CREATE: CachePolicy = PROFILE.binds(&["username"]);

/// A change affects both. The handler binds `user_id`.
pub const UPDATE: Invalidation = PROFILE
    .to_invalidate_extra(&[("me_{user_id}", "profile")])
    .binds(&["user_id"]);

/// The user's widgets are deleted with the user. The handler binds `user_id`, and the arguments of
/// [`widgets::CACHE_OF_OWNER`].
pub const DELETE: Invalidation = UPDATE.also(&[widgets::CACHE_OF_OWNER]);

/// The changes that the triggers of migration 6 record. Widgets record for themselves what a change of a user means for them.
pub const CHANGES: &[Changes] = &[Changes::of("users")
    .with(&["user_id", "username"])
    .ends(&[UPDATE])];
