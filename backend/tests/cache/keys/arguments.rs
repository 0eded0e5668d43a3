//! Arguments and the resource id (C6, C7).
//!
//! Come here after changing how a handler gives a value to a key.

use backend::infrastructure::cache::{CachePolicy, ResourceIdType};
use backend::infrastructure::settings::CacheBackendKind;
use serde::{Deserialize, Serialize};

use crate::harness::{Harness, Log, Runs, both, get, post};

const WIDGET: CachePolicy = CachePolicy::new("widget")
    .resource_id_name("widget_id")
    .shared();

#[actix_web::test]
async fn c06_a_read_with_a_missing_argument_is_not_cached_and_the_log_says_why() {
    const ODD: CachePolicy = CachePolicy::new("odd_{tenant}").resource_id("all");
    let harness = Harness::new(CacheBackendKind::Memory).await;
    let runs = Runs::default();
    let app = harness.app(both("/odd", ODD, &runs)).await;
    let log = Log::collect();
    for number in 1..=3 {
        let reply = get(&app, "/odd").await;
        assert_eq!(
            reply.outcome(),
            "backend; fwd=bypass; detail=missing-argument"
        );
        assert_eq!(reply.text(), format!("run {number}"));
    }
    assert_eq!(
        log.lines_with(&["WARN", "/odd", "`tenant`"]).len(),
        1,
        "one warning for the route"
    );
}

#[actix_web::test]
async fn c07_the_resource_id_is_inferred() {
    #[derive(Default, Deserialize, Serialize)]
    #[serde(default)]
    struct ById {
        page: i64,
        item_id: i64,
    }
    const ANY: CachePolicy = CachePolicy::new("any");
    const TEXT: CachePolicy = ANY.resource_id_type(ResourceIdType::String);
    const UUID: CachePolicy = ANY.resource_id_type(ResourceIdType::Uuid);
    const QUERY: CachePolicy = ANY.query::<ById>();
    let cases: [(&str, CachePolicy, &str, &str); 7] = [
        ("/a/{number}/{widget_id}", ANY, "/a/7/42", "any:42"),
        ("/b/{number}/x", ANY, "/b/7/x", "any:7"),
        ("/c/{name}/{number}", ANY, "/c/ada/7", "any:7"),
        ("/d/{name}/{number}", TEXT, "/d/ada/7", "any:ada"),
        (
            "/e/{name}/{key}",
            UUID,
            "/e/7/67e55044-10b1-426f-9247-bb680e5fe0c8",
            "any:67e55044-10b1-426f-9247-bb680e5fe0c8",
        ),
        ("/f", QUERY, "/f?page=3&item_id=9", "any:9:page=3:item_id=9"),
        ("/g/{id}", QUERY, "/g/5?item_id=9", "any:5:page=0:item_id=9"),
    ];
    let harness = Harness::new(CacheBackendKind::Memory).await;
    for (route, policy, path, key) in cases {
        let app = harness.app(both(route, policy, &Runs::default())).await;
        assert_eq!(get(&app, path).await.key(), key, "{route}");
    }
}

#[actix_web::test]
async fn c07_without_a_resource_id_nothing_is_cached_and_a_page_is_never_one() {
    #[derive(Default, Deserialize, Serialize)]
    #[serde(default)]
    struct Pages {
        page: i64,
    }
    const LIST: CachePolicy = CachePolicy::new("list").query::<Pages>();
    let harness = Harness::new(CacheBackendKind::Memory).await;
    let runs = Runs::default();
    let app = harness
        .app(|config| {
            both("/list", LIST, &runs)(config);
            both("/users/{name}", CachePolicy::new("user"), &runs)(config);
        })
        .await;
    let log = Log::collect();
    for path in ["/list?page=3", "/list?page=3", "/users/ada", "/users/ada"] {
        assert_eq!(
            get(&app, path).await.outcome(),
            "backend; fwd=bypass; detail=no-id",
            "{path}"
        );
    }
    assert_eq!(runs.total(), 4);
    for route in ["/list", "/users/{name}"] {
        assert_eq!(
            log.lines_with(&["WARN", route, "resource id"]).len(),
            1,
            "{route}"
        );
    }
}

#[actix_web::test]
async fn c07_an_id_in_an_unusual_form_is_never_stale() {
    for harness in Harness::on_every_backend().await {
        let app = harness
            .app(both("/widgets/{widget_id}", WIDGET, &Runs::default()))
            .await;
        get(&app, "/widgets/42").await;
        for unusual in ["/widgets/042", "/widgets/%34%32", "/widgets/+42"] {
            let reply = get(&app, unusual).await;
            assert!(
                reply.key().is_empty() || reply.key() == "widget:42",
                "{unusual}: {reply:?}"
            );
        }
        post(&app, "/widgets/042").await;
        assert!(
            !get(&app, "/widgets/42").await.is_hit(),
            "{:?}",
            harness.kind
        );
    }
}
