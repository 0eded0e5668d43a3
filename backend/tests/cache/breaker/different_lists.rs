//! Instances with different lists of Memcached servers (C61). The same under load, with real processes, is in
//! `resilience`.
//!
//! Come here for a deployment that adds or removes a server.

use std::time::{Duration, Instant};

use super::several_servers::{
    ITEM, KEYS, Reads, all_are_hits, item_app, namespace, on, start_servers,
};
use crate::harness::{Harness, Runs, TestApp, both, post};
use crate::support::server::Server;

/// What two instances with different lists do: the later one writes, and neither is stale.
async fn differing_lists(first: &[&Server], second: &[&Server]) {
    let namespace = namespace();
    let old = Harness::with_settings(on(first.iter().copied(), &namespace)).await;
    let runs = Runs::default();
    let routes = || both("/{id}", ITEM, &runs);
    let old_app = old.app(routes()).await;
    all_are_hits(&old_app, "everything is cached").await;

    let new = Harness::with_settings(on(second.iter().copied(), &namespace)).await;
    let new_app = new.app(routes()).await;
    for (writer, reader) in [
        (&new_app as &dyn Writes, &old_app as &dyn Reads),
        (&old_app, &new_app),
    ] {
        for number in 0..KEYS {
            let before = reader.read(number).await;
            writer.write(number).await;
            assert_ne!(reader.read(number).await, before, "{number}");
        }
    }
    let shortfall = new.cache.shortfall().unwrap_or_default();
    assert!(shortfall.contains("another list"), "{shortfall}");
    let mut before = Vec::new();
    for number in 0..KEYS {
        before.push(old_app.read(number).await);
    }

    old.cache
        .leave(Instant::now() + Duration::from_secs(5))
        .await;
    all_are_hits(
        &new_app,
        "the new list is trusted when the old one has left",
    )
    .await;
    for number in 0..KEYS {
        new_app.write(number).await;
    }
    new.cache
        .leave(Instant::now() + Duration::from_secs(5))
        .await;

    // Back to the old list, whose servers still have its entries.
    let again = Harness::with_settings(on(first.iter().copied(), &namespace)).await;
    let again_app = again.app(routes()).await;
    for (number, old) in before.iter().enumerate() {
        assert_ne!(again_app.read(number).await, *old, "{number}");
    }
    all_are_hits(&again_app, "the old list is trusted again").await;
}

/// A write through either of two applications.
trait Writes {
    fn write(&self, number: usize) -> std::pin::Pin<Box<dyn Future<Output = ()> + '_>>;
}

impl<T: TestApp> Writes for T {
    fn write(&self, number: usize) -> std::pin::Pin<Box<dyn Future<Output = ()> + '_>> {
        Box::pin(async move {
            assert_eq!(post(self, &format!("/{number}")).await.status, 204);
        })
    }
}

#[actix_web::test]
async fn c61_an_added_server_makes_no_instance_stale() {
    let servers = start_servers(3);
    let all: Vec<_> = servers.iter().collect();
    differing_lists(&all[..2], &all).await;
}

#[actix_web::test]
async fn c61_a_removed_server_makes_no_instance_stale() {
    let servers = start_servers(3);
    let all: Vec<_> = servers.iter().collect();
    differing_lists(&all, &all[..2]).await;
}

#[actix_web::test]
async fn c61_a_replaced_server_makes_no_instance_stale() {
    let servers = start_servers(3);
    let all: Vec<_> = servers.iter().collect();
    differing_lists(&all[..2], &all[1..]).await;
}

#[actix_web::test]
async fn c61_a_second_server_makes_no_instance_stale() {
    let servers = start_servers(2);
    let all: Vec<_> = servers.iter().collect();
    differing_lists(&all[..1], &all).await;
}

#[actix_web::test]
async fn c61_a_list_that_was_used_while_no_instance_of_the_present_one_ran_is_noticed() {
    let servers = start_servers(3);
    let namespace = namespace();
    let runs = Runs::default();
    let mut before = Vec::new();
    // The entries of the first list, which the third one finds again.
    for (turn, count) in [3, 2, 3].into_iter().enumerate() {
        let harness = Harness::with_settings(on(&servers[..count], &namespace)).await;
        let app = harness.app(both("/{id}", ITEM, &runs)).await;
        for number in 0..KEYS {
            let answer = app.read(number).await;
            assert!(turn != 2 || answer != before[number], "{number}");
            before.push(answer);
        }
        all_are_hits(&app, "everything is cached").await;
        for number in 0..KEYS {
            if turn == 1 {
                app.write(number).await;
            }
        }
        harness
            .cache
            .leave(Instant::now() + Duration::from_secs(5))
            .await;
    }
}

#[actix_web::test]
async fn c61_an_instance_of_another_list_that_was_killed_is_waited_for_no_longer_than_its_grace() {
    let servers = start_servers(3);
    let namespace = namespace();
    let old = Harness::with_settings(on(&servers, &namespace)).await;
    // It ends without leaving.
    drop(old);
    let new = Harness::with_settings(on(&servers[..2], &namespace)).await;
    let app = item_app(&new).await;
    all_are_hits(&app, "the new list is trusted").await;
}
