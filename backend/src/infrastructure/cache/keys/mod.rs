//! Keys: escaping, templates, arguments and declared queries (C1–C7).
//!
//! Come here to see how one key is built. Nothing here knows policies or backends.

mod arguments;
mod escape;
mod key;
mod memberships;
mod query;
mod resource_id_type;
mod template;

pub use arguments::{CacheArguments, bind_argument, bind_caller};
pub use escape::escape;

pub(crate) use arguments::{Arguments, CALLER, QUERY_HASH, bound_caller, is_id};
pub(crate) use escape::{is_plain, push_escaped};
pub(crate) use key::{GROUP, Key, RESOURCE, counter_key, group_key, resource_key};
pub(crate) use memberships::Memberships;
pub(crate) use query::{QueryError, QueryFields, QueryType};
pub use resource_id_type::ResourceIdType;
pub(crate) use resource_id_type::usual_form;
pub(crate) use template::{MissingArgument, Template, TemplatePart, check_template};
