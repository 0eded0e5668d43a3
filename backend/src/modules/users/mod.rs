//! Users: their accounts and public profiles.
//!
//! Come here for the routes of users. Caching is in `cache`, rules are in `service`.

mod cache;
mod change_record;
mod crud;
mod models;
mod routes;
mod schemas;
mod service;

use crate::infrastructure::resource::{Resources, resource};

pub use cache::CHANGES;
pub use crud::{erase_deleted, find_account_to_sign_in, renew_password_hash};
pub use schemas::UserCreate;
pub use service::create_superuser;

/// Declares `/users`.
pub fn configure(api: &mut Resources) {
    api.add(
        resource("/users")
            .get(routes::list)
            .superuser()
            .post(routes::create)
            .changes(CHANGES)
            .refuses(&[401, 403, 409]),
    )
    .add(
        resource("/users/me")
            .get(routes::read_me)
            .signed_in()
            .cached(cache::ME),
    )
    .add(
        resource("/users/{username}")
            .get(routes::read)
            .cached(cache::PROFILE)
            .patch(routes::update)
            .signed_in()
            .changes(CHANGES)
            .refuses(&[403, 409, 429])
            .delete(routes::delete)
            .signed_in()
            .ends(cache::DELETION)
            .refuses(&[403, 409]),
    );
}
