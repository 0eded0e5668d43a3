//! `backend routes`: the list of all routes with their caching, from the running binary.
//!
//! Come here after adding a column to that list.

use serde_json::Value;

use crate::support::service::command;

fn routes(arguments: &[&str]) -> String {
    // Neither settings nor servers are needed.
    let output = command(&[("CACHE_BACKEND", "nonsense")])
        .arg("routes")
        .args(arguments)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn c47_routes_prints_a_table_for_people() {
    let table = routes(&[]);
    let line = |method: &str, path: &str| {
        table
            .lines()
            .find(|line| {
                let mut words = line.split_whitespace();
                words.next() == Some(method) && words.next() == Some(path)
            })
            .unwrap_or_else(|| panic!("{method} {path} in\n{table}"))
            .to_owned()
    };
    let read = line("GET", "/api/v1/widgets/{widget_id}");
    for part in ["anyone", "widget:{widget_id}", "600 s"] {
        assert!(read.contains(part), "{part} in {read}");
    }
    let delete = line("DELETE", "/api/v1/users/{username}");
    for part in [
        "signed in",
        "user:{username}",
        "me_{user_id}:profile",
        "widget:{widget_id}",
        "group widget_search",
    ] {
        assert!(delete.contains(part), "{part} in {delete}");
    }
    assert!(line("GET", "/api/v1/users").contains("superuser"));
    line("GET", "/health");
}

#[test]
fn c47_routes_prints_json_for_programs() {
    let rows: Vec<Value> = serde_json::from_str(&routes(&["--json"])).unwrap();
    let me = rows
        .iter()
        .find(|row| row["path"] == "/api/v1/users/me")
        .expect("the row");
    assert_eq!(me["key"], "me_{caller}:profile");
    assert_eq!(me["audience"], "per caller");
    assert_eq!(me["caller"], "signed in");
    assert_eq!(me["expiration"], 60);
    let create = rows
        .iter()
        .find(|row| row["path"] == "/api/v1/widgets" && row["method"] == "POST")
        .expect("the row");
    assert_eq!(create["invalidates"]["groups"][0], "user_{owner}_widgets");
}

#[test]
fn c45_every_route_requires_the_caller_of_the_contract() {
    let rows: Vec<Value> = serde_json::from_str(&routes(&["--json"])).unwrap();
    let declared: Vec<String> = rows
        .iter()
        .map(|row| format!("{} {}: {}", row["method"], row["path"], row["caller"]).replace('"', ""))
        .collect();
    // A module of one's own has further ones.
    let contract = [
        "DELETE /api/v1/auth/sessions/{id}: signed in",
        "DELETE /api/v1/cache/entries/{key}: superuser",
        "DELETE /api/v1/users/{username}: signed in",
        "DELETE /api/v1/widgets/{widget_id}: signed in",
        "GET /api/v1/auth/sessions: signed in",
        "GET /api/v1/cache/entries/{key}: superuser",
        "GET /api/v1/cache/entries: superuser",
        "GET /api/v1/cache/events: superuser",
        "GET /api/v1/cache/map: superuser",
        "GET /api/v1/cache/stats: superuser",
        "GET /api/v1/users/me: signed in",
        "GET /api/v1/users: superuser",
        "PATCH /api/v1/users/{username}: signed in",
        "PATCH /api/v1/widgets/{widget_id}: signed in",
        "POST /api/v1/auth/logout-all: signed in",
        "POST /api/v1/auth/logout: signed in",
        "POST /api/v1/cache/purge: superuser",
        "POST /api/v1/widgets: signed in",
    ];
    for route in contract {
        assert!(
            declared.iter().any(|known| known == route),
            "`{route}` is missing in {declared:#?}"
        );
    }
}
