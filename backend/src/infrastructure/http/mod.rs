//! The form of HTTP requests and answers: answers, errors, request ids, extractors and pages.
//!
//! Come here to change a rule of the API as a whole. Nothing here knows a feature.

mod answer;
mod client_connection;
mod client_silence;
mod conventions;
mod cors;
mod embedded;
mod embedded_page;
mod error;
mod extract;
mod if_match;
mod library_answers;
mod page;
mod path;
mod problem;
mod request_id;
mod request_timeout;
mod route;
mod security_headers;

pub use answer::{
    ApiCreated, ApiJson, ApiNoContent, ApiPage, Created, NoContent, created, no_content, ok,
};
pub use client_connection::ClientConnection;
pub use client_silence::{Activity, AnswerBody};
pub use conventions::{Conventions, apply_conventions, close_connections};
pub use cors::{AllowedOrigins, CrossOrigin};
pub use embedded::Embedded;
pub use embedded_page::EmbeddedPage;
pub use error::{ApiError, ApiResult, FieldError};
pub use extract::{Json, Query, nullable, present, without_nul};
pub use if_match::IfMatch;
pub use page::{ItemsPerPage, Page, PageNumber, PageQuery};
pub use path::{PathId, PathText};
pub use problem::problem_schema;
pub use request_id::request_id;
pub use request_timeout::RequestTimeout;
pub use route::get;
pub use security_headers::{Hsts, SecurityHeaders};
