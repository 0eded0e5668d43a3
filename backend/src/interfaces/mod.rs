//! The interfaces: the mounting of the API, health, and the routes for operators, such as the description of the API.
//!
//! Come here to change a prefix, or which port serves a route. Routes of the API are declared in the modules.

mod documentation;
mod health;
mod metrics;

use actix_web::web::ServiceConfig;

use crate::infrastructure::cache::CacheMap;
use crate::infrastructure::console;
use crate::infrastructure::resource::Resources;
use crate::modules;

pub use documentation::openapi_document;
pub use health::{Draining, PATHS as HEALTH_PATHS};

/// The routes that a port serves.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Routes {
    /// The API and health.
    Public,
    /// Health, and the routes for operators.
    Management,
    /// All of them.
    All,
}

/// All resources, in the order in which their paths are compared with a request's: the most frequent
/// ones are first.
fn resources() -> [Resources; 3] {
    let mut root = Resources::under("");
    health::configure(&mut root);
    let mut management = Resources::under("");
    configure_management(&mut management);
    [api(Routes::All), root, management]
}

/// The resources under `/api/v1` of a port. The console of the cache signs in on its own port, because a page may only ask the
/// port that it came from.
fn api(routes: Routes) -> Resources {
    let mut api = Resources::under("/api/v1");
    match routes {
        Routes::Public | Routes::All => modules::configure(&mut api),
        Routes::Management => modules::auth::configure_signing(&mut api),
    }
    if routes != Routes::Public {
        console::configure_api(&mut api);
    }
    api
}

/// Declares the routes for operators: what clients in production must not reach.
fn configure_management(management: &mut Resources) {
    documentation::configure(management);
    console::configure_page(management);
    metrics::configure(management);
}

/// The map of all declared routes, and of the changes that the modules' triggers record (C47).
#[must_use]
pub fn map() -> CacheMap {
    resources()
        .iter()
        .map(Resources::map)
        .fold(CacheMap::default(), CacheMap::join)
        .with_changes(&modules::changes())
}

/// Mounts the resources of a port.
pub fn configure(app: &mut ServiceConfig, routes: Routes) {
    let [_, root, management] = resources();
    api(routes).mount(app);
    root.mount(app);
    if routes != Routes::Public {
        management.mount(app);
    }
}
