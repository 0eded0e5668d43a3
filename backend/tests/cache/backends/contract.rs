//! The trait of the backends: one suite for its implementations and topologies (C21).
//!
//! Come here for an operation that every backend has.

use std::sync::Arc;
use std::time::Duration;

use backend::infrastructure::cache::backends::{BackendError, CacheBackend, Version};
use backend::infrastructure::settings::CacheBackendKind;
use bytes::Bytes;
use futures_util::future::join_all;

use crate::harness::{backend, of_every_backend, settings};
use crate::support::{eventually, unique};

const MINUTE: Duration = Duration::from_mins(1);

/// A value with the head that every stored value has.
fn value(text: &str) -> Bytes {
    Bytes::from(format!("cache/3 {:016x} {text}", rand::random::<u64>()))
}

/// All but the near cache: Redis tells it of changes in its namespace, and these keys are in none.
fn backends() -> impl Iterator<Item = Arc<dyn CacheBackend>> {
    let all = of_every_backend().into_iter();
    all.filter(|settings| !settings.cache_near)
        .map(|settings| backend(&settings))
}

#[actix_web::test]
async fn c21_a_value_is_found_until_it_is_deleted() {
    for backend in backends() {
        let (name, key) = (backend.name(), unique("key"));
        assert_eq!(backend.get(&key).await.unwrap(), None, "{name}");
        let stored = value("one");
        backend.set(&key, stored.clone(), MINUTE).await.unwrap();
        assert_eq!(
            backend.get(&key).await.unwrap().unwrap().value,
            stored,
            "{name}"
        );
        let other = value("two");
        backend.set(&key, other.clone(), MINUTE).await.unwrap();
        assert_eq!(
            backend.get(&key).await.unwrap().unwrap().value,
            other,
            "{name}"
        );
        backend
            .delete(&[key.clone(), unique("absent")])
            .await
            .unwrap();
        assert_eq!(backend.get(&key).await.unwrap(), None, "{name}");
        backend.delete(&[]).await.unwrap();
    }
}

#[actix_web::test]
async fn c21_compare_and_set_stores_only_over_the_expected_value() {
    for backend in backends() {
        let (name, key) = (backend.name(), unique("key"));
        let set = async |expected: &Version, text| {
            backend
                .compare_and_set(&key, expected, value(text), MINUTE)
                .await
                .unwrap()
        };
        let first = set(&Version::Absent, "one").await.expect(name);
        assert_eq!(set(&Version::Absent, "two").await, None, "{name}");
        let second = set(&first, "three").await.expect(name);
        assert_eq!(set(&first, "four").await, None, "{name}");
        let found = backend.get(&key).await.unwrap().unwrap();
        assert!(found.value.ends_with(b"three"), "{name}");
        let third = set(&found.version, "five").await.expect(name);
        assert_eq!(set(&second, "six").await, None, "{name}");
        backend.delete(std::slice::from_ref(&key)).await.unwrap();
        assert_eq!(
            set(&third, "seven").await,
            None,
            "{name}: a deletion ends what was seen"
        );
        assert!(set(&Version::Anything, "eight").await.is_some(), "{name}");
        assert!(set(&Version::Anything, "nine").await.is_some(), "{name}");
    }
}

#[actix_web::test]
async fn c21_of_many_that_compare_and_set_at_once_one_succeeds() {
    for backend in backends() {
        let key = unique("key");
        for seen in [Version::Absent, Version::Anything] {
            let seen = if seen == Version::Absent {
                seen
            } else {
                backend.get(&key).await.unwrap().unwrap().version
            };
            let attempts =
                join_all((0..50).map(|_| backend.compare_and_set(&key, &seen, value("x"), MINUTE)))
                    .await;
            let stored = attempts
                .into_iter()
                .filter(|attempt| attempt.as_ref().unwrap().is_some())
                .count();
            assert_eq!(stored, 1, "{} over {seen:?}", backend.name());
        }
    }
}

#[actix_web::test]
async fn c21_a_value_expires() {
    for backend in backends() {
        let key = unique("key");
        backend
            .set(&key, value("short"), Duration::from_millis(300))
            .await
            .unwrap();
        assert!(
            backend.get(&key).await.unwrap().is_some(),
            "{}",
            backend.name()
        );
        eventually("the value is gone", async || {
            backend.get(&key).await.unwrap().is_none()
        })
        .await;
        assert!(
            backend
                .compare_and_set(&key, &Version::Absent, value("next"), MINUTE)
                .await
                .unwrap()
                .is_some()
        );
    }
}

#[actix_web::test]
async fn c21_large_values_and_unusual_bytes_are_read_as_they_were_stored() {
    for backend in backends() {
        let key = unique("key:with%20odd~@+characters");
        let mut large = value("").to_vec();
        large.extend((0..900_000).map(|number: u32| number.to_le_bytes()[0]));
        let large = Bytes::from(large);
        backend.set(&key, large.clone(), MINUTE).await.unwrap();
        assert_eq!(
            backend.get(&key).await.unwrap().unwrap().value,
            large,
            "{}",
            backend.name()
        );
    }
}

#[actix_web::test]
async fn c21_a_value_that_is_too_large_is_not_stored_and_that_is_no_outage() {
    let mut memory = settings(CacheBackendKind::Memory);
    memory.cache_memory_max_bytes = 100_000;
    for backend in [
        backend(&settings(CacheBackendKind::Memcached)),
        backend(&memory),
    ] {
        let key = unique("key");
        let large = Bytes::from([value("").as_ref(), &vec![b'x'; 3_000_000]].concat());
        let refused = backend.set(&key, large.clone(), MINUTE).await;
        assert!(
            matches!(refused, Err(BackendError::NotStored(_))),
            "{}: {refused:?}",
            backend.name()
        );
        let refused = backend
            .compare_and_set(&key, &Version::Absent, large, MINUTE)
            .await;
        assert!(
            matches!(refused, Err(BackendError::NotStored(_))),
            "{}: {refused:?}",
            backend.name()
        );
        assert_eq!(backend.get(&key).await.unwrap(), None, "{}", backend.name());
        backend.set(&key, value("small"), MINUTE).await.unwrap();
    }
}

#[actix_web::test]
async fn c21_the_memory_backend_keeps_to_its_bytes() {
    let mut settings = settings(CacheBackendKind::Memory);
    settings.cache_memory_max_bytes = 200_000;
    let backend = backend(&settings);
    for number in 0..2000 {
        backend
            .set(&format!("key:{number}"), value(&"x".repeat(1000)), MINUTE)
            .await
            .unwrap();
    }
    eventually("the oldest values are evicted", async || {
        let mut kept = 0;
        for number in 0..2000 {
            kept += usize::from(
                backend
                    .get(&format!("key:{number}"))
                    .await
                    .unwrap()
                    .is_some(),
            );
        }
        (1..=200).contains(&kept)
    })
    .await;
}

#[actix_web::test]
async fn c21_the_memory_backend_stores_a_value_of_half_its_bytes_beside_others() {
    let mut settings = settings(CacheBackendKind::Memory);
    settings.cache_memory_max_bytes = 16 << 20;
    let backend = backend(&settings);
    let large = value(&"x".repeat(8 << 20));
    for round in 0..3 {
        for number in 0..10_000 {
            let key = format!("{round}:{number}");
            backend
                .set(&key, value(&"x".repeat(1000)), MINUTE)
                .await
                .unwrap();
        }
        backend.set("large", large.clone(), MINUTE).await.unwrap();
        let found = backend.get("large").await.unwrap().unwrap();
        assert_eq!(found.value, large);
    }
}

#[actix_web::test]
async fn c21_the_memory_backend_has_its_values_at_hand() {
    let backend = backend(&settings(CacheBackendKind::Memory));
    assert_eq!(backend.at_hand("key"), None);
    backend.set("key", value("one"), MINUTE).await.unwrap();
    assert_eq!(backend.at_hand("key"), backend.get("key").await.unwrap());
    let seen = backend.at_hand("key").unwrap().version;
    let next = backend.compare_and_set("key", &seen, value("two"), MINUTE);
    assert!(next.await.unwrap().is_some());
    let other = backend.compare_and_set("key", &seen, value("three"), MINUTE);
    assert_eq!(other.await.unwrap(), None);
    assert!(backend.at_hand("key").unwrap().value.ends_with(b"two"));
    backend.delete(&["key".to_owned()]).await.unwrap();
    assert_eq!(backend.at_hand("key"), None);
}

#[actix_web::test]
async fn c21_many_tasks_at_once_each_get_their_own_answer() {
    for backend in backends() {
        let prefix = unique("task");
        let tasks = (0..200).map(|number| {
            let (backend, key) = (Arc::clone(&backend), format!("{prefix}:{number}"));
            actix_web::rt::spawn(async move {
                let own = value(&number.to_string());
                for _ in 0..5 {
                    backend.set(&key, own.clone(), MINUTE).await.unwrap();
                    assert_eq!(backend.get(&key).await.unwrap().unwrap().value, own);
                }
            })
        });
        for task in join_all(tasks).await {
            task.unwrap();
        }
    }
}

#[actix_web::test]
async fn c21_a_dropped_operation_leaves_no_answer_for_the_next_one() {
    for backend in backends() {
        let keys = [unique("a"), unique("b")];
        for key in &keys {
            backend.set(key, value(key), MINUTE).await.unwrap();
        }
        for _ in 0..200 {
            // Polled once, then dropped with its command on the way.
            let abandoned = backend.get(&keys[0]);
            tokio::select! {
                biased;
                _ = abandoned => {}
                () = std::future::ready(()) => {}
            }
            let found = backend.get(&keys[1]).await.unwrap().unwrap();
            assert!(
                found.value.ends_with(keys[1].as_bytes()),
                "{}",
                backend.name()
            );
        }
    }
}

#[actix_web::test]
async fn counters_count_every_increment_and_keep_their_first_expiration() {
    for backend in backends() {
        let (name, key) = (backend.name(), unique("counter"));
        backend.decrement(&key).await.unwrap();
        let counted = join_all((0..20).map(|_| backend.increment(&key, MINUTE))).await;
        let mut values: Vec<u64> = counted
            .into_iter()
            .map(|count| {
                let count = count.unwrap();
                assert!(count.remaining <= MINUTE, "{name}: {count:?}");
                assert!(count.remaining >= MINUTE / 2, "{name}: {count:?}");
                count.value
            })
            .collect();
        values.sort_unstable();
        assert_eq!(values, (1..=20).collect::<Vec<u64>>(), "{name}");
        backend.decrement(&key).await.unwrap();
        let later = backend.increment(&key, MINUTE * 60).await.unwrap();
        assert_eq!(later.value, 20, "{name}");
        assert!(later.remaining <= MINUTE, "{name}: {later:?}");
    }
}

#[actix_web::test]
async fn a_counter_expires_and_is_never_decremented_below_0() {
    for backend in backends() {
        let (name, key) = (backend.name(), unique("counter"));
        let second = Duration::from_secs(1);
        assert_eq!(backend.increment(&key, second).await.unwrap().value, 1);
        for _ in 0..3 {
            backend.decrement(&key).await.unwrap();
        }
        assert!(
            backend.increment(&key, second).await.unwrap().value <= 1,
            "{name}"
        );
        eventually("the counter has ended", async || {
            backend.get(&key).await.unwrap().is_none()
        })
        .await;
        assert_eq!(
            backend.increment(&key, second).await.unwrap().value,
            1,
            "{name}"
        );
    }
}
