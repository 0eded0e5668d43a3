//! Ids that have several forms, and text that looks like one (C7).
//! Come here when an id is not cached, or when a write misses another form of it.

use backend::infrastructure::cache::{CachePolicy, ResourceIdType};
use backend::infrastructure::settings::CacheBackendKind;

use crate::harness::{Harness, Runs, both, get, post};

#[actix_web::test]
async fn c07_a_user_named_007_has_cached_lists() {
    const LIST: CachePolicy = CachePolicy::new("user_{username}_notes")
        .resource_id_name("username")
        .group("user_{username}_notes")
        .shared();
    const NOTE: CachePolicy = CachePolicy::new("note").shared();
    const BY_ID: CachePolicy = CachePolicy::new("note")
        .resource_id_name("note_id")
        .shared();
    for harness in Harness::on_every_backend().await {
        for (route, policy, path, key) in [
            (
                "/{username}/notes",
                LIST,
                "/007/notes",
                "user_007_notes:007",
            ),
            // Other arguments of the path never stand in the way.
            (
                "/{username}/notes/{note_id}",
                NOTE,
                "/007/notes/7",
                "note:7",
            ),
            (
                "/{username}/notes/{note_id}",
                BY_ID,
                "/+1/notes/8",
                "note:8",
            ),
        ] {
            let app = harness.app(both(route, policy, &Runs::default())).await;
            assert_eq!(get(&app, path).await.key(), key);
            assert!(
                get(&app, path).await.is_hit(),
                "{path} on {:?}",
                harness.kind
            );
            post(&app, path).await;
            assert!(
                !get(&app, path).await.is_hit(),
                "{path} on {:?}",
                harness.kind
            );
        }
    }
}

#[actix_web::test]
async fn c07_a_write_ends_the_entry_of_the_same_number_in_another_form() {
    const NUMBERED: CachePolicy = CachePolicy::new("order")
        .resource_id_name("number")
        .shared();
    for harness in Harness::on_every_backend().await {
        let app = harness
            .app(both("/{number}", NUMBERED, &Runs::default()))
            .await;
        for (unusual, usual) in [
            ("/042", "/42"),
            ("/+42", "/42"),
            (
                "/67E55044-10B1-426F-9247-BB680E5FE0C8",
                "/67e55044-10b1-426f-9247-bb680e5fe0c8",
            ),
        ] {
            for (written, read) in [(usual, unusual), (unusual, usual), (unusual, unusual)] {
                get(&app, read).await;
                assert!(get(&app, read).await.is_hit(), "{read}");
                post(&app, written).await;
                let reply = get(&app, read).await;
                assert!(!reply.is_hit(), "{written}, {read} on {:?}", harness.kind);
            }
        }
    }
}

#[actix_web::test]
async fn c07_an_inferred_id_may_have_several_types() {
    const EITHER: CachePolicy = CachePolicy::new("either")
        .resource_id_types(&[ResourceIdType::Integer, ResourceIdType::Uuid])
        .shared();
    let harness = Harness::new(CacheBackendKind::Memory).await;
    let app = harness
        .app(both("/{name}/{key}", EITHER, &Runs::default()))
        .await;
    for (path, key) in [
        ("/ada/7", "either:7"),
        (
            "/ada/67e55044-10b1-426f-9247-bb680e5fe0c8",
            "either:67e55044-10b1-426f-9247-bb680e5fe0c8",
        ),
        ("/ada/bob", ""),
        ("/ada/042", ""),
    ] {
        assert_eq!(get(&app, path).await.key(), key, "{path}");
    }
}

#[actix_web::test]
async fn c04_no_argument_addresses_the_records_of_the_cache() {
    const ANY: CachePolicy = CachePolicy::new("{kind}").resource_id_name("id").shared();
    for harness in Harness::on_every_backend().await {
        let app = harness
            .app(both("/{kind}/{id}", ANY, &Runs::default()))
            .await;
        let reply = get(&app, "/~group/lists").await;
        assert_eq!(reply.key(), "%7Egroup:lists", "{:?}", harness.kind);
        assert!(get(&app, "/~group/lists").await.is_hit());
        post(&app, "/~group/lists").await;
        assert!(!get(&app, "/~group/lists").await.is_hit());
    }
}
