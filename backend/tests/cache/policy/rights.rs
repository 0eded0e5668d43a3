//! The caller's rights (C44): an entry of one caller ends with the rights that it was made under.
//!
//! Come here when the authenticating middleware, the rights version or the stamp of entries changes.

use std::time::Duration;

use actix_web::body::BoxBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header::AUTHORIZATION;
use actix_web::middleware::{Next, from_fn};
use actix_web::test::TestRequest;
use actix_web::web::{self, Data, ServiceConfig};
use actix_web::{Error, HttpMessage as _, HttpRequest, HttpResponse};
use backend::infrastructure::auth::{Caller, Origin, RequireCaller, issue};
use backend::infrastructure::cache::{CachePolicy, bind_caller};
use backend::infrastructure::client_address::ClientAddress;
use backend::infrastructure::database::Database;
use backend::infrastructure::settings::DatabaseSettings;
use sqlx::PgPool;
use tokio::time::timeout;

use crate::harness::{Harness, Reply, TestApp, send};
use crate::row::{Row, start_with};
use crate::support::database::TestDatabase;
use crate::support::eventually;

const INVOICE: CachePolicy = CachePolicy::new("invoice")
    .resource_id_name("invoice_id")
    .expiration(600)
    .per_caller();
const PLACED: CachePolicy = CachePolicy::new("mine_{caller}")
    .resource_id("all")
    .per_caller();

/// Only superusers may read it.
async fn read_invoice(caller: Caller) -> HttpResponse {
    if caller.is_superuser {
        HttpResponse::Ok().body("the invoice")
    } else {
        HttpResponse::new(StatusCode::FORBIDDEN)
    }
}

/// The pool of the service.
fn service_pool(database: &TestDatabase) -> Database {
    let settings = DatabaseSettings {
        database_url: database.url().into(),
        ..DatabaseSettings::default()
    };
    Database::new(&settings).unwrap()
}

/// A superuser.
async fn superuser(pool: &PgPool) -> i64 {
    sqlx::query_scalar(
        "INSERT INTO users (username, email, name, password_hash, is_superuser)
         VALUES ('root', 'root@example.com', 'root', 'hash', true) RETURNING id",
    )
    .fetch_one(pool)
    .await
    .unwrap()
}

#[actix_web::test]
async fn c44_a_demoted_superuser_gets_no_hit_of_answers_for_superusers() {
    for harness in Harness::on_every_backend().await {
        let database = TestDatabase::migrated().await;
        let pool = database.pool().await;
        let id = superuser(&pool).await;
        let service = service_pool(&database);
        let origin = Origin {
            address: ClientAddress::LOCAL,
            client: None,
        };
        let issued = issue(&service, id, "hash", &origin).await.unwrap();
        let token = issued.unwrap().token;
        let routes = |config: &mut ServiceConfig| {
            config.app_data(Data::new(service)).route(
                "/invoices/{invoice_id}",
                web::get()
                    .to(read_invoice)
                    .wrap(INVOICE)
                    .wrap(RequireCaller::signed_in()),
            );
        };
        let app = harness.app(routes).await;
        let read = async || {
            let request = TestRequest::get().uri("/invoices/7");
            send(
                &app,
                request.insert_header((AUTHORIZATION, format!("Bearer {token}"))),
            )
            .await
        };
        assert_eq!(read().await.text(), "the invoice");
        assert!(read().await.is_hit(), "{:?}", harness.kind);
        // By hand: no code of the service takes part.
        sqlx::query("UPDATE users SET is_superuser = false WHERE id = $1")
            .bind(id)
            .execute(&pool)
            .await
            .unwrap();
        assert_eq!(read().await.status, 403, "{:?}", harness.kind);
    }
}

#[actix_web::test]
async fn c44_the_rights_version_counts_roles_deletions_and_passwords_and_nothing_else() {
    let database = TestDatabase::migrated().await;
    let pool = database.pool().await;
    let id = superuser(&pool).await;
    let mut expected = 0_i64;
    for (change, counts) in [
        ("is_superuser = false", true),
        ("is_superuser = false", false),
        ("name = 'other'", false),
        ("password_hash = 'other'", true),
        ("deleted_at = now()", true),
        ("is_superuser = true, name = 'third'", true),
    ] {
        let statement =
            format!("UPDATE users SET {change} WHERE id = {id} RETURNING rights_version");
        let version: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(statement))
            .fetch_one(&pool)
            .await
            .unwrap();
        expected += i64::from(counts);
        assert_eq!(version, expected, "{change}");
    }
}

/// Binds the caller and the rights that the header names, as in `ada 3`.
async fn authenticate(
    request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let bound = request.headers().get(AUTHORIZATION).cloned().unwrap();
    let (name, rights) = bound.to_str().unwrap().split_once(' ').unwrap();
    bind_caller(&request, name, rights.parse().unwrap());
    request.extensions_mut().insert(rights.to_owned());
    next.call(request).await
}

/// Answers the rights that the request has.
async fn rights(request: HttpRequest) -> HttpResponse {
    let rights = request.extensions().get::<String>().cloned();
    HttpResponse::Ok().body(rights.unwrap_or_default())
}

fn routes(config: &mut ServiceConfig) {
    for (path, policy) in [("/invoices/{invoice_id}", INVOICE), ("/mine", PLACED)] {
        config.route(
            path,
            web::get()
                .to(rights)
                .wrap(policy)
                .wrap(from_fn(authenticate)),
        );
    }
}

async fn read_as(app: &impl TestApp, caller: &str, path: &str) -> Reply {
    let request = TestRequest::get().uri(path);
    send(app, request.insert_header((AUTHORIZATION, caller))).await
}

#[actix_web::test]
async fn c44_an_entry_of_other_rights_is_vacant_on_every_instance() {
    for harness in Harness::on_every_backend().await {
        let app = harness.app(routes).await;
        let other = harness.another().await.app(routes).await;
        for path in ["/invoices/7", "/mine"] {
            for version in ["1", "2", "3"] {
                let caller = format!("ada {version}");
                let first = read_as(&app, &caller, path).await;
                assert_eq!(
                    (first.text(), first.is_hit()),
                    (version.to_owned(), false),
                    "{path} on {:?}",
                    harness.kind
                );
                for reply in [
                    read_as(&app, &caller, path).await,
                    read_as(&other, &caller, path).await,
                ] {
                    assert_eq!(reply.text(), version, "{path} on {:?}", harness.kind);
                }
                assert!(read_as(&app, &caller, path).await.is_hit());
            }
            // The documented keys stay, and the provider reads their values.
            let key = if path == "/mine" {
                "mine_ada:all"
            } else {
                "invoice:7:caller=ada"
            };
            assert_eq!(harness.cache.get::<u32>(key).await.unwrap(), Some(3));
        }
    }
}

#[actix_web::test]
async fn c44_a_request_of_other_rights_never_joins_a_claim() {
    for harness in Harness::on_every_backend().await {
        for policy in [INVOICE, PLACED] {
            let row = Row::default();
            let configure = |row: &Row| {
                let row = row.clone();
                move |config: &mut ServiceConfig| {
                    let read = move |request: HttpRequest| {
                        let row = row.clone();
                        async move {
                            let rights = request.extensions().get::<String>().cloned();
                            row.read().await;
                            HttpResponse::Ok().body(rights.unwrap())
                        }
                    };
                    config.route(
                        "/{invoice_id}",
                        web::get().to(read).wrap(policy).wrap(from_fn(authenticate)),
                    );
                }
            };
            let app = std::rc::Rc::new(harness.app(configure(&row)).await);
            let other = std::rc::Rc::new(harness.another().await.app(configure(&row)).await);
            row.hold();
            let before = start_with(&app, "/7", "ada 1");
            row.entered().await;
            row.release(0);
            // The rights change while the handler of the claim's holder runs. A request that joined it would wait for
            // as long as a claim lives.
            let both = async {
                [
                    read_as(&*app, "ada 2", "/7").await,
                    read_as(&*other, "ada 2", "/7").await,
                ]
            };
            let both = timeout(Duration::from_secs(5), both).await;
            for reply in both.expect("a claim of other rights is not waited for") {
                assert_eq!(reply.text(), "2", "{:?}", harness.kind);
            }
            row.release(1);
            assert_eq!(before.await.unwrap().text(), "1");
            for reply in [
                read_as(&*app, "ada 2", "/7").await,
                read_as(&*other, "ada 2", "/7").await,
            ] {
                assert_eq!(reply.text(), "2", "{:?}", harness.kind);
            }
            eventually("the answer of the present rights is a hit", async || {
                read_as(&*app, "ada 2", "/7").await.is_hit()
            })
            .await;
        }
    }
}
