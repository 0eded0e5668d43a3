//! `/users`: every row of the contract but signing up, which is in `sign_up`.
//!
//! Come here after changing the module `users`.

use serde_json::json;

use crate::support::service::{PASSWORD, TestService};

#[tokio::test]
async fn only_superusers_list_users_newest_first() {
    let service = TestService::start().await;
    let ada = service.new_user("ada").await;
    service.sign_up("bob").await.expect(201);
    service.get("/users").await.expect(401);
    service.get_as(&ada, "/users").await.expect(403);
    let admin = service.admin().await;
    let answer = service
        .get_as(&admin, "/users?page=1&items_per_page=2")
        .await
        .expect(200);
    let page = answer.json();
    let names: Vec<_> = page["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|user| &user["username"])
        .collect();
    assert_eq!(names, ["bob", "ada"]);
    assert_eq!(
        (&page["total_count"], &page["has_more"]),
        (&json!(3), &json!(true))
    );
    assert!(
        answer.header("cache-status").is_empty(),
        "the list is not cached"
    );
    let empty = service
        .get_as(&admin, "/users?page=9")
        .await
        .expect(200)
        .json();
    assert_eq!(
        (&empty["data"], &empty["total_count"]),
        (&json!([]), &json!(3))
    );
    for wrong in [
        "page=0",
        "page=x",
        "items_per_page=0",
        "items_per_page=101",
        "page=99999999999999999999",
    ] {
        let answer = service
            .get_as(&admin, &format!("/users?{wrong}"))
            .await
            .expect(422);
        assert_eq!(answer.wrong_fields(), [wrong.split('=').next().unwrap()]);
    }
}

#[tokio::test]
async fn everybody_sees_the_profile_and_only_the_user_the_rest() {
    let service = TestService::start().await;
    let ada = service.new_user("ada").await;
    let profile = service.get("/users/ada").await.expect(200).json();
    assert_eq!(profile["username"], "ada");
    assert_eq!(profile.as_object().unwrap().len(), 4, "{profile}");
    assert!(profile.get("email").is_none());
    let me = service.get_as(&ada, "/users/me").await.expect(200).json();
    assert_eq!(me["email"], "ada@example.com");
    service.get("/users/me").await.expect(401);
    for nobody in ["bob", "Ada", "a%00b", "%F0%9F%A6%80", "a%2Fb"] {
        service.get(&format!("/users/{nobody}")).await.expect(404);
    }
}

#[tokio::test]
async fn users_change_themselves_and_superusers_anybody() {
    let service = TestService::start().await;
    let (ada, bob, admin) = (
        service.new_user("ada").await,
        service.new_user("bob").await,
        service.admin().await,
    );
    let change = json!({"name": "Ada L"});
    service
        .patch("", "/users/ada", change.clone())
        .await
        .expect(401);
    service
        .patch(&bob, "/users/ada", change.clone())
        .await
        .expect(403);
    service
        .patch(&bob, "/users/nobody", change.clone())
        .await
        .expect(403);
    service
        .patch(&admin, "/users/nobody", change.clone())
        .await
        .expect(404);
    let user = service
        .patch(&ada, "/users/ada", change)
        .await
        .expect(200)
        .json();
    assert_eq!(user["name"], "Ada L");
    let user = service
        .patch(&admin, "/users/ada", json!({"email": "NEW@example.com"}))
        .await
        .expect(200)
        .json();
    assert_eq!(
        (&user["email"], &user["name"]),
        (&json!("new@example.com"), &json!("Ada L"))
    );
    service
        .patch(&admin, "/users/ada", json!({"email": "bob@example.com"}))
        .await
        .expect(409);
    let before = service.get_as(&ada, "/users/me").await.json();
    let unchanged = service
        .patch(&ada, "/users/ada", json!({}))
        .await
        .expect(200)
        .json();
    assert_eq!(unchanged, before, "a change of nothing changes nothing");
    for field in [
        "name",
        "email",
        "password",
        "current_password",
        "is_superuser",
    ] {
        let answer = service
            .patch(&ada, "/users/ada", json!({field: null}))
            .await
            .expect(422);
        assert_eq!(answer.wrong_fields(), [field]);
    }
    service
        .patch(&ada, "/users/ada", json!({"is_superuser": true}))
        .await
        .expect(403);
}

#[tokio::test]
async fn changing_ones_own_address_or_password_needs_the_current_password() {
    let service = TestService::start().await;
    let ada = service.new_user("ada").await;
    for change in [
        json!({"email": "new@example.com"}),
        json!({"password": "another one"}),
    ] {
        let answer = service
            .patch(&ada, "/users/ada", change.clone())
            .await
            .expect(422);
        assert_eq!(answer.wrong_fields(), ["current_password"]);
        let mut wrong = change.clone();
        wrong["current_password"] = json!("not this one");
        service.patch(&ada, "/users/ada", wrong).await.expect(403);
        let mut right = change;
        right["current_password"] = json!(PASSWORD);
        service.patch(&ada, "/users/ada", right).await.expect(200);
    }
    service.sign_in("new@example.com", "another one").await;
    // A superuser's own account is no exception.
    let admin = service.admin().await;
    service
        .patch(&admin, "/users/admin", json!({"password": "another one"}))
        .await
        .expect(422);
}

#[tokio::test]
async fn a_new_password_revokes_the_other_tokens_and_a_superusers_all() {
    let service = TestService::start().await;
    let (this, other) = (
        service.new_user("ada").await,
        service.sign_in("ada", PASSWORD).await,
    );
    let change = json!({"password": "another one", "current_password": PASSWORD});
    service.patch(&this, "/users/ada", change).await.expect(200);
    service.get_as(&this, "/users/me").await.expect(200);
    service.get_as(&other, "/users/me").await.expect(401);
    let admin = service.admin().await;
    service
        .patch(&admin, "/users/ada", json!({"password": "a third one"}))
        .await
        .expect(200);
    service.get_as(&this, "/users/me").await.expect(401);
    service.get_as(&admin, "/users/me").await.expect(200);
    service.sign_in("ada", "a third one").await;
}

#[tokio::test]
async fn a_deleted_user_is_gone_with_tokens_and_widgets() {
    let service = TestService::start().await;
    let (ada, bob, admin) = (
        service.new_user("ada").await,
        service.new_user("bob").await,
        service.admin().await,
    );
    let widget = service.new_widget(&ada, "ada's cog").await;
    let kept = service.new_widget(&bob, "bob's cog").await;
    // All of it is in the cache before.
    let reads = [
        format!("/widgets/{widget}"),
        "/users/ada".to_owned(),
        "/users/ada/widgets".to_owned(),
        "/widgets?q=cog".to_owned(),
        "/widgets".to_owned(),
        "/widgets/count".to_owned(),
    ];
    for read in &reads {
        service.get_cached("", read).await;
    }
    service.get_as(&ada, "/users/me").await.expect(200);
    service.delete("", "/users/ada").await.expect(401);
    service.delete(&bob, "/users/ada").await.expect(403);
    service.delete(&admin, "/users/nobody").await.expect(404);
    let answer = service.delete(&ada, "/users/ada").await.expect(204);
    assert!(answer.text.is_empty());
    for gone in &reads[..3] {
        service.get(gone).await.expect(404);
    }
    for list in &reads[3..5] {
        let page = service.get(list).await.expect(200).json();
        assert_eq!(page["total_count"], 1, "{list}");
        assert_eq!(page["data"][0]["id"], kept, "{list}");
    }
    assert_eq!(
        service.get("/widgets/count").await.json(),
        json!({"count": 1})
    );
    service.get_as(&ada, "/users/me").await.expect(401);
    service
        .post(
            "",
            "/auth/login",
            json!({"username": "ada", "password": PASSWORD}),
        )
        .await
        .expect(401);
    service.delete(&admin, "/users/ada").await.expect(404);
    service.delete(&admin, "/users/bob").await.expect(204);
}

#[tokio::test]
async fn the_last_superuser_cannot_be_deleted_however_many_try() {
    let service = TestService::start().await;
    let admin = service.admin().await;
    service.delete(&admin, "/users/admin").await.expect(409);
    service.new_user("second").await;
    sqlx::query("UPDATE users SET is_superuser = true WHERE username = 'second'")
        .execute(&service.database.pool().await)
        .await
        .unwrap();
    let second = service.sign_in("second", PASSWORD).await;
    let (first, other) = tokio::join!(
        service.delete(&admin, "/users/admin"),
        service.delete(&second, "/users/second")
    );
    let mut statuses = [first.status, other.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [204, 409]);
}

/// Both wait for the row of the user and go on one after the other, in whichever order.
#[tokio::test]
async fn a_widget_that_is_made_while_its_owner_is_deleted_is_shown_nowhere() {
    let patient = [
        ("DATABASE_LOCK_TIMEOUT", "20"),
        ("DATABASE_STATEMENT_TIMEOUT", "20"),
    ];
    let service = TestService::start_with(&patient).await.without_proof();
    let ada = service.new_user("ada").await;
    let mut lock = service.database.pool().await.begin().await.unwrap();
    sqlx::query("SELECT id FROM users WHERE username = 'ada' FOR UPDATE")
        .execute(&mut *lock)
        .await
        .unwrap();
    let unlock = async {
        service.database.until_statements_wait(2, "").await;
        lock.rollback().await.unwrap();
    };
    let (made, deleted, ()) = futures_util::join!(
        service.post(&ada, "/widgets", json!({"name": "late"})),
        service.delete(&ada, "/users/ada"),
        unlock
    );
    deleted.expect(204);
    assert!([201, 401].contains(&made.status), "{made:#?}");
    assert_eq!(service.get("/widgets").await.json()["total_count"], 0);
    assert_eq!(
        service.get("/widgets/count").await.json(),
        json!({"count": 0})
    );
}
