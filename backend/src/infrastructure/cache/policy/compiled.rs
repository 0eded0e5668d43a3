//! What a policy means for one request: the key to read under, or all that a write invalidates.

use std::cell::Cell;

use actix_web::HttpRequest;

use super::policy::{CachePolicy, ResourceId};
use crate::infrastructure::cache::cache_status::Bypass;
use crate::infrastructure::cache::keys::{CALLER, QUERY_HASH, QueryFields, Template};

/// A policy with its templates parsed.
#[derive(Debug)]
pub(in crate::infrastructure::cache) struct CompiledPolicy {
    pub(in crate::infrastructure::cache) policy: CachePolicy,
    pub(super) prefix: Template,
    pub(super) group: Option<Template>,
    pub(super) extra: Vec<(Template, &'static str)>,
    pub(super) groups: Vec<Template>,
    pub(super) patterns: Vec<Template>,
    pub(super) uses_query_hash: bool,
    pub(super) places_caller: bool,
    /// Whether the last look-up found nothing. Each worker has compiled policies of its own.
    pub(in crate::infrastructure::cache) found_nothing: Cell<bool>,
}

/// Why a read is not cached, and what the log should say of it.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::infrastructure::cache) struct NotCached {
    pub(in crate::infrastructure::cache) bypass: Bypass,
    pub(in crate::infrastructure::cache) warning: Option<String>,
}

impl CompiledPolicy {
    pub(in crate::infrastructure::cache) fn new(policy: CachePolicy) -> Self {
        let prefix = Template::parse(policy.key_prefix);
        let group = policy.group.map(Template::parse);
        let places = |name: &str| {
            prefix.places(name)
                || matches!(policy.resource_id, ResourceId::Argument(argument) if argument == name)
        };
        Self {
            uses_query_hash: places(QUERY_HASH)
                || group.as_ref().is_some_and(|group| group.places(QUERY_HASH)),
            places_caller: places(CALLER),
            prefix,
            group,
            extra: policy
                .extra
                .iter()
                .map(|(prefix, id)| (Template::parse(prefix), *id))
                .collect(),
            groups: policy
                .groups
                .iter()
                .map(|group| Template::parse(group))
                .collect(),
            patterns: policy
                .patterns
                .iter()
                .map(|pattern| Template::parse(pattern))
                .collect(),
            policy,
            found_nothing: Cell::new(false),
        }
    }

    /// Whether the policy names further things to invalidate, which no reading route may (C19).
    pub(in crate::infrastructure::cache) fn invalidates_more(&self) -> bool {
        !(self.extra.is_empty() && self.groups.is_empty() && self.patterns.is_empty())
    }

    /// C14: the fields of the declared query.
    pub(super) fn read_query(&self, request: &HttpRequest) -> Result<QueryFields, NotCached> {
        let raw = request.query_string();
        match self.policy.query {
            Some(read) => read(raw).ok_or(NotCached {
                bypass: Bypass::InvalidQuery,
                warning: None,
            }),
            None if raw.is_empty() => Ok(QueryFields::new()),
            None => Err(NotCached {
                bypass: Bypass::UndeclaredQuery,
                warning: Some(
                    "requests with a query are not cached: declare its type with query::<Q>()"
                        .to_owned(),
                ),
            }),
        }
    }

    pub(super) fn places(&self, name: &str) -> bool {
        self.prefix.places(name)
            || matches!(self.policy.resource_id, ResourceId::Argument(argument) if argument == name)
    }
}
