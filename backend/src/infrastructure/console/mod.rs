//! The console of the cache, for superusers: the page `/cache`, and its data under `/api/v1/cache`.
//!
//! Come here for the routes of the console. What is seen of the cache is decided in the cache (`provider::inspection`, `history`
//! and `purge`), and the form of the answers in `schemas` and `entries`.

mod entries;
mod page;
mod route_figures;
mod routes;
mod schemas;

use crate::resource::{Resources, resource};

/// Declares `/cache/…` of the API.
pub fn configure_api(api: &mut Resources) {
    api.add(resource("/cache/stats").get(routes::stats).superuser())
        .add(resource("/cache/map").get(routes::map).superuser())
        .add(resource("/cache/entries").get(routes::entries).superuser())
        .add(
            resource("/cache/entries/{key}")
                .get(routes::entry)
                .superuser()
                .delete(routes::delete)
                .superuser(),
        )
        .add(resource("/cache/events").get(routes::events).superuser())
        .add(resource("/cache/purge").post(routes::purge).superuser());
}

/// Declares `/cache`.
pub fn configure_page(management: &mut Resources) {
    management.add(resource("/cache").get(page::page));
}
