//! The store against a model, against threads, and against its bound.
//!
//! Come here after changing how the store evicts or counts its bytes.

use std::collections::HashMap;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use proptest::prelude::*;

use super::*;

const HOUR: Duration = Duration::from_hours(1);
const THREADS: usize = 8;

impl Store {
    fn set(&self, key: &str, value: &[u8], stamp: u64) {
        assert!(self.put_if(key, value, stamp, HOUR, |_| true));
    }

    fn counted(&self) -> usize {
        self.bytes.load(Ordering::SeqCst)
    }

    /// The counted bytes equal the shards' bytes.
    fn check_count(&self) {
        let held: usize = (0..self.shards.len())
            .map(|index| self.look(index, Shard::bytes))
            .sum();
        assert_eq!(self.counted(), held);
    }
}

/// Runs the work in many threads at once, each with its number.
fn in_threads(work: impl Fn(usize) + Sync) {
    let start = Barrier::new(THREADS);
    thread::scope(|scope| {
        for number in 0..THREADS {
            let (start, work) = (&start, &work);
            scope.spawn(move || {
                start.wait();
                work(number);
            });
        }
    });
}

#[derive(Clone, Debug)]
enum Step {
    Set(u8, u16),
    /// Over an absent key, over the present value, or over an earlier value.
    PutIf(u8, u16, Expected),
    SetExpired(u8),
    Remove(u8),
    RemoveWhere(u8),
    Clear,
}

#[derive(Clone, Copy, Debug)]
enum Expected {
    Nothing,
    Present,
    Past,
}

fn step() -> impl Strategy<Value = Step> {
    let (key, length) = (0..20_u8, 0..2000_u16);
    let expected = prop_oneof![
        Just(Expected::Nothing),
        Just(Expected::Present),
        Just(Expected::Past)
    ];
    prop_oneof![
        4 => (key.clone(), length.clone()).prop_map(|(key, length)| Step::Set(key, length)),
        4 => (key.clone(), length, expected)
            .prop_map(|(key, length, expected)| Step::PutIf(key, length, expected)),
        1 => key.clone().prop_map(Step::SetExpired),
        3 => key.clone().prop_map(Step::Remove),
        1 => key.prop_map(Step::RemoveWhere),
        1 => Just(Step::Clear),
    ]
}

fn name(key: u8) -> String {
    format!("item:{key}")
}

proptest! {
    #[test]
    fn c21_with_room_enough_the_store_is_a_map(
        steps in proptest::collection::vec(step(), 1..200),
        max_bytes in prop_oneof![Just(1_u64 << 19), Just(1 << 26)],
    ) {
        let store = Store::new(max_bytes);
        let mut model: HashMap<String, (Vec<u8>, u64)> = HashMap::new();
        for (stamp, step) in (1_u64..).zip(steps) {
            match step {
                Step::Set(key, length) => {
                    let value = vec![key; usize::from(length)];
                    store.set(&name(key), &value, stamp);
                    model.insert(name(key), (value, stamp));
                }
                Step::PutIf(key, length, expected) => {
                    let value = vec![key; usize::from(length)];
                    let present = model.get(&name(key)).map(|(_, stamp)| *stamp);
                    let expected = match expected {
                        Expected::Nothing => None,
                        Expected::Present => present,
                        Expected::Past => Some(0),
                    };
                    let put = store.put_if(&name(key), &value, stamp, HOUR, |standing| standing == expected);
                    prop_assert_eq!(put, present == expected);
                    if put {
                        model.insert(name(key), (value, stamp));
                    }
                }
                Step::SetExpired(key) => {
                    store.put_if(&name(key), b"expired", stamp, Duration::ZERO, |_| true);
                    model.remove(&name(key));
                }
                Step::Remove(key) => {
                    store.remove(&name(key));
                    model.remove(&name(key));
                }
                Step::RemoveWhere(key) => {
                    // Expired entries that are not removed yet are removed too, and count.
                    let prefix = name(key);
                    let live = model.keys().filter(|key| key.starts_with(&prefix)).count() as u64;
                    prop_assert!(store.remove_where(|key| key.starts_with(&prefix)) >= live);
                    model.retain(|key, _| !key.starts_with(&prefix));
                }
                Step::Clear => {
                    store.clear();
                    model.clear();
                    prop_assert_eq!(store.counted(), 0);
                }
            }
            store.check_count();
            for key in (0..20).map(name) {
                let kept = store.get(&key).map(|kept| (kept.value.to_vec(), kept.stamp));
                prop_assert_eq!(kept.as_ref(), model.get(&key));
            }
        }
    }

    #[test]
    fn c21_the_bound_is_kept_whatever_is_put(
        puts in proptest::collection::vec((0..5000_u32, 0..40_000_usize), 1..300),
        max_bytes in 50_000..3_000_000_u64,
    ) {
        let store = Store::new(max_bytes);
        for (key, length) in puts {
            let key = format!("item:{key}");
            let value = vec![0; length];
            prop_assert!(store.fits(&key, &value));
            store.set(&key, &value, 1);
            prop_assert!(store.counted() as u64 <= max_bytes, "{} bytes", store.counted());
            prop_assert!(store.get(&key).is_some(), "what was just put is there");
        }
        store.check_count();
    }
}

#[test]
fn c21_over_one_version_one_thread_of_many_wins() {
    let store = Store::new(1 << 20);
    store.set("key", b"first", 0);
    for round in 0..500_u64 {
        let won = AtomicUsize::new(0);
        in_threads(|_| {
            let put = store.put_if("key", b"next", round + 1, HOUR, |standing| {
                standing == Some(round)
            });
            won.fetch_add(usize::from(put), Ordering::SeqCst);
        });
        assert_eq!(won.into_inner(), 1, "in round {round}");
    }
}

#[test]
fn c21_a_counter_that_many_threads_increment_loses_nothing() {
    const INCREMENTS: u64 = 2000;
    // So small that other keys fill it all the time, and are evicted beside it.
    let store = Store::new(200_000);
    store.set("counter", b"0", 0);
    let versions = AtomicUsize::new(1);
    in_threads(|thread| {
        for number in 0..INCREMENTS {
            store.set(&format!("other:{thread}:{number}"), &[0; 500], 0);
            loop {
                let Some(kept) = store.get("counter") else {
                    panic!("what is read all the time is evicted");
                };
                let count: u64 = std::str::from_utf8(&kept.value).unwrap().parse().unwrap();
                let next = (count + 1).to_string();
                let version = versions.fetch_add(1, Ordering::SeqCst) as u64;
                let put = store.put_if("counter", next.as_bytes(), version, HOUR, |standing| {
                    standing == Some(kept.stamp)
                });
                if put {
                    break;
                }
            }
        }
    });
    let counted = store.get("counter").unwrap().value;
    assert_eq!(counted, (THREADS as u64 * INCREMENTS).to_string());
    store.check_count();
}

#[test]
fn c21_the_bound_is_kept_while_many_threads_put_ever_new_keys() {
    const MAX: u64 = 4 << 20;
    let store = Store::new(MAX);
    in_threads(|thread| {
        for number in 0..5000 {
            store.set(
                &format!("{thread}:{number}"),
                &vec![0; 100 + number % 3000],
                0,
            );
            // Each thread may be about to make room for the value that it has just put.
            let most = MAX + THREADS as u64 * 4096 * 2;
            assert!(store.counted() as u64 <= most);
        }
    });
    store.check_count();
    let left: usize = (0..store.shards.len())
        .map(|index| store.look(index, Shard::len))
        .sum();
    assert!(left > 1500, "the bound is made use of: {left} entries");
}

#[test]
fn c21_entries_that_are_read_stay_and_others_are_evicted() {
    for max_bytes in [1 << 19, 16 << 20] {
        let store = Store::new(max_bytes);
        let hot: Vec<_> = (0..100).map(|number| format!("hot:{number}")).collect();
        for key in &hot {
            store.set(key, &[0; 500], 1);
        }
        for number in 0..100_000_usize {
            store.set(&format!("cold:{number}"), &[0; 500], 1);
            assert!(
                store.get(&hot[number % hot.len()]).is_some(),
                "after {number} others"
            );
        }
        let cold = (0..50_000).filter(|number| store.get(&format!("cold:{number}")).is_some());
        assert_eq!(cold.count(), 0);
        assert!(store.get("cold:99999").is_some());
    }
}

#[test]
fn c21_a_value_of_half_the_bound_is_kept_and_replaced_however_many_shards_there_are() {
    for max_bytes in [100_000, 1 << 20, 64 << 20] {
        let store = Store::new(max_bytes);
        let half = usize::try_from(max_bytes).unwrap() / 2;
        for number in 0..max_bytes / 500 {
            store.set(&format!("small:{number}"), &[0; 300], 1);
        }
        let large = vec![1; half];
        store.set("large", &large, 1);
        assert_eq!(store.get("large").unwrap().value, large);
        let other = vec![2; half];
        assert!(store.put_if("large", &other, 2, HOUR, |standing| standing == Some(1)));
        store.set("small", b"", 1);
        assert_eq!(store.get("large").unwrap().value, other);
        assert!(store.counted() as u64 <= max_bytes);
        assert!(!store.fits("large", &vec![0; 2 * half]));
    }
}

#[test]
fn c21_expired_entries_do_not_keep_live_entries_out() {
    let store = Store::new(8 << 20);
    let put = |key: String, lifetime| store.put_if(&key, &[0; 500], 1, lifetime, |_| true);
    let count = |kind: &str| {
        let keys = (0..4000).map(|number| format!("{kind}:{number}"));
        keys.filter(|key| store.get(key).is_some()).count()
    };
    for number in 0..4000 {
        put(format!("live:{number}"), HOUR);
    }
    for number in 0..4000 {
        put(format!("expired:{number}"), Duration::ZERO);
    }
    for number in 0..4000 {
        put(format!("more:{number}"), HOUR);
    }
    // They fit in the store with one third of the expired ones at most.
    assert_eq!(
        (count("live"), count("expired"), count("more")),
        (4000, 0, 4000)
    );
}

#[test]
fn c21_a_value_is_a_copy_that_holds_no_larger_buffer() {
    let store = Store::new(1 << 20);
    let buffer = Bytes::from(vec![7; 100_000]);
    let part = buffer.slice(500..510);
    store.set("key", &part, 1);
    let kept = store.get("key").unwrap().value;
    assert_eq!(kept, part);
    drop((buffer, part));
    assert!(store.counted() < 2000);
}

#[test]
fn c21_deleting_by_pattern_and_clearing_see_everything_while_others_write() {
    let store = Store::new(64 << 20);
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        for thread in 0..3 {
            let (store, done) = (&store, &done);
            scope.spawn(move || {
                for number in 0_u64.. {
                    if done.load(Ordering::SeqCst) {
                        break;
                    }
                    store.set(&format!("item:{thread}:{}", number % 5000), &[0; 100], 1);
                    store.remove(&format!("item:{thread}:{}", (number + 2500) % 5000));
                }
            });
        }
        for round in 0..50 {
            let keys: Vec<_> = (0..200)
                .map(|number| format!("page:{round}:{number}"))
                .collect();
            for key in &keys {
                store.set(key, b"page", 1);
            }
            if round % 2 == 0 {
                assert_eq!(store.remove_where(|key| key.starts_with("page:")), 200);
            } else {
                store.clear();
            }
            assert!(keys.iter().all(|key| store.get(key).is_none()));
        }
        done.store(true, Ordering::SeqCst);
    });
    store.check_count();
    store.clear();
    assert_eq!(store.counted(), 0);
}
