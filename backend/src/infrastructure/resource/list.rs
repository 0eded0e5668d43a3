//! The resources under one prefix: their mounting, and the rows of the map.
//!
//! Come here when a resource is not reached, or is missing in the map. Resources are declared in the
//! modules, not here.

use actix_web::dev::HttpServiceFactory;
use actix_web::web::{self, ServiceConfig};

use super::declaration::Resource;
use super::operation::Operation;
use crate::cache::{CacheMap, CachePolicy};

/// Adds one service to an application.
type Mount = Box<dyn FnOnce(&mut ServiceConfig)>;

/// All resources under one prefix, in the order in which their paths are compared with a request's.
pub struct Resources {
    prefix: &'static str,
    operations: Vec<Operation>,
    stored_by_services: Vec<CachePolicy>,
    mistakes: Vec<String>,
    paths: Vec<&'static str>,
    mounts: Vec<Mount>,
}

impl Resources {
    /// An empty list under a prefix such as `/api/v1`, or the empty prefix.
    #[must_use]
    pub const fn under(prefix: &'static str) -> Self {
        Self {
            prefix,
            operations: Vec::new(),
            stored_by_services: Vec::new(),
            mistakes: Vec::new(),
            paths: Vec::new(),
            mounts: Vec::new(),
        }
    }

    /// Adds a resource.
    pub fn add<Last: 'static>(&mut self, mut resource: Resource<Last>) -> &mut Self {
        let path = resource.path();
        let place = format!("{}{path}", self.prefix);
        for mistake in resource.take_mistakes() {
            self.mistakes.push(format!("{place}: {mistake}"));
        }
        if !path.starts_with('/') {
            self.mistakes
                .push(format!("{place}: a path begins with `/`"));
        }
        if let Some(earlier) = self.paths.iter().find(|earlier| covers(earlier, path)) {
            self.mistakes.push(format!(
                "{place}: never reached, because {}{earlier} is added before it and matches the same paths",
                self.prefix
            ));
        }
        self.paths.push(path);
        self.operations.extend(resource.operations(self.prefix));
        let prefix = self.prefix;
        self.mounts.push(Box::new(move |config| {
            config.service(resource.build(prefix));
        }));
        self
    }

    /// Adds any service of actix, such as a resource with routes that are wrapped by hand. It is not in
    /// the map: its policies are checked at each request, not at start.
    pub fn plain(&mut self, service: impl HttpServiceFactory + 'static) -> &mut Self {
        self.mounts.push(Box::new(move |config| {
            config.service(service);
        }));
        self
    }

    /// Declares that services store values under this policy's keys through [`Cache`](crate::cache::Cache), so
    /// that writes may invalidate them although no route stores them.
    pub fn stored_by_services(&mut self, policy: CachePolicy) -> &mut Self {
        self.stored_by_services.push(policy);
        self
    }

    /// The map of these resources (C47).
    #[must_use]
    pub fn map(&self) -> CacheMap {
        CacheMap::new(
            self.operations
                .iter()
                .map(|operation| operation.route.clone())
                .collect(),
            self.stored_by_services.clone(),
            self.mistakes.clone(),
        )
    }

    /// The declared methods of all resources, for the description of the API.
    #[must_use]
    pub fn operations(&self) -> &[Operation] {
        &self.operations
    }

    /// All mistakes of the declarations, one line each. `registered` are the names of the cache's
    /// backends, or `None` where the cache is off.
    #[must_use]
    pub fn mistakes(&self, registered: Option<&[&str]>) -> Vec<String> {
        self.map().mistakes(registered)
    }

    /// Mounts all services.
    pub fn mount(self, app: &mut ServiceConfig) {
        let mounts = self.mounts;
        let mount_all = move |config: &mut ServiceConfig| {
            for mount in mounts {
                mount(config);
            }
        };
        if self.prefix.is_empty() {
            mount_all(app);
        } else {
            app.service(web::scope(self.prefix).configure(mount_all));
        }
    }
}

impl std::fmt::Debug for Resources {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Resources")
            .field("prefix", &self.prefix)
            .field("operations", &self.operations)
            .finish_non_exhaustive()
    }
}

/// Whether every path that `later` matches is matched by `earlier` too. Parameters with a pattern
/// (`{id:[0-9]+}`) count as different from all others.
fn covers(earlier: &str, later: &str) -> bool {
    let mut later = later.split('/');
    for segment in earlier.split('/') {
        let Some(other) = later.next() else {
            return false;
        };
        let matches_all =
            segment.starts_with('{') && segment.ends_with('}') && !segment.contains(':');
        let same = segment == other && !segment.contains(':');
        if !(same || matches_all && !other.is_empty()) {
            return false;
        }
    }
    later.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_covers_the_paths_that_it_matches_and_no_others() {
        for (earlier, later, expected) in [
            ("/users/{username}", "/users/me", true),
            ("/users/{username}", "/users/{id}", true),
            ("/users/me", "/users/{username}", false),
            ("/users/{username}", "/users/{username}/widgets", false),
            ("/users/{username}/widgets", "/users/{username}", false),
            ("/users/{id:[0-9]+}", "/users/me", false),
            ("/users", "/users", true),
            ("/users/{username}", "/users/{id:[0-9]+}", true),
        ] {
            assert_eq!(covers(earlier, later), expected, "{earlier} and {later}");
        }
    }
}
