//! Groups: all pages of a list end at once (C36).
//!
//! Come here after changing how an entry belongs to a group.

use std::time::Duration;

use backend::infrastructure::cache::{CachePolicy, Clock};
use backend::infrastructure::settings::CacheBackendKind;

use crate::harness::{Harness, Log, backend, get, post};
use crate::row::{Row, start};
use crate::server_access::connect_to_holder;
use crate::support::eventually;

#[actix_web::test]
async fn c36_all_pages_of_a_list_end_at_once_on_every_backend() {
    for harness in Harness::on_every_backend().await {
        let row = Row::default();
        let app = harness.app(row.routes()).await;
        let pages: Vec<String> = (1..=20).map(|page| format!("/ada/pages/{page}")).collect();
        for page in pages.iter().chain([&"/bob/pages/1".to_owned()]) {
            assert_eq!(
                get(&app, page).await.outcome(),
                "backend; fwd=uri-miss; stored",
                "{:?}",
                harness.kind
            );
            assert!(get(&app, page).await.is_hit());
        }
        let log = Log::collect();
        post(&app, "/ada/by-group").await;
        assert!(log.lines_with(&["ERROR"]).is_empty(), "{:?}", harness.kind);
        for page in &pages {
            let reply = get(&app, page).await;
            assert!(
                !reply.is_hit() && reply.text() == "2",
                "{page} on {:?}",
                harness.kind
            );
        }
        assert!(
            get(&app, "/bob/pages/1").await.is_hit(),
            "another group stays"
        );
        assert!(
            harness.cache.exists("list_ada:page_1:1").await.unwrap(),
            "keys are as documented"
        );
        harness.cache.invalidate_group("list_ada").await.unwrap();
        assert!(!harness.cache.exists("list_ada:page_1:1").await.unwrap());
    }
}

#[actix_web::test]
async fn c36_a_group_whose_record_the_server_lost_is_ended_not_revived() {
    for harness in Harness::on_shared_backends().await {
        let row = Row::default();
        let app = harness.app(row.routes()).await;
        get(&app, "/ada/pages/1").await;
        // As a full server evicts it.
        backend(&harness.settings)
            .delete(&[harness.full_key("~group:list_ada")])
            .await
            .unwrap();
        row.write();
        assert_eq!(
            get(&app, "/ada/pages/2").await.text(),
            "2",
            "another page sets the record anew"
        );
        assert_eq!(
            get(&app, "/ada/pages/1").await.text(),
            "2",
            "{:?}",
            harness.kind
        );
    }
}

#[actix_web::test]
async fn c36_no_request_joins_a_claim_from_before_a_write_though_the_group_has_no_record() {
    for harness in Harness::on_every_backend().await {
        if harness.kind == CacheBackendKind::Memory {
            continue;
        }
        let row = Row::default();
        let app = std::rc::Rc::new(harness.app(row.routes()).await);
        row.hold();
        let before = start(&app, "/ada/pages/1");
        row.entered().await;
        let store = backend(&harness.settings);
        let (group, page) = (
            harness.full_key("~group:list_ada"),
            harness.full_key("list_ada:page_1:1"),
        );
        // The claim, rewritten as one without a generation, and the record lost.
        let claim = store.get(&page).await.unwrap().unwrap().value;
        let claim = String::from_utf8(claim.to_vec()).unwrap();
        let (head, _) = claim.trim_end().rsplit_once(' ').unwrap();
        let forged = format!("{head} {:016x}\n", 0);
        store
            .set(&page, forged.into(), Duration::from_secs(10))
            .await
            .unwrap();
        assert_eq!(post(&*app, "/ada/by-group").await.status, 204);
        row.release(0);
        assert_eq!(
            get(&*app, "/ada/pages/1").await.text(),
            "2",
            "{:?}",
            harness.kind
        );
        row.release(1);
        assert_eq!(before.await.unwrap().text(), "1");
        // A foreign record is replaced, and the pages are cached again.
        store
            .set(&group, "foreign".into(), Duration::from_mins(1))
            .await
            .unwrap();
        eventually("the pages are cached", async || {
            get(&*app, "/ada/pages/1").await.is_hit()
        })
        .await;
    }
}

#[actix_web::test]
async fn c36_the_record_of_a_group_lives_at_least_as_long_as_its_longest_entry() {
    const SHORT: CachePolicy = CachePolicy::new("short")
        .resource_id_name("id")
        .group("mixed")
        .expiration(60)
        .shared();
    const LONG: CachePolicy = CachePolicy::new("long")
        .resource_id_name("id")
        .group("mixed")
        .expiration(30 * 24 * 3600)
        .shared();
    for harness in Harness::on_shared_backends().await {
        let (short, long) = (
            harness.numbered_app(SHORT).await,
            harness.numbered_app(LONG).await,
        );
        let record = async || {
            let store = backend(&harness.settings);
            let found = store.get(&harness.full_key("~group:mixed")).await.unwrap();
            let text = String::from_utf8(found.unwrap().value.to_vec()).unwrap();
            let fields: Vec<String> = text.split(' ').map(str::to_owned).collect();
            let until: u64 = fields[4].parse().unwrap();
            (fields[1].clone(), until - Clock::System.milliseconds())
        };
        get(&short, "/1").await;
        let (generation, left) = record().await;
        assert!(left > 23 * 3_600_000, "{left} ms on {:?}", harness.kind);
        // An entry with a longer life, and then the short one again: the record is written once, and stays the same.
        get(&long, "/1").await;
        let (same, left) = record().await;
        assert!(
            left > 30 * 24 * 3_600_000,
            "{left} ms on {:?}",
            harness.kind
        );
        get(&short, "/2").await;
        assert_eq!((&same, record().await.0), (&generation, same.clone()));
        assert!(get(&short, "/1").await.is_hit(), "{:?}", harness.kind);
        assert!(get(&long, "/1").await.is_hit());
        if harness.kind == CacheBackendKind::Redis {
            let key = harness.full_key("~group:mixed");
            let mut redis = connect_to_holder(&harness.settings, &key).await;
            let mut lifetime = redis::cmd("PTTL");
            lifetime.arg(key);
            let kept: u64 = lifetime.query_async(&mut redis).await.unwrap();
            assert!(kept > 30 * 24 * 3_600_000, "{kept} ms");
        }
    }
}
