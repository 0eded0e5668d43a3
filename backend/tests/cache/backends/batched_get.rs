//! Look-ups that are sent together (C33): the saved commands, and answers that must not be shared.
//!
//! Come here when a look-up gets the answer of another one, or when look-ups become more commands.

use std::sync::Arc;
use std::time::Duration;

use actix_web::rt;
use backend::infrastructure::cache::backends::CacheBackend;
use backend::infrastructure::settings::CacheBackendKind;
use bytes::Bytes;
use futures_util::future::join_all;

use crate::harness::{backend, settings};
use crate::server_access::{connect_to_redis, put_proxy_before};
use crate::support::proxy::Mode;
use crate::support::server::{Kind, Server};
use crate::support::{unique, variable};

const MINUTE: Duration = Duration::from_mins(1);

fn value(text: &str) -> Bytes {
    Bytes::from(format!("cache/3 {:016x} {text}", rand::random::<u64>()))
}

#[actix_web::test]
async fn c33_a_look_up_never_joins_one_that_was_sent_before() {
    for kind in [CacheBackendKind::Redis, CacheBackendKind::Memcached] {
        let direct = settings(kind);
        let mut behind = direct.clone();
        let proxy = put_proxy_before(&mut behind).await;
        let (direct, behind) = (backend(&direct), backend(&behind));
        let key = unique("key");
        let (old, new) = (value("old"), value("new"));
        direct.set(&key, old.clone(), MINUTE).await.unwrap();
        // Opens the connection.
        behind.get(&key).await.unwrap();

        proxy.set(Mode::HoldAnswers);
        let get = |backend: &Arc<dyn CacheBackend>| {
            let (backend, key) = (Arc::clone(backend), key.clone());
            rt::spawn(async move { backend.get(&key).await.unwrap().unwrap().value })
        };
        let before = get(&behind);
        proxy.answer_is_held().await;
        direct.set(&key, new.clone(), MINUTE).await.unwrap();
        let after = get(&behind);
        // The second look-up was sent before the answer to the first arrived.
        rt::task::yield_now().await;
        proxy.set(Mode::Pass);
        assert_eq!(before.await.unwrap(), old, "{}", direct.name());
        assert_eq!(after.await.unwrap(), new, "{}", direct.name());
    }
}

#[actix_web::test]
async fn look_ups_of_one_key_at_the_same_time_are_one_command() {
    let server = Server::start(Kind::Redis);
    let mut settings = settings(CacheBackendKind::Redis);
    settings.cache_redis_port = server.port;
    let backend = backend(&settings);
    backend.set("key", value("one"), MINUTE).await.unwrap();
    let found = join_all((0..100).map(|_| backend.get("key"))).await;
    for found in &found {
        assert!(found.as_ref().unwrap().is_some());
    }
    let statistics: String = redis::cmd("INFO")
        .arg("commandstats")
        .query_async(&mut connect_to_redis(server.port).await)
        .await
        .unwrap();
    assert!(statistics.contains("cmdstat_get:calls=1,"), "{statistics}");
}

#[actix_web::test]
async fn look_ups_of_many_keys_at_the_same_time_each_get_their_own_answer() {
    let backend = backend(&settings(CacheBackendKind::Redis));
    let keys: Vec<_> = (0..500)
        .map(|number| unique(&format!("key:{number}")))
        .collect();
    let foreign = unique("foreign");
    let port = variable("TEST_REDIS_PORT").parse().unwrap();
    let mut redis = connect_to_redis(port).await;
    redis::cmd("RPUSH")
        .arg(&foreign)
        .arg("of another type")
        .query_async::<()>(&mut redis)
        .await
        .unwrap();
    for key in &keys {
        backend.set(key, value(key), MINUTE).await.unwrap();
    }
    let mut asked: Vec<&String> = keys.iter().collect();
    asked.insert(250, &foreign);
    let found = join_all(asked.iter().map(|key| backend.get(key))).await;
    for (key, found) in asked.iter().zip(found) {
        let found = found.unwrap().unwrap();
        // A value of another type cannot be read, and does not disturb other look-ups.
        let own = if *key == &foreign { "" } else { key.as_str() };
        assert!(found.value.ends_with(own.as_bytes()), "{key}");
        assert_eq!(found.value.is_empty(), own.is_empty(), "{key}");
    }
    backend.delete(&[foreign]).await.unwrap();
}
