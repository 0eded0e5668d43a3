//! Passwords and tokens appear in no answer and in no line of the log, however a request is wrong.
//!
//! Come here after adding a secret to a request or to the settings.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::service::{PASSWORD, TestService};

#[tokio::test]
async fn a_refused_password_is_neither_answered_nor_logged() {
    let service = TestService::start_with(&[("LOG_LEVEL", "debug")]).await;
    let ada = service.new_user("ada").await;
    let refused: &[Value] = &[
        json!(8642_9753_1864_u64),
        json!(86_429_753.5),
        json!(["hunter2"]),
        json!({"hunter2": 1}),
        json!("hunter2"),
        json!("hunter2\u{0}hunter2"),
        json!("hunter2".repeat(40)),
    ];
    for password in refused {
        let new =
            json!({"username": "bob", "email": "b@example.com", "name": "b", "password": password});
        let login = json!({"username": "ada", "password": password});
        let change = json!({"password": password, "current_password": PASSWORD});
        let current = json!({"email": "a@example.com", "current_password": password});
        for (token, method, path, body) in [
            ("", Method::POST, "/users", &new),
            ("", Method::POST, "/auth/login", &login),
            (&*ada, Method::PATCH, "/users/ada", &change),
            (&*ada, Method::PATCH, "/users/ada", &current),
        ] {
            let answer = service
                .send(service.api(method, path, token).json(body))
                .await;
            // One of these is a password that may be chosen.
            assert!(
                (400..500).contains(&answer.status) || answer.status < 300,
                "{answer:#?}"
            );
            for part in ["hunter2", "864297531864", "86429753.5"] {
                assert!(!answer.text.contains(part), "{part} in {answer:#?}");
            }
        }
    }
    let log = format!("{:?}", service.log());
    assert!(log.contains("/auth/login"), "the requests are logged");
    for part in ["hunter2", "864297531864", "86429753.5", PASSWORD, &ada] {
        assert!(!log.contains(part), "{part} in the log");
    }
}
