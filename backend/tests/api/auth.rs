//! `/auth`: signing in and out.
//!
//! Come here for tokens and the answers to a sign-in. Limits of sign-ins are in `sign_in_limits`.

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::json;
use sqlx::Row;

use crate::support::service::{PASSWORD, TestService};

#[tokio::test]
async fn a_user_signs_in_by_name_or_address() {
    let service = TestService::start().await;
    service.sign_up("ada").await.expect(201);
    for name in ["ada", "ada@example.com", "ADA@example.com"] {
        let answer = service
            .post(
                "",
                "/auth/login",
                json!({"username": name, "password": PASSWORD}),
            )
            .await;
        let token = answer.expect(200).json();
        assert_eq!(token["token_type"], "bearer");
        assert_eq!(
            token["access_token"].as_str().unwrap().len(),
            64,
            "256 bits in hexadecimal"
        );
        let expires: chrono::DateTime<chrono::Utc> =
            token["expires_at"].as_str().unwrap().parse().unwrap();
        let days = (expires - chrono::Utc::now()).num_hours();
        assert!((29 * 24..=30 * 24).contains(&days), "{days} hours");
    }
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_name_are_answered_in_the_same_words() {
    let service = TestService::start().await;
    service.sign_up("ada").await.expect(201);
    let mut answers = Vec::new();
    for (name, password) in [
        ("ada", "wrong"),
        ("nobody", PASSWORD),
        ("a\u{0}b", PASSWORD),
        ("", ""),
        ("ada", ""),
    ] {
        let answer = service
            .post(
                "",
                "/auth/login",
                json!({"username": name, "password": password}),
            )
            .await
            .expect(401);
        assert_eq!(answer.header("www-authenticate"), "Bearer");
        let mut problem = answer.json();
        problem["request_id"] = json!("");
        answers.push(problem);
    }
    assert!(
        answers.iter().all(|answer| *answer == answers[0]),
        "{answers:#?}"
    );
}

#[tokio::test]
async fn a_token_is_stored_only_as_its_hash_and_ends_when_it_is_due() {
    let service = TestService::start().await;
    let token = service.new_user("ada").await;
    let pool = service.database.pool().await;
    let row = sqlx::query("SELECT token_hash FROM access_tokens")
        .fetch_one(&pool)
        .await
        .unwrap();
    let stored: Vec<u8> = row.get(0);
    assert_eq!(stored.len(), 32);
    assert_ne!(stored, token.as_bytes());
    service.get_as(&token, "/users/me").await.expect(200);
    sqlx::query("UPDATE access_tokens SET expires_at = now()")
        .execute(&pool)
        .await
        .unwrap();
    service.get_as(&token, "/users/me").await.expect(401);
}

#[tokio::test]
async fn a_revoked_token_is_refused_at_once_even_where_the_answer_is_cached() {
    let service = TestService::start().await;
    let (first, second) = (
        service.new_user("ada").await,
        service.sign_in("ada", PASSWORD).await,
    );
    for token in [&first, &second] {
        service.get_as(token, "/users/me").await.expect(200);
    }
    assert!(service.get_as(&first, "/users/me").await.is_hit());
    service
        .post(&first, "/auth/logout", json!(null))
        .await
        .expect(204);
    service.get_as(&first, "/users/me").await.expect(401);
    assert!(
        service
            .get_as(&second, "/users/me")
            .await
            .expect(200)
            .is_hit()
    );
    let third = service.sign_in("ada", PASSWORD).await;
    service
        .post(&third, "/auth/logout-all", json!(null))
        .await
        .expect(204);
    for token in [&second, &third] {
        service.get_as(token, "/users/me").await.expect(401);
    }
    service
        .post(&third, "/auth/logout", json!(null))
        .await
        .expect(401);
}

#[tokio::test]
async fn only_a_bearer_token_that_was_issued_is_accepted() {
    let service = TestService::start().await;
    let token = service.new_user("ada").await;
    let upper = token.to_uppercase();
    let wrong = [
        String::new(),
        "Bearer".to_owned(),
        "Bearer ".to_owned(),
        "Bearer nonsense".to_owned(),
        format!("Basic {token}"),
        format!("Bearer {upper}"),
        format!("Bearer {token}x"),
        token.clone(),
    ];
    for header in wrong {
        let request = service
            .api(Method::GET, "/users/me", "")
            .header("authorization", &header);
        let answer = service.send(request).await.expect(401);
        assert_eq!(answer.header("www-authenticate"), "Bearer", "{header}");
    }
    let request = service
        .api(Method::GET, "/users/me", "")
        .header("authorization", format!("bearer {token}"));
    service.send(request).await.expect(200);
}

#[tokio::test]
async fn a_burst_of_logins_leaves_the_service_answering() {
    let service = TestService::start_with(&[("SERVER_WORKERS", "1")]).await;
    service.sign_up("ada").await.expect(201);
    let body = json!({"username": "ada", "password": PASSWORD});
    let logins = join_all((0..40).map(|_| service.post("", "/auth/login", body.clone())));
    let others = async {
        let mut answered = 0;
        for _ in 0..40 {
            service.get("/users/ada").await.expect(200);
            answered += 1;
        }
        answered
    };
    // The reads end before the logins: none waits for a password.
    tokio::select! {
        biased;
        answered = others => assert_eq!(answered, 40),
        _ = logins => panic!("the logins were faster than reads that need no password"),
    }
}

#[tokio::test]
async fn a_login_that_overlaps_a_change_of_password_gives_no_lasting_token() {
    let service = TestService::start().await;
    service.sign_up("ada").await.expect(201);
    let admin = service.admin().await;
    let mut password = PASSWORD.to_owned();
    for round in 0..6 {
        let next = format!("password {round}");
        let body = json!({"username": "ada", "password": password});
        let (login, change) = tokio::join!(
            service.post("", "/auth/login", body),
            service.patch(&admin, "/users/ada", json!({"password": next}))
        );
        change.expect(200);
        if login.status == 200 {
            let token = login.json()["access_token"].as_str().unwrap().to_owned();
            service.get_as(&token, "/users/me").await.expect(401);
        }
        password = next;
    }
}

#[tokio::test]
async fn without_a_valid_token_a_write_is_refused_before_its_body_and_conditions_are_read() {
    let service = TestService::start().await;
    let writes = [
        (Method::POST, "/widgets"),
        (Method::PATCH, "/widgets/1"),
        (Method::DELETE, "/widgets/1"),
        (Method::PATCH, "/users/admin"),
        (Method::DELETE, "/users/admin"),
    ];
    for (method, path) in writes {
        for token in ["", "nonsense"] {
            let request = service
                .api(method.clone(), path, token)
                .header("if-match", "no-tag")
                .header("content-type", "application/json")
                .body("{");
            service.send(request).await.expect(401);
        }
    }
}
