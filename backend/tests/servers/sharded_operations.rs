//! Redis Cluster (C60): each operation of the backend, keys whose slot is on its way, and the settings.
//!
//! Come here after adding an operation of the backends. Faults under load are in `sharded`.

use std::sync::Arc;
use std::time::Duration;

use backend::infrastructure::cache::backends::{BackendError, CacheBackend, Nodes, Version};
use backend::infrastructure::cache::{CacheOptions, CachePolicy};
use backend::infrastructure::settings::{CacheBackendKind, CacheRedisMode, CacheSettings};
use bytes::Bytes;

use crate::harness::{Harness, Runs, both, get, nodes, post, settings};
use crate::routed::Routed;
use crate::sharded::environment;
use crate::support::database::TestDatabase;
use crate::support::eventually;
use crate::support::redis_cluster::RedisCluster;
use crate::support::sentinels::ask;
use crate::support::service::command;

const MINUTE: Duration = Duration::from_mins(1);

/// Settings for a Cluster.
pub fn of_cluster(cluster: &RedisCluster) -> CacheSettings {
    CacheSettings {
        cache_redis_mode: CacheRedisMode::Cluster,
        cache_redis_nodes: cluster.list(),
        ..settings(CacheBackendKind::Redis)
    }
}

/// A value with the head that every stored value has.
fn value(text: &str) -> Bytes {
    Bytes::from(format!("cache/3 {:016x} {text}", rand::random::<u64>()))
}

async fn connected(settings: &CacheSettings) -> Nodes {
    let nodes = nodes(settings);
    nodes.all()[0]
        .backend
        .check_kind()
        .await
        .expect("a Cluster");
    nodes
}

/// How many keys of the namespace each of the first three nodes holds.
async fn counts(cluster: &RedisCluster, namespace: &str) -> [usize; 3] {
    let mut counts = [0; 3];
    for (number, count) in counts.iter_mut().enumerate() {
        *count = cluster.values(number, namespace).await.len();
    }
    counts
}

async fn operations(settings: &CacheSettings, cluster: &RedisCluster) {
    let nodes = connected(settings).await;
    let own = |name: &str| format!("{}:{name}", settings.cache_namespace);
    let backend = Routed::over(nodes.clone());
    let keys: Vec<String> = (0..60)
        .map(|number| own(&format!("item:{number}")))
        .collect();
    for key in &keys {
        backend.set(key, value("one"), MINUTE).await.unwrap();
        let found = backend.get(key).await.unwrap().expect("a value");
        let stored = backend
            .compare_and_set(key, &found.version, value("two"), MINUTE)
            .await;
        let version = stored.unwrap().expect("stored");
        let other = backend
            .compare_and_set(key, &found.version, value("three"), MINUTE)
            .await;
        assert_eq!(other.unwrap(), None);
        let absent = backend
            .compare_and_set(key, &Version::Absent, value("four"), MINUTE)
            .await;
        assert_eq!(absent.unwrap(), None);
        assert_eq!(backend.get(key).await.unwrap().unwrap().version, version);
    }
    let spread = counts(cluster, &settings.cache_namespace).await;
    assert!(spread.iter().all(|count| *count > 5), "{spread:?}");
    // Any of the servers lists, counts and logs for all.
    let any = &nodes.all()[0].backend;
    let (mut listed, mut cursor) = (Vec::new(), 0);
    loop {
        let part = any
            .list(&own("item:"), cursor, 10)
            .await
            .unwrap()
            .expect("a list");
        listed.extend(part.values.into_iter().map(|(key, _)| key));
        cursor = part.next;
        if cursor == 0 {
            break;
        }
    }
    listed.sort_unstable();
    listed.dedup();
    assert_eq!(listed.len(), keys.len());
    for number in 1..=3 {
        let count = backend.increment(&own("count"), MINUTE).await.unwrap();
        assert_eq!(count.value, number);
    }
    backend.decrement(&own("count")).await.unwrap();
    assert_eq!(
        backend
            .increment(&own("count"), MINUTE)
            .await
            .unwrap()
            .value,
        3
    );
    let log = own("~log");
    any.append_to_log(&log, &[value("event")], 10)
        .await
        .unwrap();
    assert_eq!(any.read_log(&log, 10).await.unwrap().len(), 1);
    // At once, although the keys are on three masters.
    any.delete(&keys[..10]).await.unwrap();
    for key in &keys[..10] {
        assert_eq!(backend.get(key).await.unwrap(), None);
    }
    let mut deleted = 0;
    for node in nodes.all() {
        deleted += node.backend.delete_pattern(&own("item:1*")).await.unwrap();
    }
    assert_eq!(deleted, 10, "10 to 19");
    assert!(backend.get(&own("item:20")).await.unwrap().is_some());
    for node in nodes.all() {
        node.backend.clear(&own(""), &keys[30]).await.unwrap();
    }
    for key in &keys {
        let is_kept = key == &keys[30];
        assert_eq!(backend.get(key).await.unwrap().is_some(), is_kept, "{key}");
    }
}

/// Two nodes without a word about it move the slot of a key: it is on its way from the first to the second one.
async fn on_the_way(settings: &CacheSettings, cluster: &RedisCluster) {
    let nodes = connected(settings).await;
    let key = |number: usize| format!("{}:item:{number}", settings.cache_namespace);
    let backend = Routed::over(nodes);
    let holder = async |key: &str| {
        let slot: u16 = ask(cluster.nodes[0].port, &format!("CLUSTER KEYSLOT {key}"))
            .await
            .unwrap();
        (
            slot,
            if slot < 5461 {
                0
            } else if slot < 10_923 {
                1
            } else {
                2
            },
        )
    };
    let mut number = 0;
    let (moving, slot) = loop {
        let (slot, owner) = holder(&key(number)).await;
        if owner == 0 {
            break (key(number), slot);
        }
        number += 1;
    };
    let [source, target] = [cluster.nodes[0].port, cluster.nodes[1].port];
    backend.set(&moving, value("old"), MINUTE).await.unwrap();
    let set = async |port: u16, state: &str| {
        let said: String = ask(port, &format!("CLUSTER SETSLOT {slot} {state}"))
            .await
            .unwrap();
        assert_eq!(said, "OK");
    };
    set(target, &format!("IMPORTING {}", cluster.id(0))).await;
    set(source, &format!("MIGRATING {}", cluster.id(1))).await;
    let there = backend.get(&moving).await.unwrap();
    assert!(there.is_some(), "it has not moved yet");
    let migrate = format!("MIGRATE 127.0.0.1 {target} {moving} 0 1000");
    let said: String = ask(source, &migrate).await.unwrap();
    assert_eq!(said, "OK");
    let there = backend.get(&moving).await;
    assert!(matches!(there, Err(BackendError::Moving(_))), "{there:?}");
    let stored = backend
        .compare_and_set(&moving, &Version::Absent, value("new"), MINUTE)
        .await;
    assert!(matches!(stored, Err(BackendError::Moving(_))), "{stored:?}");
    // A deletion follows it. If the migration is undone, the old value does not come back.
    backend.delete(std::slice::from_ref(&moving)).await.unwrap();
    let left: Vec<String> = ask(target, &format!("CLUSTER GETKEYSINSLOT {slot} 10"))
        .await
        .unwrap();
    assert!(left.is_empty(), "{left:?}");
    set(source, "STABLE").await;
    set(target, "STABLE").await;
    assert_eq!(backend.get(&moving).await.unwrap(), None);
    assert!(
        backend
            .compare_and_set(&moving, &Version::Absent, value("new"), MINUTE)
            .await
            .unwrap()
            .is_some()
    );
}

/// Two instances, an answer in the cache, and a write on the other instance.
pub async fn instances(settings: CacheSettings) {
    const ITEM: CachePolicy = CachePolicy::new("item").resource_id_name("id").shared();
    let first = Harness::with_settings(settings).await;
    let second = first.another().await;
    let runs = Runs::default();
    let apps = [
        first.app(both("/{id}", ITEM, &runs)).await,
        second.app(both("/{id}", ITEM, &runs)).await,
    ];
    let paths: Vec<String> = (0..30).map(|number| format!("/{number}")).collect();
    for path in &paths {
        for app in &apps {
            eventually("it is a hit", async || get(app, path).await.is_hit()).await;
        }
        let old = get(&apps[0], path).await.text();
        post(&apps[1], path).await;
        for app in &apps {
            assert_ne!(get(app, path).await.text(), old, "{path}");
        }
    }
    for path in &paths {
        for app in &apps {
            eventually("it is a hit", async || get(app, path).await.is_hit()).await;
        }
    }
    first.cache.clear().await.unwrap();
    for path in &paths {
        assert!(!get(&apps[0], path).await.is_hit(), "{path}");
    }
    assert_eq!(second.cache.shortfall(), None);
}

#[actix_web::test]
async fn c60_a_cluster_does_what_a_single_redis_does() {
    let cluster = RedisCluster::start().await;
    operations(&of_cluster(&cluster), &cluster).await;
    on_the_way(&of_cluster(&cluster), &cluster).await;
    instances(of_cluster(&cluster)).await;
    check_says(&cluster).await;
}

/// `backend check` tries the Cluster; one node of it is no single Redis, and a single Redis is no Cluster.
async fn check_says(cluster: &RedisCluster) {
    let nodes = cluster.list();
    let said = check(&environment(&nodes)).await;
    assert!(
        said.contains("answers, and permits what the cache needs"),
        "{said}"
    );
    let port = cluster.nodes[0].port.to_string();
    let said = check(&[("CACHE_REDIS_PORT", &port)]).await;
    assert!(
        said.contains("use CACHE_REDIS_MODE=cluster with CACHE_REDIS_NODES"),
        "{said}"
    );
    let single = format!("127.0.0.1:{}", crate::support::variable("TEST_REDIS_PORT"));
    let said = check(&environment(&single)).await;
    assert!(
        said.contains("no node of a Redis Cluster; use CACHE_REDIS_MODE=single"),
        "{said}"
    );
}

/// The line of `backend check` about the cache.
pub async fn check(environment: &[(&str, &str)]) -> String {
    let database = TestDatabase::migrated().await;
    let url = database.url();
    let own = [
        ("CACHE_OPERATION_TIMEOUT_MS", "5000"),
        ("DATABASE_URL", url.as_str()),
        ("SERVER_PORT", "0"),
    ];
    let mut program = command(&[&own, environment].concat());
    program.arg("check");
    let output = tokio::task::spawn_blocking(move || program.output().expect("the binary"));
    let output = output.await.expect("no panic");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = said.lines().find(|line| line.contains(" cache "));
    line.unwrap_or_else(|| panic!("{output:?}")).to_owned()
}

#[actix_web::test]
async fn c60_a_key_is_in_the_slot_that_the_server_names() {
    // A key on a node must be in one of its slots, or the node refuses it: so the operations above show the slots too. Here
    // only that the groups follow the slots.
    let base = CacheSettings {
        cache_redis_mode: CacheRedisMode::Cluster,
        cache_redis_nodes: "127.0.0.1:1".to_owned(),
        ..settings(CacheBackendKind::Redis)
    };
    let options = CacheOptions::from(&base);
    let nodes = backend::infrastructure::cache::backends::from_options(&options, options.backend);
    let nodes = nodes.expect("groups");
    assert_eq!(nodes.of("foo").name, "slots 10923-12287");
    assert_eq!(nodes.of("a{foo}b").name, nodes.of("foo").name);
    let backend: &Arc<dyn CacheBackend> = &nodes.of("foo").backend;
    let error = backend.get("foo").await.unwrap_err();
    assert!(matches!(error, BackendError::Unavailable(_)), "{error}");
}
