//! `/auth/sessions`: a user sees and ends the own sessions, and nobody else's.
//!
//! Come here for what a session shows. Signing in and out is in `auth`. Clients at other addresses are told apart by a trusted
//! proxy, which here is the test.

use chrono::{DateTime, DurationRound as _, TimeDelta, Utc};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::eventually;
use crate::support::service::{PASSWORD, TestService};

const PROXY: (&str, &str) = ("TRUSTED_PROXIES", "127.0.0.0/8");

/// Signs a user in with a client at an address, and returns the token.
async fn sign_in_with(service: &TestService, username: &str, client: &[u8], from: &str) -> String {
    let client = reqwest::header::HeaderValue::from_bytes(client).unwrap();
    let request = service
        .api(Method::POST, "/auth/login", "")
        .header("user-agent", client)
        .header("x-forwarded-for", from)
        .json(&json!({"username": username, "password": PASSWORD}));
    let token = service.send(request).await.expect(200).json();
    token["access_token"].as_str().unwrap().to_owned()
}

async fn sessions(service: &TestService, token: &str) -> Vec<Value> {
    let page = service.get_as(token, "/auth/sessions").await.expect(200);
    page.json()["data"].as_array().unwrap().clone()
}

fn time(value: &Value) -> DateTime<Utc> {
    value.as_str().unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_user_sees_the_own_sessions_newest_first_with_client_and_address_and_without_the_token() {
    let service = TestService::start_with(&[PROXY]).await;
    service.sign_up("ada").await.expect(201);
    let before = Utc::now() - TimeDelta::seconds(5);
    let desk = sign_in_with(&service, "ada", b"Desk/1.0", "192.0.2.1").await;
    let phone = sign_in_with(&service, "ada", b"Phone/2.0", "2001:db8::7").await;
    let grace = service.new_user("grace").await;
    let answer = service.get_as(&phone, "/auth/sessions").await.expect(200);
    assert_eq!(answer.header("cache-control"), "no-store");
    let page = answer.json();
    assert_eq!(page["total_count"], 2, "{page}");
    let list = page["data"].as_array().unwrap();
    for (session, (client, address)) in list
        .iter()
        .zip([("Phone/2.0", "2001:db8::7"), ("Desk/1.0", "192.0.2.1")])
    {
        let mut names: Vec<_> = session.as_object().unwrap().keys().collect();
        names.sort_unstable();
        let wanted = ["address", "client", "created_at", "id", "last_used_at"];
        assert_eq!(names, wanted);
        assert_eq!(session["client"], client);
        assert_eq!(session["address"], address);
        let created = time(&session["created_at"]);
        assert!(created >= before, "{session}");
        let used = time(&session["last_used_at"]);
        assert_eq!(used, used.duration_trunc(TimeDelta::hours(1)).unwrap());
        assert!(used <= Utc::now(), "{session}");
    }
    let hash: String = {
        let pool = service.database.pool().await;
        let sql = "SELECT string_agg(encode(token_hash, 'hex'), ' ') FROM access_tokens";
        sqlx::query_scalar(sql).fetch_one(&pool).await.unwrap()
    };
    for secret in hash.split(' ').chain([desk.as_str(), phone.as_str()]) {
        assert!(!answer.text.contains(secret));
    }
    assert_eq!(sessions(&service, &grace).await.len(), 1);
    service.get("/auth/sessions").await.expect(401);
}

#[tokio::test]
async fn sessions_are_paged_and_expired_ones_are_not_listed() {
    let service = TestService::start().await;
    let first = service.new_user("ada").await;
    for _ in 0..2 {
        service.sign_in("ada", PASSWORD).await;
    }
    let page = service
        .get_as(&first, "/auth/sessions?page=2&items_per_page=2")
        .await
        .expect(200)
        .json();
    assert_eq!(page["total_count"], 3, "{page}");
    assert_eq!(page["has_more"], false);
    let oldest = page["data"][0]["id"].as_i64().unwrap();
    service
        .get_as(&first, "/auth/sessions?items_per_page=101")
        .await
        .expect(422);
    let pool = service.database.pool().await;
    sqlx::query("UPDATE access_tokens SET expires_at = now() WHERE id <> $1")
        .bind(oldest)
        .execute(&pool)
        .await
        .unwrap();
    let left = sessions(&service, &first).await;
    assert_eq!(left.len(), 1, "{left:?}");
    assert_eq!(left[0]["id"], oldest);
}

#[tokio::test]
async fn a_client_without_a_name_is_null_and_a_long_name_is_cut() {
    let service = TestService::start().await;
    service.sign_up("ada").await.expect(201);
    let long = "x".repeat(1000);
    let names: [&[u8]; 3] = [b"", b"M\xfcnchen/1.0", long.as_bytes()];
    let mut token = String::new();
    for name in names {
        token = sign_in_with(&service, "ada", name, "192.0.2.1").await;
    }
    let list = sessions(&service, &token).await;
    assert_eq!(list[0]["client"], "x".repeat(200));
    assert_eq!(list[1]["client"], json!(null));
    assert_eq!(list[2]["client"], json!(null));
    assert_eq!(list[2]["address"], "127.0.0.1", "no proxy is trusted");
}

#[tokio::test]
async fn the_last_use_of_a_session_is_kept_to_the_hour_also_where_the_answer_is_a_hit() {
    let service = TestService::start().await;
    let ada = service.new_user("ada").await;
    let other = service.sign_in("ada", PASSWORD).await;
    service.get_cached(&ada, "/users/me").await;
    let pool = service.database.pool().await;
    sqlx::query("UPDATE access_tokens SET last_used_at = '2026-01-01T00:00:00Z'")
        .execute(&pool)
        .await
        .unwrap();
    let hour = Utc::now().duration_trunc(TimeDelta::hours(1)).unwrap();
    assert!(service.get_as(&ada, "/users/me").await.is_hit());
    // The note follows the answer.
    let noted = async || {
        let sql = "SELECT last_used_at FROM access_tokens ORDER BY created_at";
        let hours: Vec<DateTime<Utc>> = sqlx::query_scalar(sql).fetch_all(&pool).await.unwrap();
        hours
    };
    eventually("the use is noted", async || noted().await[0] >= hour).await;
    let used = noted().await;
    assert_eq!(
        used[0],
        used[0].duration_trunc(TimeDelta::hours(1)).unwrap()
    );
    assert!(used[1] < hour, "the other session was not used");
    service.get_as(&other, "/users/me").await.expect(200);
}

#[tokio::test]
async fn a_session_that_its_user_ends_is_refused_at_once_and_the_end_is_logged() {
    let service = TestService::start().await;
    let first = service.new_user("ada").await;
    let second = service.sign_in("ada", PASSWORD).await;
    service.get_cached(&first, "/users/me").await;
    let list = sessions(&service, &second).await;
    let path = format!("/auth/sessions/{}", list[1]["id"]);
    service.delete(&second, &path).await.expect(204);
    service.get_as(&first, "/users/me").await.expect(401);
    service.delete(&second, &path).await.expect(404);
    assert_eq!(sessions(&service, &second).await.len(), 1);
    // The own session ends like any other.
    let own = format!("/auth/sessions/{}", list[0]["id"]);
    service.delete(&second, &own).await.expect(204);
    service.get_as(&second, "/auth/sessions").await.expect(401);
    eventually("both ends are logged", async || {
        let lines = service.log().into_iter();
        let ends = lines.filter(|line| {
            line["event"] == "sessions_revoked" && line["account"] == "ada" && line["sessions"] == 1
        });
        ends.count() == 2
    })
    .await;
}

#[tokio::test]
async fn nobody_ends_the_session_of_somebody_else() {
    let service = TestService::start().await;
    let ada = service.new_user("ada").await;
    let grace = service.new_user("grace").await;
    let admin = service.admin().await;
    let path = format!("/auth/sessions/{}", sessions(&service, &ada).await[0]["id"]);
    service.delete("", &path).await.expect(401);
    // The answer is that of a session that does not exist, also to a superuser.
    for token in [&grace, &admin] {
        let refused = service.delete(token, &path).await.expect(404).json();
        let unknown = service
            .delete(token, "/auth/sessions/9223372036854775807")
            .await;
        assert_eq!(refused["detail"], unknown.expect(404).json()["detail"]);
    }
    service.delete(&grace, "/auth/sessions/0").await.expect(404);
    service.delete(&grace, "/auth/sessions/x").await.expect(400);
    service.get_as(&ada, "/users/me").await.expect(200);
}
