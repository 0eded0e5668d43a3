//! The near cache of an instance whose write another instance has delivered (C54).
//!
//! Come here for the order of a delivery, the server's message about it, and the answer of the write. What a near cache does without a
//! feed is in `near`.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use actix_web::web;
use async_trait::async_trait;
use backend::infrastructure::cache::{
    Change, ChangeFeed, Changes, Delivered, Deliveries, FeedUnavailable, Invalidation,
};
use backend::infrastructure::settings::CacheSettings;

use super::near::{ITEM, behind_proxy, counter, read};
use crate::harness::{Harness, get, near_settings, no_content, post};
use crate::support::eventually;
use crate::support::proxy::{Mode, Proxy};

const ITEM_CHANGES: &[Changes] = &[Changes::of("items")
    .with(&["id"])
    .ends(&[Invalidation::of(ITEM)])];

/// Another instance, which delivers a change of item 1 after each write. The server's messages are then as the proxy has
/// been set.
struct DeliveredByAnother {
    deliveries: Deliveries,
    proxy: Arc<Proxy>,
    mode: Mode,
}

#[async_trait]
impl ChangeFeed for DeliveredByAnother {
    async fn after_write(&self, _began: Instant) -> Result<Delivered, FeedUnavailable> {
        self.proxy.set(self.mode);
        let change = Change {
            kind: "items".to_owned(),
            arguments: Some(vec![("id".to_owned(), "1".to_owned())]),
        };
        self.deliveries
            .deliver(&[change])
            .await
            .map_err(|_| FeedUnavailable)?;
        // What another instance has delivered is not known here.
        Ok(Delivered::default())
    }

    async fn has_delivered(&self) -> Result<bool, FeedUnavailable> {
        Ok(true)
    }
}

/// Reads the value after a write that another instance has delivered: the value, and whether a copy of another key is kept.
async fn after_a_delivery_by_another(mode: Mode) -> (usize, bool) {
    let (harness, proxy) = behind_proxy().await;
    let (proxy, value) = (Arc::new(proxy), Arc::new(AtomicUsize::new(0)));
    let other = Harness::with_settings(CacheSettings {
        cache_redis_port: near_settings().cache_redis_port,
        ..harness.settings.clone()
    })
    .await;
    let feed: Arc<dyn ChangeFeed> = Arc::new(DeliveredByAnother {
        deliveries: other.cache.deliveries(ITEM_CHANGES),
        proxy: Arc::clone(&proxy),
        mode,
    });
    let app = counter(&harness, &value, ITEM).await;
    let writer = Arc::clone(&value);
    let write = move || {
        writer.fetch_add(1, Ordering::SeqCst);
        no_content()
    };
    let recorded = Invalidation::recorded(ITEM_CHANGES);
    let changed = harness
        .app(move |config| {
            config.route("/{id}", web::post().to(write).wrap(recorded));
        })
        .await;
    for path in ["/1", "/2"] {
        eventually("a hit comes from this process", async || {
            proxy.set(Mode::Pass);
            get(&app, path).await;
            proxy.set(Mode::Stall);
            let hit = get(&app, path).await.is_hit();
            proxy.set(Mode::Pass);
            hit
        })
        .await;
    }
    harness.cache.attach_feed(&feed);
    assert_eq!(post(&changed, "/1").await.status, 204);
    let read = read(&app).await;
    proxy.set(Mode::Stall);
    (read, get(&app, "/2").await.is_hit())
}

#[actix_web::test]
async fn c54_a_write_that_another_instance_delivered_is_answered_after_the_servers_message() {
    assert_eq!(after_a_delivery_by_another(Mode::Pass).await, (1, true));
}

#[actix_web::test]
async fn c54_a_write_that_another_instance_delivered_ends_all_copies_where_no_message_comes() {
    let held = after_a_delivery_by_another(Mode::HoldAnswers).await;
    assert_eq!(held, (1, false));
}
