//! The proof of the test client (C49): it finds a stale answer, and reports none otherwise.

use serde_json::json;

use crate::support::service::TestService;

/// Makes the stored answer of a widget old behind the service, then writes.
async fn change_behind_the_service(service: &TestService) {
    let ada = service.new_user("ada").await;
    let (first, second) = (
        service.new_widget(&ada, "first").await,
        service.new_widget(&ada, "second").await,
    );
    service.get(&format!("/widgets/{first}")).await.expect(200);
    sqlx::query("UPDATE widgets SET name = 'changed' WHERE id = $1")
        .bind(first)
        .execute(&service.database.pool().await)
        .await
        .unwrap();
    let change = json!({"description": "another widget"});
    service
        .patch(&ada, &format!("/widgets/{second}"), change)
        .await
        .expect(200);
}

#[tokio::test]
#[should_panic(expected = "stale after PATCH /api/v1/widgets/")]
async fn c49_an_answer_that_is_stale_after_a_write_fails_the_test() {
    change_behind_the_service(&TestService::start().await).await;
}

#[tokio::test]
async fn c49_a_test_that_wants_a_stale_answer_says_so() {
    change_behind_the_service(&TestService::start().await.without_proof()).await;
}
