//! Writes that delete many keys or by pattern (C17, C18).
//!
//! Come here after changing how patterns are found and deleted.

use actix_web::web;

use backend::infrastructure::cache::{CacheArguments, CachePolicy, Invalidation, ResourceIdType};
use backend::infrastructure::settings::{CacheBackendKind, CacheSettings};

use crate::harness::{Harness, Log, get, no_content, of_every_backend, post, reads};
use crate::support::unique;

const ITEM: CachePolicy = CachePolicy::new("item").resource_id_name("id").shared();

const TEXT: CachePolicy = CachePolicy::new("text_{a}")
    .resource_id_name("b")
    .resource_id_type(ResourceIdType::String);

/// The settings of each backend that deletes by pattern.
fn with_patterns() -> impl Iterator<Item = CacheSettings> {
    let all = of_every_backend().into_iter();
    all.filter(|settings| settings.cache_backend != CacheBackendKind::Memcached)
}

/// Stores some keys, lets a write with these patterns succeed, and checks the remaining keys.
async fn check_patterns(
    base: &CacheSettings,
    policy: impl Into<Invalidation>,
    paths: &[(&str, bool)],
    bound: &'static str,
) {
    let policy = policy.into();
    let harness = Harness::with_settings(CacheSettings {
        cache_namespace: unique("test"),
        ..base.clone()
    })
    .await;
    let (kind, mode) = (harness.kind, harness.settings.cache_redis_mode);
    let app = harness
        .app(|config| {
            reads(config, "/{a}/{b}", TEXT);
            let write = move |arguments: CacheArguments| async move {
                arguments.bind("who", bound);
                no_content().await
            };
            config.route("/write/{a}/{b}", web::post().to(write).wrap(policy));
        })
        .await;
    for (path, _) in paths {
        get(&app, path).await;
    }
    let log = Log::collect();
    assert_eq!(post(&app, "/write/none/none").await.status, 204);
    assert!(log.lines_with(&["ERROR"]).is_empty());
    for (path, kept) in paths {
        assert_eq!(
            get(&app, path).await.is_hit(),
            *kept,
            "{path} on {kind:?}, {mode:?}"
        );
    }
}

#[actix_web::test]
async fn c17_patterns_are_redis_globs_taken_as_written() {
    for settings in with_patterns() {
        check_patterns(
            &settings,
            TEXT.pattern_to_invalidate_extra(&["text_a:*"]),
            &[
                ("/a/1", false),
                ("/a/2", false),
                ("/ab/1", true),
                ("/b/1", true),
            ],
            "",
        )
        .await;
        check_patterns(
            &settings,
            TEXT.pattern_to_invalidate_extra(&["text_?:[12]"]),
            &[
                ("/a/1", false),
                ("/b/2", false),
                ("/a/3", true),
                ("/ab/1", true),
            ],
            "",
        )
        .await;
        // Nothing is appended: this is a single key.
        check_patterns(
            &settings,
            TEXT.pattern_to_invalidate_extra(&["text_a:1"]),
            &[("/a/1", false), ("/a/12", true)],
            "",
        )
        .await;
        check_patterns(
            &settings,
            TEXT.pattern_to_invalidate_extra(&["text_{who}:*"]),
            &[("/ada/1", false), ("/adam/1", true)],
            "ada",
        )
        .await;
        // A value's characters are literal.
        check_patterns(
            &settings,
            TEXT.pattern_to_invalidate_extra(&["text_{who}:*"]),
            &[("/%2A/1", false), ("/ada/1", true)],
            "*",
        )
        .await;
        check_patterns(
            &settings,
            TEXT.pattern_to_invalidate_extra(&["text_{who}:*"]),
            &[("/[ab]/1", false), ("/a/1", true)],
            "[ab]",
        )
        .await;
    }
}

#[actix_web::test]
async fn c17_more_keys_than_one_batch_are_deleted() {
    for settings in with_patterns() {
        let harness = Harness::with_settings(settings).await;
        for number in 0..3000 {
            harness
                .cache
                .set(&format!("many:{number}"), &number, None)
                .await
                .unwrap();
        }
        harness.cache.set("other:1", &1, None).await.unwrap();
        harness.cache.delete_pattern("many:*").await.unwrap();
        for number in (0..3000).step_by(97) {
            assert!(
                !harness
                    .cache
                    .exists(&format!("many:{number}"))
                    .await
                    .unwrap()
            );
        }
        assert!(harness.cache.exists("other:1").await.unwrap());
    }
}

#[actix_web::test]
async fn c18_memcached_has_no_patterns_and_does_the_rest() {
    const WRITE: Invalidation = ITEM
        .pattern_to_invalidate_extra(&["list:*"])
        .to_invalidate_extra(&[("count", "global")])
        .to_invalidate_groups(&["lists"]);
    const LIST: CachePolicy = CachePolicy::new("grouped")
        .resource_id("all")
        .group("lists");
    let harness = Harness::new(CacheBackendKind::Memcached).await;
    let app = harness
        .app(|config| {
            reads(
                config,
                "/count",
                CachePolicy::new("count").resource_id("global"),
            );
            reads(config, "/list", CachePolicy::new("list").resource_id("all"));
            reads(config, "/grouped", LIST);
            reads(config, "/items/{id}", ITEM);
            config.route("/items/{id}", web::post().to(no_content).wrap(WRITE));
        })
        .await;
    let paths = [
        ("/count", false),
        ("/list", true),
        ("/grouped", false),
        ("/items/1", false),
    ];
    for (path, _) in paths {
        get(&app, path).await;
    }
    let log = Log::collect();
    assert_eq!(
        post(&app, "/items/1").await.status,
        204,
        "the request succeeds"
    );
    assert_eq!(
        log.lines_with(&["ERROR", "PatternMatchingNotSupportedError", "/items/{id}"])
            .len(),
        1
    );
    for (path, kept) in paths {
        assert_eq!(get(&app, path).await.is_hit(), kept, "{path}");
    }
    let error = harness.cache.delete_pattern("list:*").await.unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("PatternMatchingNotSupportedError"),
        "{error}"
    );
}
