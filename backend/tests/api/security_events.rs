//! Security events: lines of target `security` in the log of the running process.
//!
//! Come here when an event is missing, or has a field too many. The test is a trusted proxy, so each client has the address
//! that the test writes.

use std::io::{BufRead, BufReader};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::join_all;
use reqwest::{Client, Method};
use serde_json::{Value, json};

use crate::support::answer::Answer;
use crate::support::database::TestDatabase;
use crate::support::eventually;
use crate::support::service::{PASSWORD, TestService, command};

const PROXY: (&str, &str) = ("TRUSTED_PROXIES", "127.0.0.0/8");

/// The security lines so far, each as its event, account, the name of who did it, and the whole line.
fn events(service: &TestService) -> Vec<(String, String, String, Value)> {
    let lines = service.log().into_iter();
    let lines = lines.filter(|line| line["target"] == "security");
    lines
        .map(|line| {
            let text = |name: &str| line[name].as_str().unwrap_or_default().to_owned();
            (text("event"), text("account"), text("by"), line)
        })
        .collect()
}

/// Waits for so many security lines.
async fn expect_events(service: &TestService, expected: &[(&str, &str, &str)]) -> Vec<Value> {
    eventually("the lines are written", async || {
        events(service).len() >= expected.len()
    })
    .await;
    let events = events(service);
    let short: Vec<_> = events
        .iter()
        .map(|(event, account, by, _)| (event.as_str(), account.as_str(), by.as_str()))
        .collect();
    assert_eq!(short, expected);
    events.into_iter().map(|(.., line)| line).collect()
}

/// An id that the service keeps.
fn request_id_from(address: &str) -> String {
    format!("from-{}", address.replace(':', "."))
}

async fn sign_in_from(service: &TestService, address: &str, name: &str, password: &str) -> Answer {
    let request = service
        .api(Method::POST, "/auth/login", "")
        .header("x-forwarded-for", address)
        .header("x-request-id", request_id_from(address))
        .json(&json!({"username": name, "password": password}));
    service.send(request).await
}

#[tokio::test]
async fn sign_ins_are_logged_with_account_address_and_request_even_where_the_log_is_off() {
    let environment = [
        PROXY,
        ("LOGIN_ATTEMPTS", "1"),
        ("LOG_LEVEL", "info,infrastructure=off"),
    ];
    let service = TestService::start_with(&environment).await;
    service.sign_up("ada").await.expect(201);
    let secret = "ada@a-mistyped-address.example";
    sign_in_from(&service, "192.0.2.1", "ada@example.com", PASSWORD)
        .await
        .expect(200);
    sign_in_from(&service, "192.0.2.2", "ada", "hunter2hunter2")
        .await
        .expect(401);
    sign_in_from(&service, "192.0.2.3", "ada", PASSWORD)
        .await
        .expect(429);
    sign_in_from(&service, "2001:db8::4", secret, "hunter2hunter2")
        .await
        .expect(401);
    sign_in_from(&service, "192.0.2.5", secret, PASSWORD)
        .await
        .expect(429);
    let lines = expect_events(
        &service,
        &[
            ("signed_in", "ada", ""),
            ("sign_in_failed", "ada", ""),
            ("sign_in_limited", "ada", ""),
            ("sign_in_failed", "unknown", ""),
            ("sign_in_limited", "unknown", ""),
        ],
    )
    .await;
    let addresses = [
        "192.0.2.1",
        "192.0.2.2",
        "192.0.2.3",
        "2001:db8::4",
        "192.0.2.5",
    ];
    for (line, address) in lines.iter().zip(addresses) {
        assert_eq!(line["address"], address, "{line}");
        assert_eq!(line["request_id"], request_id_from(address), "{line}");
        assert_eq!(
            line["account_id"].is_i64(),
            line["account"] == "ada",
            "{line}"
        );
    }
    // The same unknown name is recognised, and not shown: it may be an address, or a password in the wrong field.
    assert!(lines[3]["account_hash"].is_string());
    assert_eq!(lines[3]["account_hash"], lines[4]["account_hash"]);
    let log = format!("{:?}", service.log());
    for part in ["mistyped", "hunter2", PASSWORD, "example.com"] {
        assert!(!log.contains(part), "{part} in {log}");
    }
}

#[tokio::test]
async fn changes_of_accounts_are_logged_with_who_made_them() {
    let service = TestService::start().await;
    let ada = service.new_user("ada").await;
    let change =
        json!({"email": "a@example.com", "password": "another one", "current_password": PASSWORD});
    service.patch(&ada, "/users/ada", change).await.expect(200);
    let wrong = json!({"email": "b@example.com", "current_password": PASSWORD});
    service.patch(&ada, "/users/ada", wrong).await.expect(403);
    service.sign_in("ada", "another one").await;
    let admin = service.admin().await;
    let change = json!({"name": "Ada L", "password": "a third one"});
    service
        .patch(&admin, "/users/ada", change)
        .await
        .expect(200);
    // Neither a change of nothing nor one's own name is an event.
    service
        .patch(&admin, "/users/ada", json!({}))
        .await
        .expect(200);
    service
        .patch(&admin, "/users/admin", json!({"name": "Root"}))
        .await
        .expect(200);
    service.delete(&admin, "/users/ada").await.expect(204);
    service
        .post(&admin, "/auth/logout", json!(null))
        .await
        .expect(204);
    let lines = expect_events(
        &service,
        &[
            ("signed_in", "ada", ""),
            ("email_changed", "ada", ""),
            ("password_changed", "ada", ""),
            ("current_password_failed", "ada", ""),
            ("signed_in", "ada", ""),
            ("signed_in", "admin", ""),
            ("name_changed", "ada", "admin"),
            ("password_changed", "ada", "admin"),
            ("sessions_revoked", "ada", "admin"),
            ("account_deleted", "ada", "admin"),
            ("sessions_revoked", "admin", ""),
        ],
    )
    .await;
    assert_eq!(lines[8]["sessions"], 2);
    let log = format!("{lines:?}");
    for part in [
        "example.com",
        "another one",
        "a third one",
        "Ada L",
        "argon2",
    ] {
        assert!(!log.contains(part), "{part} in {log}");
    }
}

#[tokio::test]
async fn what_a_superuser_does_to_anothers_data_is_logged() {
    let service = TestService::start().await;
    let ada = service.new_user("ada").await;
    let widget = format!("/widgets/{}", service.new_widget(&ada, "cog").await);
    service
        .patch(&ada, &widget, json!({"name": "Cog"}))
        .await
        .expect(200);
    let admin = service.admin().await;
    service.patch(&admin, &widget, json!({})).await.expect(200);
    service
        .patch(&admin, &widget, json!({"name": "Gear"}))
        .await
        .expect(200);
    service.delete(&admin, &widget).await.expect(204);
    let own = format!("/widgets/{}", service.new_widget(&admin, "own").await);
    service.delete(&admin, &own).await.expect(204);
    service
        .post(&ada, "/auth/logout-all", json!(null))
        .await
        .expect(204);
    expect_events(
        &service,
        &[
            ("signed_in", "ada", ""),
            ("signed_in", "admin", ""),
            ("data_changed", "ada", "admin"),
            ("data_deleted", "ada", "admin"),
            ("sessions_revoked", "ada", ""),
        ],
    )
    .await;
}

/// Nobody reads the log: acts are refused once no more lines fit. Then somebody reads it, and it has a line for each act.
#[tokio::test]
async fn no_security_line_is_lost_while_nobody_reads_the_log() {
    let database = TestDatabase::migrated().await;
    let environment = [
        ("DATABASE_URL", &*database.url()),
        ("SERVER_PORT", "0"),
        ("LOG_FORMAT", "json"),
        ("CACHE_BACKEND", "memory"),
        ("LOGIN_ATTEMPTS", "1"),
    ];
    let mut process = command(&environment).spawn().unwrap();
    let output = process.stdout.take().unwrap();
    let (listens, address) = channel();
    let (read_on, go_on) = channel::<()>();
    let limited: Arc<Mutex<usize>> = Arc::default();
    let counted = Arc::clone(&limited);
    std::thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            let line: Value = serde_json::from_str(&line).expect("whole lines");
            if line["event"] == "sign_in_limited" {
                *counted.lock().unwrap() += 1;
            }
            if line["message"] == "listening" {
                listens
                    .send(line["address"].as_str().unwrap().to_owned())
                    .unwrap();
                let _ = go_on.recv();
            }
        }
    });
    let address = address
        .recv_timeout(Duration::from_mins(1))
        .expect("it listens");
    let client = Client::builder()
        .no_proxy()
        .timeout(Duration::from_mins(1))
        .build()
        .unwrap();
    let sign_in = async || {
        let request = client
            .post(format!("http://{address}/api/v1/auth/login"))
            .json(&json!({"username": "nobody", "password": "wrong"}));
        request.send().await.expect("an answer").status().as_u16()
    };
    assert_eq!(sign_in().await, 401);
    let (mut done, mut refused) = (0, 0);
    while refused == 0 {
        for status in join_all((0..100).map(|_| sign_in())).await {
            match status {
                429 => done += 1,
                503 => refused += 1,
                other => panic!("{other}"),
            }
        }
        assert!(
            done < 20_000,
            "acts are refused when their lines do not fit"
        );
    }
    assert!(done > 2000, "{done}");
    read_on.send(()).unwrap();
    eventually("every line is read", async || {
        *limited.lock().unwrap() >= done
    })
    .await;
    assert_eq!(sign_in().await, 429, "there is room again");
    eventually("the last line is read", async || {
        *limited.lock().unwrap() > done
    })
    .await;
    assert_eq!(*limited.lock().unwrap(), done + 1);
    process.kill().unwrap();
    process.wait().unwrap();
}
