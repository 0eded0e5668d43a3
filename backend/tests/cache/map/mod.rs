//! The map of declared routes (C47): declarations that the start refuses, and declarations that it
//! accepts. Come here when a sentence of the start changes, or a mistake was not found.

mod changes;
mod invalidations;
mod reads;
mod right;

use actix_web::HttpResponse;
use backend::infrastructure::cache::CachePolicy;
use backend::infrastructure::resource::{Resources, resource};

pub const ITEM: CachePolicy = CachePolicy::new("item")
    .resource_id_name("item_id")
    .shared();
pub const COUNT: CachePolicy = CachePolicy::new("item_count")
    .resource_id("global")
    .shared();
pub const LIST: CachePolicy = CachePolicy::new("items_of_{username}")
    .resource_id_name("username")
    .group("items_of_{username}")
    .shared();
pub const MINE: CachePolicy = CachePolicy::new("mine_{caller}")
    .resource_id("items")
    .per_caller();

// Each handler is another type, so each is a function of its own.
pub async fn read() -> HttpResponse {
    HttpResponse::Ok().finish()
}
pub async fn count() -> HttpResponse {
    HttpResponse::Ok().finish()
}
pub async fn list() -> HttpResponse {
    HttpResponse::Ok().finish()
}
pub async fn mine() -> HttpResponse {
    HttpResponse::Ok().finish()
}
pub async fn other() -> HttpResponse {
    HttpResponse::Ok().finish()
}
pub async fn write() -> HttpResponse {
    HttpResponse::NoContent().finish()
}

/// Reads of all the policies above.
pub fn reads() -> Resources {
    let mut api = Resources::under("/api");
    api.add(resource("/items/count").get(count).cached(COUNT))
        .add(resource("/items/{item_id}").get(read).cached(ITEM))
        .add(resource("/users/{username}/items").get(list).cached(LIST))
        .add(resource("/mine").get(mine).signed_in().cached(MINE));
    api
}

/// All mistakes, where one backend is registered.
pub fn mistakes(api: &Resources) -> Vec<String> {
    api.mistakes(Some(&["default"]))
}

/// Fails unless there is exactly one mistake, and it contains these parts and the place where its policy is declared.
#[track_caller]
pub fn expect_one(api: &Resources, parts: &[&str]) {
    let found = mistakes(api);
    assert_eq!(found.len(), 1, "{found:#?}");
    for part in parts {
        assert!(found[0].contains(part), "`{part}` in {}", found[0]);
    }
}
