//! The interfaces: the mounting of the API, health, and the description of the API.
//!
//! Come here to change a prefix. Routes are declared in the modules.

mod documentation;
mod health;

use actix_web::web::ServiceConfig;

use crate::infrastructure::cache::CacheMap;
use crate::infrastructure::resource::Resources;
use crate::modules;

pub use documentation::openapi_document;
pub use health::{Draining, PATHS as HEALTH_PATHS};

/// All resources, in the order in which their paths are compared with a request's: the most frequent
/// ones are first.
fn resources() -> [Resources; 3] {
    let mut api = Resources::under("/api/v1");
    modules::configure(&mut api);
    let mut root = Resources::under("");
    health::configure(&mut root);
    let mut description = Resources::under("");
    documentation::configure(&mut description);
    [api, root, description]
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

/// Mounts all resources; the description of the API only if the environment shows it to clients.
pub fn configure(app: &mut ServiceConfig, shows_description: bool) {
    let [api, root, description] = resources();
    api.mount(app);
    root.mount(app);
    if shows_description {
        description.mount(app);
    }
}
