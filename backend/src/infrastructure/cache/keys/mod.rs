//! Keys: escaping, templates, arguments and declared queries (C1–C7).
//!
//! Come here to see how one key is built. Nothing here knows policies or backends.

mod arguments;
mod escape;
mod key;
mod query;
mod template;

pub use arguments::{CacheArguments, ResourceIdType, bind_argument};

pub(in crate::infrastructure::cache) use arguments::{Arguments, CALLER, QUERY_HASH, bound_caller};
pub(in crate::infrastructure::cache) use escape::{fit, push_escaped};
pub(in crate::infrastructure::cache) use key::{GROUP, Key, group_key};
pub(in crate::infrastructure::cache) use query::{QueryFields, QueryReader, read_query};
pub(in crate::infrastructure::cache) use template::{MissingArgument, Template, check_template};
