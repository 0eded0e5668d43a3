//! Widgets: made by users, visible to everybody.
//!
//! Come here for the routes of widgets. Caching is in `cache`, rules are in `service`.

mod cache;
mod crud;
mod models;
mod routes;
mod schemas;
mod service;

use crate::infrastructure::resource::{Resources, resource};

pub use cache::CHANGES;
pub use crud::delete_all_of;

/// Declares `/widgets` and `/users/{username}/widgets`.
pub fn configure(api: &mut Resources) {
    api.add(
        resource("/widgets")
            .get(routes::search)
            .cached(cache::SEARCH)
            .post(routes::create)
            .signed_in()
            .changes(&[cache::EXISTENCE_CHANGES]),
    )
    .add(
        resource("/widgets/count")
            .get(routes::count)
            .cached(cache::COUNT),
    )
    .add(
        resource("/widgets/{widget_id}")
            .get(routes::read)
            .cached(cache::WIDGET)
            .patch(routes::update)
            .signed_in()
            .changes(&[cache::CONTENT_CHANGES])
            .refuses(&[403])
            .delete(routes::delete)
            .signed_in()
            .changes(&[cache::EXISTENCE_CHANGES])
            .refuses(&[403]),
    )
    .add(
        resource("/users/{username}/widgets")
            .get(routes::list_of_user)
            .cached(cache::LIST_OF_USER),
    );
}
