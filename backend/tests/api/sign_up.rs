//! Signing up: accepted input, and the message for each wrong field.
//!
//! Come here after adding a field to a user. Refused passwords are in `passwords`.

use serde_json::{Value, json};

use crate::support::eventually;
use crate::support::service::{PASSWORD, TestService};

fn sign_up_body(username: &str) -> Value {
    json!({
        "username": username,
        "email": format!("{username}@example.com"),
        "password": PASSWORD,
        "name": "Somebody",
    })
}

#[tokio::test]
async fn signing_up_answers_201_with_the_user_and_its_location() {
    let service = TestService::start().await;
    let mut body = sign_up_body("ada");
    body["email"] = json!("Ada@Example.COM");
    let answer = service.post("", "/users", body).await.expect(201);
    assert_eq!(answer.header("location"), "/api/v1/users/ada");
    let user = answer.json();
    assert_eq!(user["username"], "ada");
    assert_eq!(
        user["email"], "ada@example.com",
        "an address is stored in lower case"
    );
    assert_eq!(user["is_superuser"], false);
    let mut fields: Vec<_> = user.as_object().unwrap().keys().cloned().collect();
    fields.sort();
    let wanted = [
        "created_at",
        "email",
        "id",
        "is_superuser",
        "name",
        "updated_at",
        "username",
    ];
    assert_eq!(fields, wanted, "no password, no hash");
}

#[tokio::test]
async fn a_taken_username_or_address_is_409_even_of_a_deleted_user() {
    let service = TestService::start().await;
    let ada = service.new_user("ada").await;
    for deleted in [false, true] {
        if deleted {
            service.delete(&ada, "/users/ada").await.expect(204);
        }
        let mut same_name = sign_up_body("ada");
        same_name["email"] = json!("other@example.com");
        service.post("", "/users", same_name).await.expect(409);
        let mut same_address = sign_up_body("bob");
        same_address["email"] = json!("ADA@example.com");
        service.post("", "/users", same_address).await.expect(409);
    }
}

#[tokio::test]
async fn two_concurrent_sign_ups_of_one_name_give_one_201_and_one_409() {
    let service = TestService::start().await;
    for round in 0..5 {
        let name = format!("user_{round}");
        let (first, second) = tokio::join!(service.sign_up(&name), service.sign_up(&name));
        let mut statuses = [first.status, second.status];
        statuses.sort_unstable();
        assert_eq!(statuses, [201, 409]);
    }
}

#[tokio::test]
async fn each_wrong_field_of_a_sign_up_is_a_422_that_names_it() {
    let service = TestService::start().await;
    let wrong = [
        ("username", json!("a")),
        ("username", json!("a".repeat(33))),
        ("username", json!("Ada")),
        ("username", json!("a da")),
        ("username", json!("me")),
        ("username", json!(7)),
        ("email", json!("nobody")),
        ("email", json!(format!("{}@example.com", "a".repeat(250)))),
        ("password", json!("short")),
        ("password", json!("x".repeat(129))),
        ("name", json!("")),
        ("name", json!("n".repeat(81))),
        ("name", json!("a\u{0}b")),
        ("name", Value::Null),
        ("admin", json!(true)),
    ];
    for (field, value) in wrong {
        let mut body = sign_up_body("ada");
        body[field] = value.clone();
        let answer = service.post("", "/users", body).await.expect(422);
        assert_eq!(answer.wrong_fields(), [field], "{value}");
    }
    let answer = service.post(
        "",
        "/users",
        json!({"username": "a", "email": "b", "password": "c", "name": ""}),
    );
    let fields = answer.await.expect(422).wrong_fields();
    assert_eq!(
        fields.len(),
        4,
        "one answer names all wrong fields: {fields:?}"
    );
    service.sign_up("ada").await.expect(201);
}

#[tokio::test]
async fn lengths_are_counted_in_characters() {
    let service = TestService::start().await;
    let mut body = sign_up_body("ada");
    body["name"] = json!("é".repeat(80));
    body["password"] = json!("ü".repeat(128));
    service.post("", "/users", body).await.expect(201);
    service.sign_in("ada", &"ü".repeat(128)).await;
}

#[tokio::test]
async fn where_signing_up_is_closed_only_superusers_make_accounts() {
    let service = TestService::start_with(&[("SIGN_UP", "closed")]).await;
    let admin = service.admin().await;
    service
        .post("", "/users", sign_up_body("ada"))
        .await
        .expect(403);
    service
        .post("no token", "/users", sign_up_body("ada"))
        .await
        .expect(401);
    let answer = service
        .post(&admin, "/users", sign_up_body("ada"))
        .await
        .expect(201);
    assert_eq!(answer.json()["is_superuser"], false);
    let ada = service.sign_in("ada", PASSWORD).await;
    service
        .post(&ada, "/users", sign_up_body("bob"))
        .await
        .expect(403);
    service.get("/users/bob").await.expect(404);
    eventually("the act is a security event", async || {
        let log = service.log();
        let mut created = log.iter().filter(|line| line["event"] == "account_created");
        created.any(|line| line["account"] == "ada" && line["by"] == "admin")
    })
    .await;
}

#[tokio::test]
async fn where_signing_up_is_open_a_token_that_is_no_longer_valid_does_no_harm() {
    let service = TestService::start().await;
    service
        .post("no token", "/users", sign_up_body("ada"))
        .await
        .expect(201);
}
