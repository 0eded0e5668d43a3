//! Variants of a resource (C44) and the races of C33 and C34, with the interleavings forced.
//!
//! Come here when the record of a resource or the stamp of claims changes. Writes without races are in
//! `policy::variants`.

use std::rc::Rc;
use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::web::{self, ServiceConfig};
use backend::infrastructure::cache::CachePolicy;
use serde::{Deserialize, Serialize};
use tokio::time::timeout;

use crate::harness::{Harness, backend, get, no_content, post};
use crate::row::{Row, start};
use crate::support::eventually;

#[derive(Deserialize, Serialize)]
struct Pages {
    #[serde(default)]
    page: u32,
}

const PAGED: CachePolicy = CachePolicy::new("paged")
    .resource_id_name("id")
    .query::<Pages>()
    .shared();
const GROUPED: CachePolicy = CachePolicy::new("grouped")
    .resource_id_name("id")
    .query::<Pages>()
    .group("all_grouped")
    .shared();

/// A reading and a writing route of each policy.
fn routes(row: &Row) -> impl FnOnce(&mut ServiceConfig) + use<> {
    let row = row.clone();
    move |config| {
        for (path, policy) in [("/paged/{id}", PAGED), ("/grouped/{id}", GROUPED)] {
            let (reader, writer) = (row.clone(), row.clone());
            let read = move || {
                let reader = reader.clone();
                async move { HttpResponse::Ok().body(reader.read().await.to_string()) }
            };
            let write = move || {
                writer.write();
                no_content()
            };
            config.service(
                web::resource(path)
                    .route(web::get().to(read).wrap(policy))
                    .route(web::post().to(write).wrap(policy)),
            );
        }
    }
}

/// A read, and the write by the same policy that makes it stale.
const WAYS: [(&str, &str); 2] = [
    ("/paged/1?page=2", "/paged/1"),
    ("/grouped/1?page=2", "/grouped/1"),
];

#[actix_web::test]
async fn c44_a_variant_that_was_read_before_a_write_is_no_answer_after_it() {
    for harness in Harness::on_every_backend().await {
        let other = harness.another_if_shared().await;
        for (read, write) in WAYS {
            for from_other in [false, true] {
                let row = Row::default();
                let app = Rc::new(harness.app(routes(&row)).await);
                let writer = other.as_ref().filter(|_| from_other).unwrap_or(&harness);
                let writer = writer.app(routes(&row)).await;
                // Ends the entries of the previous way.
                assert_eq!(post(&*app, write).await.status, 204);
                row.hold();
                let reader = start(&app, read);
                row.entered().await;
                assert_eq!(post(&writer, write).await.status, 204);
                row.release(1);
                assert_eq!(reader.await.unwrap().text(), "2");
                for reply in [
                    get(&*app, read).await,
                    get(&writer, read).await,
                    get(&*app, read).await,
                ] {
                    assert_eq!(
                        reply.text(),
                        "3",
                        "{write} on {:?}, from another: {from_other}",
                        harness.kind
                    );
                }
            }
        }
    }
}

#[actix_web::test]
async fn c44_a_read_after_a_write_never_joins_a_variants_single_flight_from_before_it() {
    for harness in Harness::on_every_backend().await {
        let other = harness.another_if_shared().await;
        for (read, write) in WAYS {
            let row = Row::default();
            let app = Rc::new(harness.app(routes(&row)).await);
            let beside = other.as_ref().unwrap_or(&harness).app(routes(&row)).await;
            post(&*app, write).await;
            row.hold();
            let before = start(&app, read);
            row.entered().await;
            assert_eq!(post(&*app, write).await.status, 204);
            row.release(0);
            // The first reader is still under way with data from before the write. A request that joined
            // it would wait for as long as a claim lives.
            let both = async { [get(&*app, read).await, get(&beside, read).await] };
            let both = timeout(Duration::from_secs(5), both).await;
            for reply in both.expect("a claim from before the write is not waited for") {
                assert_eq!(reply.text(), "3", "{write} on {:?}", harness.kind);
            }
            row.release(1);
            assert_eq!(before.await.unwrap().text(), "2");
            assert_eq!(
                get(&beside, read).await.text(),
                "3",
                "{write} on {:?}",
                harness.kind
            );
        }
    }
}

#[actix_web::test]
async fn c44_a_resource_whose_record_the_server_lost_is_ended_not_revived() {
    for harness in Harness::on_shared_backends().await {
        for (read, resource) in [
            ("/paged/1?page=2", "~resource:paged:1"),
            ("/grouped/1?page=2", "~group:all_grouped"),
        ] {
            let row = Row::default();
            let app = harness.app(routes(&row)).await;
            get(&app, read).await;
            // As a full server evicts it.
            let record = harness.full_key(resource);
            backend(&harness.settings).delete(&[record]).await.unwrap();
            row.write();
            eventually("the present answer is a hit", async || {
                let reply = get(&app, read).await;
                let is_old = reply.text() != "2" && !harness.settings.cache_near;
                assert!(!is_old, "{read} on {:?}", harness.kind);
                reply.is_hit() && reply.text() == "2"
            })
            .await;
        }
    }
}
