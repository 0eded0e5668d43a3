//! How the world reaches the application: where the API is mounted, and health.

mod health;

use actix_web::web::ServiceConfig;

use crate::infrastructure::cache::CacheMap;
use crate::infrastructure::resource::Resources;
use crate::modules;

pub use health::Draining;

/// All resources, in the order in which their paths are compared with a request's: what is asked most stands first.
fn resources() -> [Resources; 2] {
    let mut api = Resources::under("/api/v1");
    modules::configure(&mut api);
    let mut root = Resources::under("");
    health::configure(&mut root);
    [api, root]
}

/// The map of everything that answers (C47).
#[must_use]
pub fn map() -> CacheMap {
    resources()
        .iter()
        .map(Resources::map)
        .fold(CacheMap::default(), CacheMap::join)
}

/// Mounts everything that answers.
pub fn configure(app: &mut ServiceConfig) {
    for resources in resources() {
        resources.mount(app);
    }
}
