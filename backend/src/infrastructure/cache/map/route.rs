//! One declared route: the row that everything in the map is made of.
//!
//! Come here to add a fact that a declaration knows. It is filled by `infrastructure::resource`.

use std::any::TypeId;

use crate::infrastructure::cache::policy::{CachePolicy, Invalidation};

/// Who may call a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequiredCaller {
    /// Anyone; a token is not looked at.
    Anyone,
    /// A signed-in caller, who is the argument `caller`.
    SignedIn,
    /// A signed-in superuser, who is the argument `caller`.
    Superuser,
}

/// What the cache does on a route.
#[derive(Clone, Copy, Debug)]
pub enum RoutePolicy {
    /// Nothing.
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
    /// Who may call it. Authentication stands outside the policy.
    pub caller: RequiredCaller,
    /// What the cache does.
    pub policy: RoutePolicy,
    /// The type of the handler, which is different for each function.
    pub handler: TypeId,
    /// The handler authenticates by itself: a hit would skip that (C45).
    pub handler_authenticates: bool,
    /// The name of the type that the handler reads the query as.
    pub handler_query: Option<&'static str>,
}
