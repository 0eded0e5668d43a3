//! Limits of sign-ins: by account, by address, on all instances; and the fair queue of passwords.
//!
//! Come here for a sign-in that is refused too early or too late. The test is a trusted proxy, so each client has the
//! address that the test writes.

use std::sync::Mutex;
use std::time::Instant;

use futures_util::future::{join, join_all};
use reqwest::Method;
use serde_json::json;

use crate::support::answer::Answer;
use crate::support::eventually;
use crate::support::service::{PASSWORD, Service, TestService};

const PROXY: (&str, &str) = ("TRUSTED_PROXIES", "127.0.0.0/8");

async fn sign_in_from(service: &Service, address: &str, name: &str, password: &str) -> Answer {
    let request = service
        .api(Method::POST, "/auth/login", "")
        .header("x-forwarded-for", address)
        .json(&json!({"username": name, "password": password}));
    service.send(request).await
}

fn expect_limited(answer: &Answer) {
    assert_eq!(answer.status, 429, "{answer:#?}");
    let seconds: u64 = answer.header("retry-after").parse().unwrap();
    assert!((1..=900).contains(&seconds), "{seconds}");
    assert_eq!(answer.json()["status"], 429);
}

#[tokio::test]
async fn after_ten_wrong_passwords_an_account_is_closed_to_every_address_by_each_of_its_names() {
    for backend in ["redis", "memcached", "memory"] {
        let service = TestService::start_with(&[PROXY, ("CACHE_BACKEND", backend)]).await;
        service.sign_up("ada").await.expect(201);
        service.sign_up("bob").await.expect(201);
        for last in 0..10 {
            let name = if last % 2 == 0 {
                "ada"
            } else {
                "ADA@example.com"
            };
            let address = format!("192.0.2.{last}");
            sign_in_from(&service, &address, name, "wrong")
                .await
                .expect(401);
        }
        for (name, password) in [
            ("ada", PASSWORD),
            ("ada@example.com", PASSWORD),
            ("ada", "wrong"),
        ] {
            expect_limited(&sign_in_from(&service, "192.0.2.100", name, password).await);
        }
        // What was refused is not counted for the address.
        for _ in 0..10 {
            sign_in_from(&service, "192.0.2.100", "ada", "wrong")
                .await
                .expect(429);
        }
        sign_in_from(&service, "192.0.2.100", "bob", PASSWORD)
            .await
            .expect(200);
    }
}

#[tokio::test]
async fn a_name_that_nobody_has_is_limited_in_the_same_words() {
    let service = TestService::start_with(&[PROXY]).await;
    service.sign_up("ada").await.expect(201);
    let mut answers = Vec::new();
    for name in ["ada", "nobody"] {
        for last in 0..12 {
            let address = format!("192.0.2.{last}");
            let answer = sign_in_from(&service, &address, name, "wrong").await;
            let mut problem = answer.json();
            problem["request_id"] = json!("");
            answers.push((answer.status, problem));
        }
    }
    assert_eq!(answers[..12], answers[12..]);
    assert_eq!((answers[9].0, answers[10].0), (401, 429));
}

#[tokio::test]
async fn after_ten_wrong_passwords_an_address_is_refused_and_others_are_not() {
    let service = TestService::start_with(&[PROXY]).await;
    service.sign_up("ada").await.expect(201);
    for number in 0..10 {
        let name = format!("nobody{number}");
        sign_in_from(&service, "192.0.2.1", &name, "wrong")
            .await
            .expect(401);
    }
    expect_limited(&sign_in_from(&service, "192.0.2.1", "ada", PASSWORD).await);
    sign_in_from(&service, "192.0.2.2", "ada", PASSWORD)
        .await
        .expect(200);
    // An address that is limited cannot lock out an account.
    for _ in 0..12 {
        sign_in_from(&service, "192.0.2.1", "ada", "wrong")
            .await
            .expect(429);
    }
    sign_in_from(&service, "192.0.2.2", "ada", PASSWORD)
        .await
        .expect(200);
}

#[tokio::test]
async fn a_header_that_no_trusted_proxy_wrote_does_not_change_the_address_that_is_counted() {
    let service = TestService::start().await;
    for number in 0..10 {
        let (address, name) = (format!("192.0.2.{number}"), format!("nobody{number}"));
        sign_in_from(&service, &address, &name, "wrong")
            .await
            .expect(401);
    }
    expect_limited(&sign_in_from(&service, "192.0.2.99", "admin", PASSWORD).await);
}

#[tokio::test]
async fn right_passwords_do_not_count_and_do_not_reset_the_count() {
    let service = TestService::start().await;
    service.sign_up("ada").await.expect(201);
    for _ in 0..12 {
        service.sign_in("ada", PASSWORD).await;
    }
    for _ in 0..9 {
        sign_in_from(&service, "", "ada", "wrong").await.expect(401);
    }
    service.sign_in("ada", PASSWORD).await;
    sign_in_from(&service, "", "ada", "wrong").await.expect(401);
    expect_limited(&sign_in_from(&service, "", "ada", PASSWORD).await);
}

#[tokio::test]
async fn the_current_password_counts_too() {
    let service = TestService::start().await;
    let ada = service.new_user("ada").await;
    let change = |password: &str| json!({"email": "a@example.com", "current_password": password});
    for _ in 0..10 {
        let wrong = service.patch(&ada, "/users/ada", change("wrong")).await;
        wrong.expect(403);
    }
    expect_limited(&service.patch(&ada, "/users/ada", change(PASSWORD)).await);
    expect_limited(&sign_in_from(&service, "", "ada", PASSWORD).await);
    let name = json!({"name": "Ada"});
    service.patch(&ada, "/users/ada", name).await.expect(200);
}

#[tokio::test]
async fn instances_count_together() {
    for backend in ["redis", "memcached"] {
        let first = TestService::start_with(&[("CACHE_BACKEND", backend)]).await;
        let environment = [
            ("CACHE_BACKEND", backend),
            ("CACHE_NAMESPACE", first.namespace.as_str()),
            ("CACHE_OPERATION_TIMEOUT_MS", "5000"),
        ];
        let second = Service::start(&first.database.url(), &environment).await;
        for _ in 0..5 {
            for service in [&first.service, &second] {
                sign_in_from(service, "", "admin", "wrong")
                    .await
                    .expect(401);
            }
        }
        for service in [&first.service, &second] {
            expect_limited(&sign_in_from(service, "", "admin", PASSWORD).await);
        }
    }
}

#[tokio::test]
async fn without_the_cache_server_an_instance_counts_by_itself() {
    for environment in [("CACHE_REDIS_PORT", "1"), ("CACHE_ENABLED", "false")] {
        let service = TestService::start_with(&[environment]).await;
        for _ in 0..10 {
            sign_in_from(&service, "", "admin", "wrong")
                .await
                .expect(401);
        }
        expect_limited(&sign_in_from(&service, "", "admin", PASSWORD).await);
    }
}

#[tokio::test]
async fn of_attempts_that_come_at_the_same_time_no_more_than_the_limit_are_looked_at() {
    let service = TestService::start_with(&[PROXY]).await;
    let attempts = (0..60).map(async |number| {
        let address = format!("192.0.2.{number}");
        sign_in_from(&service, &address, "admin", "wrong")
            .await
            .status
    });
    let statuses = join_all(attempts).await;
    let count = |wanted| statuses.iter().filter(|status| **status == wanted).count();
    assert_eq!((count(401), count(429)), (10, 50), "{statuses:?}");
}

/// The drill: 400 wrong sign-ins from one address beside 20 right ones from others, with the limit and, for the queue alone,
/// without it. How long they took is printed; what is asserted is their order.
#[tokio::test]
async fn a_burst_of_wrong_passwords_from_one_address_holds_up_no_other() {
    for limit in ["10", "1000000"] {
        let service = TestService::start_with(&[PROXY, ("LOGIN_ATTEMPTS", limit)]).await;
        let names: Vec<String> = (0..20).map(|number| format!("user{number}")).collect();
        for answer in join_all(names.iter().map(|name| service.sign_up(name))).await {
            answer.expect(201);
        }
        let wrong = Mutex::new(Vec::new());
        let count = |wanted| {
            let wrong = wrong.lock().unwrap();
            wrong.iter().filter(|status| **status == wanted).count()
        };
        let burst = join_all((0..400).map(async |number| {
            let name = format!("nobody{}", number % 7);
            let answer = sign_in_from(&service, "192.0.2.1", &name, "wrong").await;
            wrong.lock().unwrap().push(answer.status);
        }));
        let others = async {
            // With 100 refused, 256 wait: at most 44 of the burst are still to come.
            eventually("the queue is full of wrong passwords", async || {
                count(503) >= 100 || count(429) > 0
            })
            .await;
            let begin = Instant::now();
            let times = join_all(names.iter().enumerate().map(async |(number, name)| {
                let address = format!("198.51.100.{number}");
                sign_in_from(&service, &address, name, PASSWORD)
                    .await
                    .expect(200);
                begin.elapsed()
            }))
            .await;
            (times.into_iter().max().unwrap(), count(401))
        };
        let (_, (slowest, wrong_before)) = join(burst, others).await;
        println!(
            "limit {limit}: the slowest of 20 right sign-ins took {} ms; of 400 wrong ones {} were 401, {} 429, {} 503",
            slowest.as_millis(),
            count(401),
            count(429),
            count(503)
        );
        assert_eq!(count(401) + count(429) + count(503), 400);
        if limit == "10" {
            assert_eq!(count(401), 10);
        } else {
            let wrong_after = count(401) - wrong_before;
            assert!(
                wrong_after > 44,
                "the right ones waited for wrong ones that had come before: {wrong_after} came after them"
            );
        }
    }
}
