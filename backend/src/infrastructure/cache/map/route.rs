//! One declared route: a row of the map.
//!
//! Come here to add a fact of a declaration. The fields are filled by `infrastructure::resource`.

use std::any::TypeId;

use crate::policy::{CachePolicy, Invalidation};

/// The callers that may use a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequiredCaller {
    /// Every caller; a token is not checked.
    Anyone,
    /// A signed-in caller, bound as the argument `caller`.
    SignedIn,
    /// A signed-in superuser, bound as the argument `caller`.
    Superuser,
}

/// The use of the cache on a route.
#[derive(Clone, Copy, Debug)]
pub enum RoutePolicy {
    /// No caching.
    None,
    /// The route is read through the cache.
    Reads(CachePolicy),
    /// The route's success invalidates.
    Ends(Invalidation),
}

/// One method of one path, as it was declared.
#[derive(Clone, Debug)]
pub struct DeclaredRoute {
    /// `GET`, `POST` and so on.
    pub method: String,
    /// The whole path, with `{name}` for each parameter.
    pub path: String,
    /// The required caller. Authentication is outside the policy.
    pub caller: RequiredCaller,
    /// The use of the cache.
    pub policy: RoutePolicy,
    /// The type of the handler, which differs for each function.
    pub handler: TypeId,
    /// The handler authenticates by itself: a hit would skip that (C45).
    pub handler_authenticates: bool,
    /// The name of the type as which the handler reads the query.
    pub handler_query: Option<&'static str>,
}
