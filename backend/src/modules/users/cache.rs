//! What is cached of users, and what makes it stale.
//!
//! Come here when an answer about users is stale, or to cache another one. Keys of other modules are not spelled here.

use crate::infrastructure::cache::{CachePolicy, Invalidation, ResourceIdType};
use crate::modules::widgets;

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

/// A new user's profile may have been asked for before. The handler binds `username`.
pub const CREATE: CachePolicy = PROFILE.binds(&["username"]);

/// A change shows in both. The handler binds `user_id`.
pub const UPDATE: Invalidation = PROFILE
    .to_invalidate_extra(&[("me_{user_id}", "profile")])
    .binds(&["user_id"]);

/// With a user go the user's widgets. The handler binds `user_id`, and what [`widgets::CACHE_OF_OWNER`] needs.
pub const DELETE: Invalidation = UPDATE.also(&[widgets::CACHE_OF_OWNER]);
