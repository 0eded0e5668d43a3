//! Signing in and out, and the sessions of a user.
//!
//! Come here for the routes of `/auth`. Tokens and passwords are in `infrastructure::auth`.

mod crud;
mod routes;
mod schemas;
mod service;

use crate::infrastructure::cache::Changes;
use crate::infrastructure::resource::{Resources, resource};

/// Nothing is recorded: no answer about signing in is cached.
pub const CHANGES: &[Changes] = &[];

/// Declares `/auth`.
pub fn configure(api: &mut Resources) {
    configure_signing(api);
    api.add(
        resource("/auth/logout-all")
            .post(routes::logout_all)
            .signed_in(),
    )
    .add(
        resource("/auth/sessions")
            .get(routes::list_sessions)
            .signed_in(),
    )
    .add(
        resource("/auth/sessions/{id}")
            .delete(routes::end_session)
            .signed_in(),
    );
}

/// Declares signing in and out: the part that pages for operators need.
pub fn configure_signing(api: &mut Resources) {
    api.add(
        resource("/auth/login")
            .post(routes::login)
            .refuses(&[401, 429]),
    )
    .add(resource("/auth/logout").post(routes::logout).signed_in());
}
