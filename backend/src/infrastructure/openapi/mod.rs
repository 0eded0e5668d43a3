//! The description of the API (`OpenAPI` 3.1), made from the declarations of resources and the types of their handlers.
//!
//! Come here when the document lacks a fact that a declaration or a type knows. Nothing is listed here: a route, a bound or a
//! status that is missing is added where it is declared. The document is served by `interfaces::documentation`.
//!
//! The schemas come from `schemars` and not from `utoipa`, because its derive reads the bounds that `garde` checks and the
//! attributes of `serde`: no bound is written twice, so none can drift.

mod document;
mod example;
mod operation;
mod parameters;
mod problems;
mod schemas;

pub use document::{About, document};
