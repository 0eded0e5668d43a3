//! The particular parts of the Memcached backend: shared connections, and two clients for one server.
//!
//! Come here when one of its two clients changes.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use backend::infrastructure::cache::backends::{BackendError, CacheBackend, Version};
use backend::infrastructure::settings::{CacheBackendKind, CacheSettings};
use bytes::Bytes;
use futures_util::future::{join, join_all};
use tokio::time::timeout;

use crate::harness::{backend, settings};
use crate::server_access::put_proxy_before;
use crate::support::proxy::Mode;
use crate::support::{eventually, unique};

const MINUTE: Duration = Duration::from_mins(1);

/// Settings with a single connection.
fn one_lane() -> CacheSettings {
    CacheSettings {
        cache_memcached_pool_size: 1,
        ..settings(CacheBackendKind::Memcached)
    }
}

/// Sends a line to the server, and returns the first line of its answer.
fn say(port: u16, line: &str) -> String {
    let mut connection = TcpStream::connect(("127.0.0.1", port)).unwrap();
    connection
        .write_all(format!("{line}\r\n").as_bytes())
        .unwrap();
    let mut answer = String::new();
    BufReader::new(connection).read_line(&mut answer).unwrap();
    answer.trim_end().to_owned()
}

async fn put(backend: &dyn CacheBackend, key: &str, text: &str) {
    let value = Bytes::from(text.to_owned());
    backend.set(key, value, MINUTE).await.unwrap();
}

async fn read(backend: &dyn CacheBackend, key: &str) -> Option<String> {
    let found = backend.get(key).await.unwrap()?;
    Some(String::from_utf8(found.value.to_vec()).unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn c33_a_shared_look_up_that_begins_after_an_acknowledged_write_sees_it() {
    for settings in [one_lane(), settings(CacheBackendKind::Memcached)] {
        let (backend, key) = (backend(&settings), Arc::new(unique("key")));
        let acknowledged = Arc::new(AtomicU64::new(0));
        put(&*backend, &key, "0").await;
        let readers = (0..32).map(|_| {
            let (backend, key) = (Arc::clone(&backend), Arc::clone(&key));
            let acknowledged = Arc::clone(&acknowledged);
            tokio::spawn(async move {
                while acknowledged.load(Ordering::SeqCst) < 300 {
                    let before = acknowledged.load(Ordering::SeqCst);
                    let seen = read(&*backend, &key).await.map(|text| text.parse::<u64>());
                    let seen = seen.unwrap_or(Ok(u64::MAX)).unwrap();
                    assert!(seen >= before, "{seen} after {before} was written");
                }
            })
        });
        let readers: Vec<_> = readers.collect();
        for number in 1..=300_u64 {
            let value = Bytes::from(number.to_string());
            // By either client, and over a deletion.
            match number % 3 {
                0 => put(&*backend, &key, &number.to_string()).await,
                1 => {
                    let written = backend.compare_and_set(&key, &Version::Anything, value, MINUTE);
                    assert!(written.await.unwrap().is_some());
                }
                _ => {
                    backend.delete(&[key.to_string()]).await.unwrap();
                    let written = backend.compare_and_set(&key, &Version::Absent, value, MINUTE);
                    assert!(written.await.unwrap().is_some());
                }
            }
            acknowledged.store(number, Ordering::SeqCst);
        }
        for reader in readers {
            reader.await.unwrap();
        }
    }
}

#[actix_web::test]
async fn dropped_look_ups_leave_no_answer_for_others() {
    let backend = backend(&one_lane());
    let keys: Vec<String> = (0..8).map(|_| unique("key")).collect();
    for key in &keys {
        put(&*backend, key, key).await;
    }
    let tasks = (0..64_usize).map(|task| {
        let (backend, keys) = (Arc::clone(&backend), keys.clone());
        actix_web::rt::spawn(async move {
            for round in 0..50_usize {
                let key = &keys[(task + round) % keys.len()];
                // Dropped at every stage: from not polled to answered.
                let limit = Duration::from_micros(u64::try_from(task * 7 % 200).unwrap());
                if let Ok(found) = timeout(limit, read(&*backend, key)).await {
                    assert_eq!(found.as_ref(), Some(key));
                }
                let stored = backend.compare_and_set(
                    key,
                    &Version::Absent,
                    Bytes::from_static(b"never"),
                    MINUTE,
                );
                if let Ok(stored) = timeout(limit, stored).await {
                    assert_eq!(stored.unwrap(), None);
                }
                assert_eq!(read(&*backend, key).await.as_ref(), Some(key));
            }
        })
    });
    for task in join_all(tasks).await {
        task.unwrap();
    }
}

#[actix_web::test]
async fn both_clients_encode_a_key_in_the_same_way() {
    let settings = one_lane();
    let backend = backend(&settings);
    let key = format!("{} with blanks, \t tabs and ünïcode", unique("key"));
    put(&*backend, &key, "one").await;
    let found = backend.get(&key).await.unwrap().unwrap();
    assert_eq!(found.value, "one");
    let value = Bytes::from_static(b"two");
    let stored = backend.compare_and_set(&key, &found.version, value, MINUTE);
    assert!(stored.await.unwrap().is_some());
    assert_eq!(read(&*backend, &key).await.as_deref(), Some("two"));
    backend.delete(std::slice::from_ref(&key)).await.unwrap();
    assert_eq!(read(&*backend, &key).await, None);
}

#[actix_web::test]
async fn a_key_that_the_server_refuses_is_no_outage() {
    let backend = backend(&one_lane());
    for key in [String::new(), " ".repeat(240), "x".repeat(251)] {
        let value = Bytes::from_static(b"x");
        assert_eq!(backend.get(&key).await.unwrap(), None);
        let set = backend.set(&key, value.clone(), MINUTE).await;
        assert!(matches!(set, Err(BackendError::NotStored(_))), "{set:?}");
        let stored = backend.compare_and_set(&key, &Version::Absent, value, MINUTE);
        let stored = stored.await;
        assert!(
            matches!(stored, Err(BackendError::NotStored(_))),
            "{stored:?}"
        );
        backend.delete(&[key, unique("key")]).await.unwrap();
    }
}

#[actix_web::test]
async fn c12_more_than_thirty_days_are_kept_by_either_client() {
    let settings = one_lane();
    let backend = backend(&settings);
    let days = 60 * Duration::from_hours(24);
    let keys = [unique("set"), unique("claimed")];
    let value = Bytes::from_static(b"x");
    backend.set(&keys[0], value.clone(), days).await.unwrap();
    let stored = backend.compare_and_set(&keys[1], &Version::Absent, value, days);
    assert!(stored.await.unwrap().is_some());
    for key in keys {
        let answer = say(settings.cache_memcached_port, &format!("mg {key} t"));
        let left: u64 = answer.strip_prefix("HD t").unwrap().parse().unwrap();
        assert!(left.abs_diff(days.as_secs()) < 10, "{key}: {answer}");
    }
}

#[actix_web::test]
async fn a_value_that_is_too_large_does_not_disturb_other_commands() {
    let backend = backend(&one_lane());
    let (key, other) = (unique("key"), unique("other"));
    put(&*backend, &key, "here").await;
    for _ in 0..5 {
        let large = Bytes::from(vec![b'\n'; 3_000_000]);
        let large_key = unique("large");
        let refused = backend.compare_and_set(&large_key, &Version::Absent, large, MINUTE);
        let value = Bytes::from_static(b"there");
        let stored = backend.compare_and_set(&other, &Version::Anything, value, MINUTE);
        let (refused, (found, stored)) = join(refused, join(read(&*backend, &key), stored)).await;
        assert!(
            matches!(refused, Err(BackendError::NotStored(_))),
            "{refused:?}"
        );
        assert_eq!(found.as_deref(), Some("here"));
        assert!(stored.unwrap().is_some());
    }
}

#[test]
fn a_connection_whose_runtime_has_ended_is_replaced() {
    let (settings, key) = (one_lane(), unique("key"));
    let backend = backend(&settings);
    for round in 0..5 {
        // Each on a thread and a runtime of its own, as the workers of actix are.
        let (backend, key) = (Arc::clone(&backend), key.clone());
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                put(&*backend, &key, &round.to_string()).await;
                assert_eq!(read(&*backend, &key).await, Some(round.to_string()));
            });
        });
        thread.join().unwrap();
    }
}

#[actix_web::test]
async fn after_a_cut_answer_each_look_up_gets_its_own_answer_or_an_error() {
    let mut settings = one_lane();
    let proxy = put_proxy_before(&mut settings).await;
    let backend = backend(&settings);
    let keys: Vec<String> = (0..50).map(|_| unique("key")).collect();
    for key in &keys {
        put(&*backend, key, &key.repeat(20)).await;
    }
    for mode in [Mode::CutAnswers, Mode::Garbage, Mode::Refuse] {
        proxy.set(mode);
        let look_ups = join_all(keys.iter().map(|key| backend.get(key)));
        let outcomes = timeout(MINUTE, look_ups).await.unwrap();
        for (key, outcome) in keys.iter().zip(&outcomes) {
            if let Ok(found) = outcome {
                assert_eq!(found.as_ref().unwrap().value, key.repeat(20), "{mode:?}");
            }
        }
        assert!(outcomes.iter().any(Result::is_err), "{mode:?}");
        proxy.set(Mode::Pass);
        eventually("the backend answers again", async || {
            backend.get(&keys[0]).await.is_ok()
        })
        .await;
        for key in &keys {
            assert_eq!(read(&*backend, key).await, Some(key.repeat(20)), "{mode:?}");
        }
    }
}

#[actix_web::test]
async fn c29_a_server_that_comes_later_is_found() {
    let mut settings = one_lane();
    let port = settings.cache_memcached_port;
    settings.cache_memcached_port = crate::support::server::free_port();
    let (backend, key) = (backend(&settings), unique("key"));
    let answer = backend.get(&key).await;
    assert!(
        matches!(answer, Err(BackendError::Unavailable(_))),
        "{answer:?}"
    );
    let relay = tokio::net::TcpListener::bind(("127.0.0.1", settings.cache_memcached_port))
        .await
        .unwrap();
    actix_web::rt::spawn(async move {
        while let Ok((mut client, _)) = relay.accept().await {
            let mut server = tokio::net::TcpStream::connect(("127.0.0.1", port))
                .await
                .unwrap();
            actix_web::rt::spawn(async move {
                let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
            });
        }
    });
    eventually("the server is found", async || {
        backend.get(&key).await.is_ok()
    })
    .await;
}
