//! The shape of every HTTP answer: errors, request ids, extractors and pages.

mod error;
mod extract;
mod page;
mod problem;
mod request_id;
mod route;

pub use error::{ApiError, FieldError};
pub use extract::{Json, PathId, Query, nullable, present, without_nul};
pub use page::{Page, PageQuery};
pub use problem::render_problems;
pub use request_id::{RequestId, assign_request_id};
pub use route::{allow, get};
