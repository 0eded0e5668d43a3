//! The cache without the rest of the service.
//!
//! Come here when the cache needs another dependency: it is listed in the manifest beside this file. Nothing else
//! belongs here.

pub mod infrastructure;
