//! Fields of a declared query that a key could miss (C14).
//! Come here when two queries share an answer, or when a query type is never cached.

use actix_web::HttpRequest;
use actix_web::HttpResponse;
use actix_web::web::{self, ServiceConfig};
use backend::infrastructure::cache::CachePolicy;
use backend::infrastructure::settings::CacheBackendKind;
use serde::{Deserialize, Serialize};

use crate::harness::{Harness, Log, get};

/// A route that answers with the query that it got.
fn echo(path: &'static str, policy: CachePolicy) -> impl FnOnce(&mut ServiceConfig) {
    let read = async |request: HttpRequest| HttpResponse::Ok().body(request.uri().to_string());
    move |config| {
        config.route(path, web::get().to(read).wrap(policy));
    }
}

#[actix_web::test]
async fn c14_a_query_type_that_cannot_be_written_is_an_error_in_the_log_once_a_route() {
    #[derive(Deserialize, Serialize)]
    struct Lists {
        #[serde(default)]
        tags: Vec<String>,
    }
    #[derive(Deserialize, Serialize)]
    struct Renamed {
        #[serde(default, rename(serialize = "other"))]
        page: u32,
    }
    const LISTS: CachePolicy = CachePolicy::new("lists")
        .resource_id("all")
        .query::<Lists>();
    const RENAMED: CachePolicy = CachePolicy::new("renamed")
        .resource_id("all")
        .query::<Renamed>();
    let harness = Harness::new(CacheBackendKind::Memory).await;
    for (path, policy, parts) in [
        ("/lists", LISTS, ["Lists", "unsupported value"]),
        ("/renamed", RENAMED, ["Renamed", "`other`"]),
    ] {
        let log = Log::collect();
        let app = harness.app(echo(path, policy)).await;
        for _ in 0..2 {
            let reply = get(&app, path).await;
            assert_eq!(reply.outcome(), "backend; fwd=bypass; detail=query-type");
        }
        let lines = log.lines_with(&["ERROR", path, parts[0], parts[1]]);
        assert_eq!(lines.len(), 1, "{lines:?}");
    }
}

#[actix_web::test]
async fn c14_a_field_that_is_not_written_is_in_the_key_as_it_was_sent() {
    #[derive(Deserialize, Serialize)]
    struct Filter {
        #[serde(default)]
        page: u32,
        #[serde(default, skip_serializing)]
        #[expect(dead_code, reason = "the handler reads the address")]
        hidden: String,
    }
    const LIST: CachePolicy = CachePolicy::new("list")
        .resource_id("all")
        .query::<Filter>();
    for harness in Harness::on_every_backend().await {
        let app = harness.app(echo("/list", LIST)).await;
        for (path, key) in [
            ("/list?page=1", "list:all:page=1"),
            ("/list?page=1&hidden=a", "list:all:page=1:hidden=a"),
            ("/list?hidden=b&page=1", "list:all:page=1:hidden=b"),
        ] {
            for _ in 0..2 {
                let reply = get(&app, path).await;
                assert_eq!((reply.key(), reply.text().as_str()), (key, path));
            }
        }
    }
}

#[actix_web::test]
async fn c14_a_name_in_path_and_query_is_in_the_key_twice() {
    #[derive(Deserialize, Serialize)]
    struct Named {
        name: Option<String>,
    }
    const LIST: CachePolicy = CachePolicy::new("list_{name}")
        .resource_id_name("name")
        .query::<Named>();
    for harness in Harness::on_every_backend().await {
        let app = harness.app(echo("/{name}", LIST)).await;
        for (path, key) in [
            ("/ada", "list_ada:ada"),
            ("/ada?name=bob", "list_ada:ada:name=bob"),
            ("/ada?name=eve", "list_ada:ada:name=eve"),
        ] {
            for _ in 0..2 {
                let reply = get(&app, path).await;
                assert_eq!((reply.key(), reply.text().as_str()), (key, path));
            }
        }
    }
}

#[actix_web::test]
async fn c14_a_query_hash_in_the_group_alone_does_not_leave_the_query_out_of_the_key() {
    #[derive(Deserialize, Serialize)]
    struct Pages {
        page: u32,
    }
    const LIST: CachePolicy = CachePolicy::new("list")
        .resource_id("all")
        .group("list_{query_hash}")
        .query::<Pages>();
    let harness = Harness::new(CacheBackendKind::Memory).await;
    let app = harness.app(echo("/list", LIST)).await;
    for path in ["/list?page=1", "/list?page=2"] {
        assert_eq!(get(&app, path).await.text(), path);
    }
}
