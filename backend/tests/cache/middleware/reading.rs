//! Reading (C8–C12).
//!
//! Come here after changing what is stored and what is answered from the cache. The age and conditional requests are in
//! `conditional`.

use std::io;
use std::time::Duration;

use actix_web::body::MessageBody;
use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_RANGE, SET_COOKIE, VARY};
use actix_web::test::TestRequest;
use actix_web::web;
use actix_web::{HttpRequest, HttpResponse};
use backend::infrastructure::cache::CachePolicy;
use backend::infrastructure::settings::CacheBackendKind;

use crate::harness::{Harness, Runs, get, numbered, send};
use crate::server_access::connect_to_redis;

const ITEM: CachePolicy = CachePolicy::new("item").resource_id_name("id").shared();

/// A body that is a stream.
fn streaming(text: &'static str) -> impl MessageBody {
    let pieces = text
        .as_bytes()
        .chunks(2)
        .map(|piece| Ok::<_, io::Error>(piece.into()));
    actix_web::body::BodyStream::new(futures_util::stream::iter(pieces))
}

#[actix_web::test]
async fn c08_a_hit_has_status_body_and_the_handlers_own_headers_byte_for_byte() {
    for harness in Harness::on_every_backend().await {
        let runs = Runs::default();
        let counted = runs.clone();
        let handler = move || {
            counted.count();
            async {
                HttpResponse::Ok()
                    .insert_header(("x-own", "first"))
                    .append_header(("x-own", "second"))
                    .insert_header(("content-language", "en"))
                    .insert_header(("x-request-id", "of-this-request"))
                    .insert_header(("connection", "close"))
                    .content_type("application/octet-stream")
                    .body(&b"\x00\xff\r\n binary \n"[..])
            }
        };
        let app = harness
            .app(|config| {
                config.route("/{id}", web::get().to(handler).wrap(ITEM));
            })
            .await;
        let (miss, hit) = (get(&app, "/1").await, get(&app, "/1").await);
        assert!(hit.is_hit() && runs.total() == 1, "{:?}", harness.kind);
        assert_eq!((hit.status, &hit.body), (200, &miss.body));
        let own: Vec<_> = hit
            .headers
            .get_all("x-own")
            .map(|value| value.to_str().unwrap())
            .collect();
        assert_eq!(own, ["first", "second"]);
        assert_eq!(hit.header("content-type"), "application/octet-stream");
        assert_eq!(hit.header("content-language"), "en");
        for private in ["x-request-id", "connection", "date"] {
            assert_eq!(hit.header(private), "", "{private} is not stored");
        }
    }
}

/// Answers by what the path says.
async fn answer(request: HttpRequest, runs: web::Data<Runs>) -> HttpResponse {
    runs.count();
    let kind = request.match_info().get("kind").unwrap();
    let mut ok = HttpResponse::Ok();
    match kind {
        "cookie" => ok.insert_header((SET_COOKIE, "a=b")),
        "no-store" => ok.insert_header((CACHE_CONTROL, "max-age=5, No-Store")),
        "private" => ok.insert_header((CACHE_CONTROL, "private=\"x\"")),
        "vary" => ok.insert_header((VARY, "accept-language")),
        "range" => ok.insert_header((CONTENT_RANGE, "bytes 0-1/2")),
        "public" => ok.insert_header((CACHE_CONTROL, "public, max-age=60")),
        "stream" => return ok.body(streaming("a streamed body")),
        "large" => return ok.body("x".repeat(1025)),
        "largest" => return ok.body("x".repeat(1024)),
        status => {
            let status = StatusCode::from_u16(status.parse().unwrap()).unwrap();
            return HttpResponse::build(status).body(format!("status {status}"));
        }
    };
    ok.body("body")
}

#[actix_web::test]
async fn c09_answers_that_may_not_be_stored_pass_through_unchanged() {
    for harness in Harness::on_every_backend_with(|settings| {
        settings.cache_max_body_bytes = 1024;
    })
    .await
    {
        let runs = Runs::default();
        let app = harness
            .app(|config| {
                config.app_data(web::Data::new(runs.clone()));
                config.route("/{kind}/{id}", web::get().to(answer).wrap(ITEM));
            })
            .await;
        let never = [
            "cookie", "no-store", "private", "vary", "range", "stream", "large", "201", "204",
            "206", "301", "404", "500", "503",
        ];
        for kind in never {
            let path = format!("/{kind}/1");
            let before = runs.total();
            let first = get(&app, &path).await;
            let second = get(&app, &path).await;
            assert_eq!(runs.total(), before + 2, "{kind} was stored");
            assert_eq!(second.outcome(), "backend; fwd=uri-miss", "{kind}");
            assert_eq!(
                (first.status, &first.body),
                (second.status, &second.body),
                "{kind}"
            );
        }
        assert_eq!(get(&app, "/stream/1").await.text(), "a streamed body");
        assert_eq!(get(&app, "/large/1").await.body.len(), 1025);
        assert_eq!(get(&app, "/cookie/1").await.header("set-cookie"), "a=b");
        assert_eq!(get(&app, "/404/1").await.text(), "status 404 Not Found");
        for kind in ["public", "largest", "200"] {
            let path = format!("/{kind}/{}", 2);
            harness.cache.delete("item:2").await.unwrap();
            assert_eq!(
                get(&app, &path).await.outcome(),
                "backend; fwd=uri-miss; stored",
                "{kind}"
            );
            assert!(get(&app, &path).await.is_hit(), "{kind}");
        }
    }
}

#[actix_web::test]
async fn c10_nothing_null_zero_false_and_an_empty_list_are_values() {
    for harness in Harness::on_every_backend().await {
        for (id, value) in ["", "null", "0", "false", "[]", "{}", "\"\""]
            .iter()
            .enumerate()
        {
            let runs = Runs::default();
            let counted = runs.clone();
            let handler = move || {
                counted.count();
                let value = *value;
                async move { HttpResponse::Ok().body(value) }
            };
            let app = harness
                .app(|config| {
                    config.route("/{id}", web::get().to(handler).wrap(ITEM));
                })
                .await;
            for _ in 0..3 {
                let reply = get(&app, &format!("/{id}")).await;
                assert_eq!((reply.status, reply.text()), (200, (*value).to_owned()));
            }
            assert_eq!(runs.total(), 1, "{value:?} on {:?}", harness.kind);
        }
    }
}

#[actix_web::test]
async fn c11_other_methods_neither_store_nor_invalidate() {
    for harness in Harness::on_every_backend().await {
        let runs = Runs::default();
        let app = harness
            .app(|config| {
                config.service(
                    web::resource("/{id}").route(web::route().to(numbered(&runs)).wrap(ITEM)),
                );
            })
            .await;
        let methods = ["HEAD", "OPTIONS", "TRACE", "CONNECT", "PROPFIND"];
        let other = |method: &str| TestRequest::get().method(method.parse().unwrap()).uri("/1");
        for method in methods {
            send(&app, other(method)).await;
        }
        assert!(!get(&app, "/1").await.is_hit(), "nothing was stored");
        let runs_before = runs.total();
        for method in methods {
            send(&app, other(method)).await;
        }
        assert_eq!(
            runs.total(),
            runs_before + methods.len() - 1,
            "HEAD alone is answered from the entry"
        );
        assert!(
            get(&app, "/1").await.is_hit(),
            "nothing was invalidated on {:?}",
            harness.kind
        );
    }
}

#[actix_web::test]
async fn c12_an_entry_expires_after_the_policys_time_or_the_default() {
    const SHORT: CachePolicy = ITEM.expiration(60);
    for harness in Harness::on_every_backend_with(|settings| {
        settings.default_cache_expiration = 120;
    })
    .await
    {
        let kind = harness.kind;
        let app = harness
            .app(|config| {
                config.route(
                    "/short/{id}",
                    web::get().to(numbered(&Runs::default())).wrap(SHORT),
                );
                config.route(
                    "/default/{id}",
                    web::get().to(numbered(&Runs::default())).wrap(ITEM),
                );
            })
            .await;
        for (path, seconds) in [("/short/1", 60), ("/default/2", 120)] {
            get(&app, path).await;
            harness.clock.advance(Duration::from_secs(seconds - 1));
            assert_eq!(
                get(&app, path).await.outcome(),
                "backend; hit; ttl=1",
                "{path}"
            );
            harness.clock.advance(Duration::from_secs(1));
            assert_eq!(
                get(&app, path).await.outcome(),
                "backend; fwd=uri-miss; stored",
                "{path} on {kind:?}"
            );
        }
    }
}

#[actix_web::test]
async fn c12_the_server_forgets_an_entry_by_itself() {
    const SHORT: CachePolicy = ITEM.expiration(60);
    let harness = Harness::new(CacheBackendKind::Redis).await;
    let app = harness.numbered_app(SHORT).await;
    get(&app, "/1").await;
    let mut connection = connect_to_redis(harness.settings.cache_redis_port).await;
    let left: i64 = redis::cmd("PTTL")
        .arg(harness.full_key("item:1"))
        .query_async(&mut connection)
        .await
        .unwrap();
    assert!((50_000..=61_000).contains(&left), "{left} ms");
}

#[actix_web::test]
async fn c12_more_than_30_days_works_on_every_backend() {
    const LONG: CachePolicy = ITEM.expiration(40 * 24 * 3600);
    for harness in Harness::on_every_backend().await {
        let app = harness.numbered_app(LONG).await;
        assert_eq!(
            get(&app, "/1").await.outcome(),
            "backend; fwd=uri-miss; stored"
        );
        assert!(get(&app, "/1").await.is_hit(), "{:?}", harness.kind);
    }
}

#[test]
#[should_panic(expected = "expiration of 0 seconds is refused")]
fn c12_an_expiration_of_0_is_refused_when_the_policy_is_made() {
    let _ = ITEM.expiration(std::hint::black_box(0));
}
