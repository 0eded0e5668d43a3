//! The keys that each write of the example modules ends (C15, C54).
//!
//! Come here after changing what a write invalidates, or after adding a cached route.

use serde_json::json;

use crate::support::answer::Answer;
use crate::support::service::TestService;

/// The keys in the cache before a write, and whether they must be gone after it.
async fn check_invalidation(
    service: &TestService,
    what: &str,
    reads: &[(String, String, bool)],
    write: impl Future<Output = Answer>,
) {
    for (token, path, _) in reads {
        service.get_as(token, path).await;
        assert!(
            service.get_as(token, path).await.is_hit(),
            "{what}: {path} before"
        );
    }
    assert!(write.await.status < 300, "{what}");
    for (token, path, gone) in reads {
        let hit = service.get_as(token, path).await.is_hit();
        assert_eq!(hit, !gone, "{what}: {path} after");
    }
}

async fn check_every_write(more: &[(&str, &str)]) {
    let service = &TestService::start_with(more).await;
    let (ada, bob, admin) = (
        service.new_user("ada").await,
        service.new_user("bob").await,
        service.admin().await,
    );
    let widget = service.new_widget(&ada, "cog").await;
    let other = service.new_widget(&bob, "rod").await;
    // Each line: who reads, what, and which writes make it stale: [create, update, delete widget; update, delete user].
    let table = |writes: usize| {
        let line =
            |token: &str, path: String, stale: [bool; 5]| (token.to_owned(), path, stale[writes]);
        vec![
            line(
                "",
                format!("/widgets/{widget}"),
                [false, true, true, false, true],
            ),
            line("", format!("/widgets/{other}"), [false; 5]),
            line(
                "",
                "/widgets/count".to_owned(),
                [true, false, true, false, true],
            ),
            line(
                "",
                "/widgets?q=o".to_owned(),
                [true, true, true, false, true],
            ),
            line(
                "",
                "/widgets?q=o&page=2".to_owned(),
                [true, true, true, false, true],
            ),
            line(
                "",
                "/users/ada/widgets".to_owned(),
                [true, true, true, false, true],
            ),
            line(
                "",
                "/users/ada/widgets?page=7".to_owned(),
                [true, true, true, false, true],
            ),
            line("", "/users/bob/widgets".to_owned(), [false; 5]),
            line(
                "",
                "/users/ada".to_owned(),
                [false, false, false, true, true],
            ),
            line("", "/users/bob".to_owned(), [false; 5]),
            line(
                &ada,
                "/users/me".to_owned(),
                [false, false, false, true, true],
            ),
            line(&bob, "/users/me".to_owned(), [false; 5]),
        ]
    };
    let create = service.post(&ada, "/widgets", json!({"name": "axle"}));
    check_invalidation(service, "creating a widget", &table(0), create).await;
    let path = format!("/widgets/{widget}");
    // By another user: the owner's lists change, not the caller's.
    let update = service.patch(&admin, &path, json!({"name": "cogwheel"}));
    check_invalidation(service, "updating a widget", &table(1), update).await;
    let update = service.patch(&admin, "/users/ada", json!({"name": "Ada"}));
    check_invalidation(service, "updating a user", &table(3), update).await;
    let delete = service.delete(&admin, &path);
    check_invalidation(service, "deleting a widget", &table(2)[1..], delete).await;
    service.get(&path).await.expect(404);
    let widget = service.new_widget(&ada, "cog").await;
    let mut reads = table(4);
    reads[0].1 = format!("/widgets/{widget}");
    check_invalidation(
        service,
        "deleting a user",
        &reads,
        service.delete(&admin, "/users/ada"),
    )
    .await;
    // A name that was requested before it was taken.
    service.get("/users/cy").await.expect(404);
    let created = service.sign_up("cy").await.expect(201);
    let status = created.header("cache-status");
    assert!(status.contains(" user:cy\""), "{status}");
    service.get("/users/cy").await.expect(200);
    let errors: Vec<_> = service
        .log()
        .into_iter()
        .filter(|line| line["level"] == "ERROR")
        .collect();
    assert!(errors.is_empty(), "{errors:#?}");
}

#[tokio::test]
async fn c15_every_write_invalidates_the_keys_of_the_contract_on_redis() {
    check_every_write(&[]).await;
}

#[tokio::test]
async fn c15_every_write_invalidates_the_keys_of_the_contract_with_a_near_cache() {
    check_every_write(&[("CACHE_NEAR", "true")]).await;
}

#[tokio::test]
async fn c15_every_write_invalidates_the_keys_of_the_contract_on_memcached() {
    check_every_write(&[("CACHE_BACKEND", "memcached")]).await;
}

#[tokio::test]
async fn c15_every_write_invalidates_the_keys_of_the_contract_in_memory() {
    check_every_write(&[("CACHE_BACKEND", "memory")]).await;
}

#[tokio::test]
async fn c15_a_failed_write_leaves_the_cache_untouched() {
    let service = TestService::start().await;
    let (ada, bob) = (service.new_user("ada").await, service.new_user("bob").await);
    let path = format!("/widgets/{}", service.new_widget(&ada, "cog").await);
    service.get(&path).await.expect(200);
    service
        .patch(&bob, &path, json!({"name": "mine"}))
        .await
        .expect(403);
    service
        .patch(&ada, &path, json!({"name": ""}))
        .await
        .expect(422);
    service.delete("", &path).await.expect(401);
    assert!(service.get(&path).await.is_hit());
}
