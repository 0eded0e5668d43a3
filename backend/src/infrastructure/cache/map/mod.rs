//! The map: every declared route with its policy, known at start (C47).
//!
//! Come here for the checks before the program serves (`mistakes`), or for the table of `backend routes`
//! (`table`). Nothing here sees a request. Routes that are wrapped by hand are not in the map, and are
//! checked at each request.

mod mistakes;
mod route;
mod shape;
mod sources;
mod stored;
mod table;

use crate::policy::{CachePolicy, Changes};

pub use route::{DeclaredRoute, RequiredCaller, RoutePolicy};
pub use table::{MapChange, MapInvalidations, MapRow};

/// All declared routes.
#[derive(Clone, Debug, Default)]
pub struct CacheMap {
    routes: Vec<DeclaredRoute>,
    stored_by_services: Vec<CachePolicy>,
    declaration_mistakes: Vec<String>,
    changes: Vec<Changes>,
}

impl CacheMap {
    /// A map of these routes. `stored` are the policies under whose keys services store values. `mistakes` are
    /// sentences about wrong declarations that were found before.
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
            changes: Vec::new(),
        }
    }

    /// This map with recorded changes. Their invalidations are checked like those of writes.
    #[must_use]
    pub fn with_changes(mut self, changes: &[Changes]) -> Self {
        self.changes.extend(changes);
        self
    }

    /// This map and the routes of another one.
    #[must_use]
    pub fn join(mut self, other: Self) -> Self {
        self.routes.extend(other.routes);
        self.stored_by_services.extend(other.stored_by_services);
        self.declaration_mistakes.extend(other.declaration_mistakes);
        self.changes.extend(other.changes);
        self
    }

    /// The routes in the order of their declaration.
    #[must_use]
    pub fn routes(&self) -> &[DeclaredRoute] {
        &self.routes
    }

    /// All mistakes, one line each, with the route and the policy. `registered` are the names of the
    /// backends; `None` where the cache is off, so that there are none.
    #[must_use]
    pub fn mistakes(&self, registered: Option<&[&str]>) -> Vec<String> {
        let mut found = self.declaration_mistakes.clone();
        found.extend(mistakes::find(
            &self.routes,
            &self.stored_by_services,
            &self.changes,
            registered,
        ));
        found
    }

    /// The mistakes of a cache without a feed, one line for each route: a write whose changes nobody would deliver (C54).
    #[must_use]
    pub fn mistakes_without_feed(&self) -> Vec<String> {
        mistakes::without_feed(&self.routes)
    }

    /// The map as rows, for programs.
    #[must_use]
    pub fn rows(&self) -> Vec<MapRow> {
        self.routes.iter().map(table::row).collect()
    }

    /// The recorded changes as rows, for programs.
    #[must_use]
    pub fn change_rows(&self) -> Vec<MapChange> {
        self.changes.iter().map(table::change).collect()
    }

    /// The map as a table, for people.
    #[must_use]
    pub fn table(&self) -> String {
        table::render(&self.rows())
    }
}
