//! Writes beside a feed of changes: what they declare, and what the feed delivers (C54, C56).
//!
//! Come here for the middleware's side of the feed. The feed of the database is tested with real processes, in `resilience`.

use std::sync::Arc;
use std::time::Instant;

use actix_web::web;
use async_trait::async_trait;
use backend::infrastructure::cache::{
    CachePolicy, Change, ChangeFeed, Changes, Delivered, Deliveries, FeedUnavailable, Invalidation,
};

use crate::harness::{Harness, delete, no_content};

const ITEM: CachePolicy = CachePolicy::new("item").resource_id_name("id").shared();
const ITEM_CHANGES: &[Changes] = &[Changes::of("items")
    .with(&["id"])
    .ends(&[Invalidation::of(ITEM)])];
const RECORDED: Invalidation = Invalidation::recorded(ITEM_CHANGES);
const DECLARED: Invalidation = ITEM.to_invalidate_extra(&[("count", "global")]);

/// Delivers a change with these arguments after each write.
struct Feed(Deliveries, Vec<(String, String)>);

#[async_trait]
impl ChangeFeed for Feed {
    async fn after_write(&self, _began: Instant) -> Result<Delivered, FeedUnavailable> {
        let change = Change {
            kind: "items".to_owned(),
            arguments: Some(self.1.clone()),
        };
        let delivered = self.0.deliver(&[change]).await;
        delivered.map_err(|_| FeedUnavailable)
    }

    async fn has_delivered(&self) -> Result<bool, FeedUnavailable> {
        Ok(true)
    }
}

async fn status_of_a_write(harness: &Harness, invalidation: &Invalidation) -> String {
    let app = harness
        .app(|config| {
            config.route("/{id}", web::delete().to(no_content).wrap(*invalidation));
        })
        .await;
    delete(&app, "/7").await.header("cache-status").to_owned()
}

fn attach_feed(harness: &Harness) {
    attach_feed_of(harness, ITEM_CHANGES, &[("id", "8")]);
}

fn attach_feed_of(harness: &Harness, declared: &[Changes], arguments: &[(&str, &str)]) {
    let arguments = arguments
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    let feed = Feed(harness.cache.deliveries(declared), arguments);
    let feed: Arc<dyn ChangeFeed> = Arc::new(feed);
    harness.cache.attach_feed(&feed);
}

/// An id that is not the name of an argument is a literal. The name of an argument never is one.
#[actix_web::test]
async fn c54_the_argument_that_a_change_lacks_is_no_literal() {
    const TOTAL: Invalidation = Invalidation::new().to_invalidate_extra(&[("total", "room")]);
    const BESIDE: Invalidation = Invalidation::of(ITEM).also(&[TOTAL]);
    for ends in [&[TOTAL] as &'static [Invalidation], &[BESIDE]] {
        let declared = Changes::of("items").with(&["id", "room"]).ends(ends);
        for harness in Harness::on_every_backend().await {
            attach_feed_of(&harness, &[declared], &[("id", "8")]);
            let status = status_of_a_write(&harness, &RECORDED).await;
            assert!(status.ends_with("; everything"), "{ends:?}: {status}");
        }
    }
}

#[actix_web::test]
async fn c54_a_write_that_binds_nothing_names_what_the_feed_delivered() {
    for harness in Harness::on_every_backend().await {
        attach_feed(&harness);
        let status = status_of_a_write(&harness, &RECORDED).await;
        let expected = "backend; fwd=method; invalidated=1; keys=\"item:8\"";
        assert_eq!(status, expected, "{:?}", harness.kind);
    }
}

#[actix_web::test]
async fn c56_the_declared_invalidations_of_a_write_are_done_beside_the_feed() {
    for harness in Harness::on_every_backend().await {
        attach_feed(&harness);
        let status = status_of_a_write(&harness, &DECLARED).await;
        let expected = "backend; fwd=method; invalidated=3; keys=\"count:global item:7 item:8\"";
        assert_eq!(status, expected, "{:?}", harness.kind);
    }
}

#[actix_web::test]
async fn c54_a_write_whose_changes_no_feed_delivers_ends_everything() {
    for harness in Harness::on_every_backend().await {
        let status = status_of_a_write(&harness, &RECORDED).await;
        assert!(status.ends_with("; everything"), "{status}");
    }
}
