//! `Cache::invalidate` has for a job the effect of a write by the same policy (C51), and the settings
//! register further backends (C22).
//!
//! Come here for a job that changes data, or for a backend of your own.

use actix_web::web;
use backend::infrastructure::cache::{Cache, CacheError, CacheOptions, CachePolicy, Invalidation};
use backend::infrastructure::settings::{CacheBackendKind, CacheSettings};

use crate::harness::{Harness, Runs, app, get, no_content, numbered, post, settings};

const ITEM: CachePolicy = CachePolicy::new("item").resource_id_name("id").shared();
const LIST: CachePolicy = CachePolicy::new("items_of_{owner}")
    .resource_id("all")
    .group("items_of_{owner}")
    .shared();
const CHANGE: Invalidation = ITEM
    .to_invalidate_groups(&["items_of_{owner}"])
    .binds(&["owner"]);

#[actix_web::test]
async fn c51_invalidate_ends_the_entries_that_a_write_by_the_policy_ends() {
    for harness in Harness::on_every_backend().await {
        let app = harness
            .app(|config| {
                let handler = numbered(&Runs::default());
                config.route("/items/{id}", web::get().to(handler).wrap(ITEM));
                let handler = numbered(&Runs::default());
                config.route("/lists/{owner}", web::get().to(handler).wrap(LIST));
            })
            .await;
        let paths = [
            "/items/1",
            "/items/2",
            "/lists/ada",
            "/lists/bob",
            "/lists/cid",
        ];
        for path in paths {
            get(&app, path).await;
            assert!(get(&app, path).await.is_hit(), "{path}");
        }
        // The item moves from one owner to another: both lists change.
        let arguments = [("id", "1"), ("owner", "ada"), ("owner", "bob")];
        harness.cache.invalidate(CHANGE, &arguments).await.unwrap();
        let mut ended = Vec::new();
        for path in paths {
            if !get(&app, path).await.is_hit() {
                ended.push(path);
            }
        }
        assert_eq!(
            ended,
            ["/items/1", "/lists/ada", "/lists/bob"],
            "{:?}",
            harness.kind
        );
    }
}

#[actix_web::test]
async fn c51_a_missing_argument_is_an_error_and_more_is_invalidated_in_its_place() {
    for harness in Harness::on_every_backend().await {
        let app = harness.numbered_app(ITEM).await;
        get(&app, "/1").await;
        assert!(get(&app, "/1").await.is_hit());
        let missing = harness.cache.invalidate(CHANGE, &[("id", "2")]).await;
        let Err(CacheError::MissingArgument(name)) = missing else {
            panic!("{missing:?}");
        };
        assert_eq!(name, "owner");
        assert!(!get(&app, "/1").await.is_hit(), "{:?}", harness.kind);
    }
}

#[actix_web::test]
async fn c22_the_settings_register_further_backends_by_name() {
    const HOT: CachePolicy = CachePolicy::new("hot")
        .resource_id_name("id")
        .shared()
        .backend_name("hot");
    let settings = CacheSettings {
        cache_extra_backends: "hot:memory".to_owned(),
        ..settings(CacheBackendKind::Redis)
    };
    let cache = Cache::connect(&CacheOptions::from(&settings), true)
        .await
        .unwrap();
    let app = app(cache.clone(), |config| {
        let handler = numbered(&Runs::default());
        config.route("/hot/{id}", web::get().to(handler).wrap(HOT));
        let change = ITEM.to_invalidate_extra(&[("hot", "id")]);
        config.route("/items/{id}", web::post().to(no_content).wrap(change));
    })
    .await;
    get(&app, "/hot/1").await;
    assert!(get(&app, "/hot/1").await.is_hit());
    assert!(cache.backend("hot").exists("hot:1").await.unwrap());
    assert!(
        !cache.exists("hot:1").await.unwrap(),
        "not on the default backend"
    );
    // The writing policy names no backend, and reaches the entry all the same.
    post(&app, "/items/1").await;
    assert!(!get(&app, "/hot/1").await.is_hit());
}
