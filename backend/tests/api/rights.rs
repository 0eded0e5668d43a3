//! A change of a user's rights, and the answers that were cached for that user (C44).
//!
//! Come here when the token check or the rights version changes. How entries carry the rights is tested
//! in the suite of the cache.

use crate::support::eventually;
use crate::support::service::TestService;
use serde_json::json;

#[tokio::test]
async fn c44_a_user_whose_role_is_changed_by_hand_gets_no_answer_from_before() {
    let service = TestService::start().await;
    let admin = service.admin().await;
    let before = service.get_cached(&admin, "/users/me").await.json();
    assert_eq!(before["is_superuser"], true);
    // Without the feed's trigger, since the feed would end the answers too.
    for statement in [
        "ALTER TABLE users DISABLE TRIGGER users_updated",
        "UPDATE users SET is_superuser = false WHERE username = 'admin'",
    ] {
        let pool = service.database.pool().await;
        sqlx::query(statement).execute(&pool).await.unwrap();
    }
    let after = service.get_as(&admin, "/users/me").await;
    assert!(
        !after.is_hit() && after.json()["is_superuser"] == false,
        "{after:#?}"
    );
    let again = service.get_as(&admin, "/users/me").await;
    assert!(again.is_hit(), "{again:#?}");
}

#[tokio::test]
async fn c44_a_password_that_another_user_sets_ends_the_answers_of_that_user() {
    let service = TestService::start().await;
    let admin = service.admin().await;
    let ada = service.new_user("ada").await;
    for _ in 0..2 {
        service.get_as(&ada, "/users/me").await.expect(200);
    }
    let change = json!({"password": "another horse"});
    service
        .patch(&admin, "/users/ada", change)
        .await
        .expect(200);
    // Earlier tokens are revoked, and the new one finds no earlier entry.
    service.get_as(&ada, "/users/me").await.expect(401);
    let ada = service.sign_in("ada", "another horse").await;
    let first = service.get_as(&ada, "/users/me").await.expect(200);
    assert!(!first.is_hit(), "{first:#?}");
}

#[tokio::test]
async fn c44_a_superuser_who_loses_the_role_gets_no_answer_from_before() {
    let service = TestService::start().await;
    // Without the feed's trigger, since the feed would end the answers too.
    let pool = service.database.pool().await;
    let disable = "ALTER TABLE users DISABLE TRIGGER users_updated";
    sqlx::query(disable).execute(&pool).await.unwrap();
    let admin = service.admin().await;
    let ada = service.new_user("ada").await;
    let role = |is_superuser: bool| json!({"is_superuser": is_superuser});
    let user = service
        .patch(&admin, "/users/ada", role(true))
        .await
        .expect(200)
        .json();
    assert_eq!(user["is_superuser"], true);
    service.get_as(&ada, "/users").await.expect(200);
    let before = service.get_cached(&ada, "/users/me").await.json();
    assert_eq!(before["is_superuser"], true);
    service
        .patch(&admin, "/users/ada", role(false))
        .await
        .expect(200);
    let after = service.get_as(&ada, "/users/me").await;
    assert!(
        !after.is_hit() && after.json()["is_superuser"] == false,
        "{after:#?}"
    );
    service.get_as(&ada, "/users").await.expect(403);
    eventually("both changes are security events", async || {
        let log = service.log();
        let events = log.iter().filter(|line| line["event"] == "role_changed");
        let roles: Vec<_> = events
            .map(|line| {
                (
                    line["account"] == "ada",
                    line["by"] == "admin",
                    line["is_superuser"].as_bool(),
                )
            })
            .collect();
        roles == [(true, true, Some(true)), (true, true, Some(false))]
    })
    .await;
}

#[tokio::test]
async fn the_last_superuser_keeps_the_role_however_many_try() {
    let service = TestService::start().await;
    let admin = service.admin().await;
    let role = |is_superuser: bool| json!({"is_superuser": is_superuser});
    service
        .patch(&admin, "/users/admin", role(false))
        .await
        .expect(409);
    service
        .patch(&admin, "/users/admin", role(true))
        .await
        .expect(200);
    let second = service.new_user("second").await;
    service
        .patch(&admin, "/users/second", role(true))
        .await
        .expect(200);
    let (first, other) = tokio::join!(
        service.patch(&admin, "/users/admin", role(false)),
        service.patch(&second, "/users/second", role(false))
    );
    let mut statuses = [first.status, other.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409]);
}
