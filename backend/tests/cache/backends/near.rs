//! The near cache on Redis: the saved round trips, and no old value after a lost connection.
//!
//! Come here after changing what the near cache keeps, or the messages that it trusts.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use actix_web::HttpResponse;
use actix_web::web;
use backend::infrastructure::cache::CachePolicy;
use backend::infrastructure::cache::backends::CacheBackend;
use backend::infrastructure::settings::CacheSettings;
use bytes::Bytes;

use crate::harness::{Harness, TestApp, backend, get, near_settings, no_content, post};
use crate::server_access::put_proxy_before;
use crate::support::proxy::{Mode, Proxy};
use crate::support::server::{Kind, Server};
use crate::support::{eventually, unique};

pub const ITEM: CachePolicy = CachePolicy::new("item").resource_id_name("id").shared();

/// A value that the near cache keeps.
fn value(text: &str) -> Bytes {
    Bytes::from(format!("cache/3 0123456789abcdef {text}"))
}

/// An application over a value that a write changes.
pub async fn counter(
    harness: &Harness,
    value: &Arc<AtomicUsize>,
    policy: CachePolicy,
) -> impl TestApp + use<> {
    let (reader, writer) = (Arc::clone(value), Arc::clone(value));
    let read = move || {
        let value = reader.load(Ordering::SeqCst);
        async move { HttpResponse::Ok().body(value.to_string()) }
    };
    let write = move || {
        writer.fetch_add(1, Ordering::SeqCst);
        no_content()
    };
    let app: Box<dyn FnOnce(&mut web::ServiceConfig)> = Box::new(move |config| {
        config.route("/{id}", web::get().to(read).wrap(policy));
        config.route("/{id}", web::post().to(write).wrap(policy));
    });
    crate::harness::app(harness.cache.clone(), app).await
}

pub async fn read(app: &impl TestApp) -> usize {
    get(app, "/1").await.text().parse().unwrap()
}

/// Whether hits come from this process: they are given while the server's answers are held back.
async fn is_near(app: &impl TestApp, proxy: &Proxy) -> bool {
    proxy.set(Mode::Stall);
    let hit = get(app, "/1").await.is_hit();
    proxy.set(Mode::Pass);
    hit
}

pub async fn behind_proxy() -> (Harness, Proxy) {
    let mut settings = near_settings();
    settings.cache_operation_timeout_ms = 250;
    let proxy = put_proxy_before(&mut settings).await;
    (Harness::with_settings(settings).await, proxy)
}

#[actix_web::test]
async fn a_near_hit_sends_no_command_unless_the_policy_opts_out() {
    let value = Arc::new(AtomicUsize::new(1));
    let (harness, proxy) = behind_proxy().await;
    let app = counter(&harness, &value, ITEM).await;
    eventually("a hit comes from this process", async || {
        get(&app, "/1").await.is_hit() && is_near(&app, &proxy).await
    })
    .await;
    let (harness, proxy) = behind_proxy().await;
    let app = counter(&harness, &value, ITEM.never_near()).await;
    for _ in 0..5 {
        eventually("it is cached", async || get(&app, "/1").await.is_hit()).await;
        assert!(!is_near(&app, &proxy).await);
    }
}

#[actix_web::test]
async fn c33_a_writers_own_instance_never_answers_from_before_the_write() {
    let harness = Harness::with_settings(near_settings()).await;
    let value = Arc::new(AtomicUsize::new(0));
    let app = counter(&harness, &value, ITEM).await;
    for _ in 0..500 {
        for _ in 0..3 {
            get(&app, "/1").await;
        }
        post(&app, "/1").await;
        assert_eq!(read(&app).await, value.load(Ordering::SeqCst));
    }
}

#[actix_web::test]
async fn c33_another_instance_receives_the_invalidation_and_the_delay_is_printed() {
    let harness = Harness::with_settings(near_settings()).await;
    let other = harness.another().await;
    let value = Arc::new(AtomicUsize::new(0));
    let (app, beside) = (
        counter(&harness, &value, ITEM).await,
        counter(&other, &value, ITEM).await,
    );
    let writes = if std::env::var_os("SOAK").is_some() {
        10_000
    } else {
        500
    };
    let mut delays = Vec::new();
    for _ in 0..writes {
        for _ in 0..2 {
            get(&beside, "/1").await;
        }
        post(&app, "/1").await;
        let written = Instant::now();
        let deadline = written + Duration::from_secs(20);
        let wanted = value.load(Ordering::SeqCst);
        while read(&beside).await != wanted {
            assert!(
                Instant::now() < deadline,
                "the instance received no invalidation"
            );
            tokio::task::yield_now().await;
        }
        delays.push(written.elapsed());
    }
    delays.sort_unstable();
    let at = |share: usize| delays[(delays.len() - 1) * share / 100];
    println!(
        "from the answer of a write to the first new answer of another instance, over {writes} writes: p50 {:?}, p99 {:?}, max {:?}",
        at(50),
        at(99),
        at(100)
    );
}

#[actix_web::test]
async fn c35_a_near_cache_that_lost_its_connection_answers_nothing_from_before() {
    let (harness, proxy) = behind_proxy().await;
    let direct = Harness::with_settings(CacheSettings {
        cache_namespace: harness.settings.cache_namespace.clone(),
        ..near_settings()
    })
    .await;
    let value = Arc::new(AtomicUsize::new(0));
    let (app, writer) = (
        counter(&harness, &value, ITEM).await,
        counter(&direct, &value, ITEM).await,
    );
    for mode in [Mode::Refuse, Mode::Garbage, Mode::CutAnswers] {
        eventually("a hit comes from this process", async || {
            get(&app, "/1").await.is_hit() && is_near(&app, &proxy).await
        })
        .await;
        proxy.set(mode);
        eventually("the connection is found lost", async || {
            get(&app, "/2").await;
            !get(&app, "/1").await.is_hit()
        })
        .await;
        post(&writer, "/1").await;
        let wanted = value.load(Ordering::SeqCst);
        assert_eq!(read(&app).await, wanted, "{mode:?}");
        proxy.set(Mode::Pass);
        eventually("hits are back", async || {
            let reply = get(&app, "/1").await;
            assert_eq!(reply.text(), wanted.to_string(), "{mode:?}: {reply:?}");
            reply.is_hit()
        })
        .await;
    }
}

#[actix_web::test]
async fn c35_after_a_restart_of_the_server_no_near_hit_is_from_before_it() {
    let mut server = Server::start(Kind::Redis);
    let settings = CacheSettings {
        cache_redis_port: server.port,
        ..near_settings()
    };
    let harness = Harness::with_settings(settings).await;
    let other = harness.another().await;
    let value = Arc::new(AtomicUsize::new(0));
    let (app, writer) = (
        counter(&harness, &value, ITEM).await,
        counter(&other, &value, ITEM).await,
    );
    for _ in 0..2 {
        eventually("it is cached", async || {
            get(&app, "/1").await.is_hit() && get(&writer, "/1").await.is_hit()
        })
        .await;
        get(&app, "/1").await;
        server.restart();
        // The other instance has found the server again and writes before this one sends a command.
        eventually("the other instance uses the server again", async || {
            get(&writer, "/2").await.is_hit()
        })
        .await;
        post(&writer, "/1").await;
        let wanted = value.load(Ordering::SeqCst);
        eventually("hits are back", async || {
            let reply = get(&app, "/1").await;
            assert_eq!(reply.text(), wanted.to_string(), "{reply:?}");
            reply.is_hit()
        })
        .await;
    }
}

#[actix_web::test]
async fn the_near_cache_does_not_exceed_its_bytes() {
    let settings = CacheSettings {
        cache_near_max_bytes: 65_536,
        ..near_settings()
    };
    let near = backend(&settings);
    let keys: Vec<_> = (0..300)
        .map(|number| format!("{}:item:{number}", settings.cache_namespace))
        .collect();
    let value = value(&"x".repeat(1000));
    for key in &keys {
        let minute = Duration::from_mins(1);
        near.set(key, value.clone(), minute).await.unwrap();
    }
    eventually("most of the room is used", async || {
        for key in &keys {
            near.get(key).await.unwrap();
        }
        let kept = keys.iter().filter(|key| near.at_hand(key).is_some());
        let kept = kept.count();
        assert!(kept <= 63, "{kept} values of over a thousand bytes");
        kept > 35
    })
    .await;
}

#[actix_web::test]
async fn c33_a_near_value_is_an_answer_until_it_is_changed() {
    let settings = near_settings();
    let (near, other) = (backend(&settings), backend(&settings));
    let key = format!("{}:{}", settings.cache_namespace, unique("key"));
    let set = async |backend: &dyn CacheBackend, text| {
        let minute = Duration::from_mins(1);
        backend.set(&key, value(text), minute).await.unwrap();
    };
    let comes_near = async || {
        eventually("the value is in the near cache", async || {
            near.get(&key).await.unwrap();
            let at_hand = near.at_hand(&key);
            if at_hand.is_some() {
                assert_eq!(at_hand, near.get_from_server(&key).await.unwrap());
            }
            at_hand.is_some()
        })
        .await;
    };
    assert_eq!(near.at_hand(&key), None);
    set(&*near, "one").await;
    assert_eq!(near.at_hand(&key), None, "no look-up has been sent");
    comes_near().await;
    set(&*near, "two").await;
    assert_eq!(near.at_hand(&key), None, "changed by this process");
    comes_near().await;
    set(&*other, "three").await;
    eventually("the invalidation of the change arrives", async || {
        near.at_hand(&key).is_none()
    })
    .await;
}
