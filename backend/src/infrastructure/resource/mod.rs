//! One declaration of a resource: path, methods, handlers, authentication and cache policies in one
//! place.
//!
//! Come here to see the effects of a declaration, or to add a word to it. A module declares its
//! resources in its `mod.rs`; no handler, no SQL and no policy is written here.
//!
//! ```
//! use actix_web::HttpResponse;
//! use infrastructure::cache::{CachePolicy, Invalidation};
//! use infrastructure::resource::{Resources, resource};
//!
//! const WIDGET: CachePolicy = CachePolicy::new("widget").resource_id_name("widget_id").expiration(600).shared();
//! const COUNT: CachePolicy = CachePolicy::new("widget_count").resource_id("global").shared();
//! const DELETE: Invalidation = WIDGET.to_invalidate_extra(&[("widget_count", "global")]);
//!
//! async fn read() -> HttpResponse { HttpResponse::Ok().finish() }
//! async fn count() -> HttpResponse { HttpResponse::Ok().finish() }
//! async fn update() -> HttpResponse { HttpResponse::Ok().finish() }
//! async fn delete() -> HttpResponse { HttpResponse::NoContent().finish() }
//!
//! let mut api = Resources::under("/api/v1");
//! api.add(resource("/widgets/count").get(count).cached(COUNT));
//! api.add(
//!     resource("/widgets/{widget_id}")
//!         .get(read).cached(WIDGET)
//!         .patch(update).signed_in().ends(WIDGET)
//!         .delete(delete).signed_in().ends(DELETE),
//! );
//! assert_eq!(api.mistakes(None), Vec::<String>::new());
//! ```
//!
//! From a declaration come: the routes; HEAD beside GET; 405 with `Allow` for every other method; the
//! order of wrapping (authentication outermost, so that a hit never skips it, then the policy, then the
//! handler); the rows of the map (C47); and the description of the API (`infrastructure::openapi`), with parameters and
//! answers by [`HandlerInput`] and [`HandlerOutput`].
//!
//! A declaration that cannot be correct does not compile. A policy with invalidations is refused on a
//! GET (C19):
//!
//! ```compile_fail,E0308
//! # use actix_web::HttpResponse;
//! # use infrastructure::cache::{CachePolicy, Invalidation};
//! # use infrastructure::resource::resource;
//! # async fn read() -> HttpResponse { HttpResponse::Ok().finish() }
//! const WRITE: Invalidation = CachePolicy::new("widget").to_invalidate_groups(&["widget_search"]);
//! resource("/widgets/{widget_id}").get(read).cached(WRITE);
//! ```
//!
//! A route that writes is not read through the cache:
//!
//! ```compile_fail,E0599
//! # use actix_web::HttpResponse;
//! # use infrastructure::cache::CachePolicy;
//! # use infrastructure::resource::resource;
//! # async fn update() -> HttpResponse { HttpResponse::Ok().finish() }
//! resource("/widgets/{widget_id}").patch(update).cached(CachePolicy::new("widget"));
//! ```

mod declaration;
mod handler_input;
mod handler_output;
mod list;
mod operation;

pub use declaration::{NoRoute, OnRoute, Reading, Resource, Writing, resource};
pub use handler_input::{
    HandlerInput, HeaderInput, InputDescription, PathInput, PathPlace, SchemaOf,
};
pub use handler_output::{AnswerDescription, ContentDescription, HandlerOutput, OutputDescription};
pub use list::Resources;
pub use operation::Operation;
