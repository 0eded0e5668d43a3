//! The map: every declared route with its policy, known at start (C47).
//!
//! Come here for what is checked before the program serves (`mistakes`), or for the table of `backend routes` (`table`). Nothing
//! here sees a request; routes that are wrapped by hand are not in the map, and are checked when a request comes.

mod mistakes;
mod shape;
mod sources;
mod stored;
mod table;

use std::any::TypeId;

use crate::infrastructure::cache::policy::{CachePolicy, Invalidation};

pub use table::{MapInvalidations, MapRow};

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

/// All declared routes.
#[derive(Clone, Debug, Default)]
pub struct CacheMap {
    routes: Vec<DeclaredRoute>,
    stored_by_services: Vec<CachePolicy>,
    declaration_mistakes: Vec<String>,
}

impl CacheMap {
    /// A map of these routes; of the policies under whose keys services store values; and of the sentences about declarations
    /// that are wrong by themselves.
    #[must_use]
    pub const fn new(
        routes: Vec<DeclaredRoute>,
        stored_by_services: Vec<CachePolicy>,
        declaration_mistakes: Vec<String>,
    ) -> Self {
        Self {
            routes,
            stored_by_services,
            declaration_mistakes,
        }
    }

    /// This map and the routes of another one.
    #[must_use]
    pub fn join(mut self, other: Self) -> Self {
        self.routes.extend(other.routes);
        self.stored_by_services.extend(other.stored_by_services);
        self.declaration_mistakes.extend(other.declaration_mistakes);
        self
    }

    /// The routes in the order of their declaration.
    #[must_use]
    pub fn routes(&self) -> &[DeclaredRoute] {
        &self.routes
    }

    /// Everything that is wrong, one line each, naming route and policy. `registered` are the names of the backends; `None` where the
    /// cache is off, so that there are none.
    #[must_use]
    pub fn mistakes(&self, registered: Option<&[&str]>) -> Vec<String> {
        let mut found = self.declaration_mistakes.clone();
        found.extend(mistakes::find(self, registered));
        found
    }

    /// The map as rows, for programs.
    #[must_use]
    pub fn rows(&self) -> Vec<MapRow> {
        self.routes.iter().map(table::row).collect()
    }

    /// The map as a table, for people.
    #[must_use]
    pub fn table(&self) -> String {
        table::render(&self.rows())
    }
}
