//! The compiled policy: the key of a read, or the keys that a write invalidates.
//!
//! Come here to see which parts of a policy are computed once. Keys are built in `read_key` and
//! `write_keys`; no backend is asked here.

use std::panic::Location;
use std::sync::atomic::AtomicBool;

use actix_web::HttpRequest;

use super::invalidation::{Changes, Invalidation};
use super::policy::{Audience, CachePolicy, ResourceId};
use super::variants::Variants;
use crate::cache_status::Bypass;
use crate::keys::{CALLER, QUERY_HASH, QueryError, QueryFields, Template, is_id};
use crate::measurements::LookUps;

/// A policy with its templates parsed.
#[derive(Debug)]
pub(crate) struct CompiledPolicy {
    pub(crate) policy: CachePolicy,
    /// The place of the policy's declaration.
    pub(crate) declared_at: &'static Location<'static>,
    /// Whether the policy has a resource. The invalidation of a `POST` to a collection has none.
    pub(super) has_resource: bool,
    pub(super) prefix: Template,
    pub(super) group: Option<Template>,
    pub(super) extra: Vec<(Template, &'static str)>,
    pub(super) groups: Vec<Template>,
    pub(super) patterns: Vec<Template>,
    /// Names that are never literals: the arguments that the handler of a write has to bind for any part of its invalidation, or that
    /// a change has.
    pub(super) arguments: Vec<&'static str>,
    /// The other invalidations of a write.
    pub(super) also: Vec<Self>,
    /// The changes of the write that a feed delivers.
    recorded: Vec<&'static Changes>,
    pub(super) variants: Variants,
    /// Arguments of the key and the group that are ids by their names.
    pub(super) ids: Vec<&'static str>,
    pub(super) needs_query_hash: bool,
    pub(super) places_caller: bool,
    /// The look-ups of the route. Each worker has an own count.
    pub(crate) look_ups: LookUps,
    /// Whether the newest look-up found no value. Each worker thread has compiled policies of its own.
    pub(crate) found_nothing: AtomicBool,
}

/// The reason that a read is not cached, and the log's message about it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NotCached {
    pub(crate) bypass: Bypass,
    pub(crate) problem: Option<Problem>,
}

/// The log's message about a read that is not cached.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Problem {
    /// Some requests are not cached.
    Warning(String),
    /// No request of the route is ever cached.
    Error(String),
}

impl CompiledPolicy {
    pub(crate) fn new(invalidation: &Invalidation) -> Self {
        Self::of_change(invalidation, &[])
    }

    /// The invalidation by a change with these arguments.
    pub(crate) fn of_change(invalidation: &Invalidation, arguments: &[&'static str]) -> Self {
        let mut arguments = arguments.to_vec();
        for part in invalidation.parts() {
            arguments.extend(part.binds);
            arguments.extend(part.own.map_or(&[][..], |own| own.binds));
        }
        Self::compile(invalidation, &arguments)
    }

    fn compile(invalidation: &Invalidation, arguments: &[&'static str]) -> Self {
        let policy = invalidation.own.unwrap_or(CachePolicy::new(""));
        let prefix = Template::parse(policy.key_prefix);
        let group = policy.group.map(Template::parse);
        let id = match policy.resource_id {
            ResourceId::Argument(name) => Some(name),
            ResourceId::Literal(_) | ResourceId::Inferred => None,
        };
        let in_group = group.iter().flat_map(Template::placeholders);
        let used: Vec<&'static str> = prefix.placeholders().chain(id).chain(in_group).collect();
        Self {
            variants: Variants::of(&policy, &prefix, group.as_ref()),
            needs_query_hash: used.contains(&QUERY_HASH),
            ids: used.into_iter().filter(|name| is_id(name)).collect(),
            places_caller: prefix.places(CALLER) || id == Some(CALLER),
            prefix,
            group,
            declared_at: invalidation.declared_at,
            has_resource: invalidation.own.is_some(),
            extra: invalidation
                .extra
                .iter()
                .map(|(prefix, id)| (Template::parse(prefix), *id))
                .collect(),
            groups: invalidation
                .groups
                .iter()
                .map(|group| Template::parse(group))
                .collect(),
            patterns: invalidation
                .patterns
                .iter()
                .map(|pattern| Template::parse(pattern))
                .collect(),
            arguments: arguments.to_vec(),
            also: invalidation
                .also
                .iter()
                .map(|other| Self::compile(other, arguments))
                .collect(),
            recorded: invalidation.all_recorded(),
            policy,
            look_ups: LookUps::default(),
            found_nothing: AtomicBool::new(false),
        }
    }

    /// The name of the policy in the log: the prefix of its keys. The invalidation of a write in a collection has none.
    pub(crate) fn name(&self) -> Option<&'static str> {
        self.has_resource.then_some(self.policy.key_prefix)
    }

    /// Whether a feed delivers what the write changes, or a part of it.
    pub(crate) const fn is_recorded(&self) -> bool {
        !self.recorded.is_empty()
    }

    /// Whether every caller has an entry of its own, by `per_caller()` or by `{caller}` in the key.
    pub(crate) fn is_per_caller(&self) -> bool {
        self.places_caller || self.policy.audience == Audience::PerCaller
    }

    /// Whether this invalidates more than its own resource. Only a policy that does not may be on a
    /// route that reads (C19).
    pub(crate) fn invalidates_more(&self) -> bool {
        let lists_nothing = self.extra.is_empty()
            && self.groups.is_empty()
            && self.patterns.is_empty()
            && self.also.is_empty()
            && self.recorded.is_empty();
        !(self.has_resource && lists_nothing)
    }

    /// The fields of the declared query (C14).
    pub(super) fn read_query(&self, request: &HttpRequest) -> Result<QueryFields, NotCached> {
        let raw = request.query_string();
        let Some(query) = self.policy.query else {
            if raw.is_empty() {
                return Ok(QueryFields::new());
            }
            return Err(NotCached::warned(
                Bypass::UndeclaredQuery,
                "requests with a query are not cached: declare its type with query::<Q>()",
            ));
        };
        (query.read)(raw).map_err(|error| match error {
            QueryError::Invalid => NotCached::silently(Bypass::InvalidQuery),
            QueryError::NotWritable(reason) => NotCached {
                bypass: Bypass::QueryType,
                problem: Some(Problem::Error(format!(
                    "the query type {} cannot be written into a key ({reason}): its fields must be numbers, texts and \
                     the like, written under the names that they are read by",
                    (query.type_name)()
                ))),
            },
        })
    }

    pub(super) fn places(&self, name: &str) -> bool {
        self.prefix.places(name)
            || matches!(self.policy.resource_id, ResourceId::Argument(argument) if argument == name)
    }
}

impl NotCached {
    /// A bypass without a message, because it is no mistake of the module.
    pub(super) fn silently(bypass: Bypass) -> Self {
        Self {
            bypass,
            problem: None,
        }
    }

    pub(super) fn warned(bypass: Bypass, warning: impl Into<String>) -> Self {
        Self {
            bypass,
            problem: Some(Problem::Warning(warning.into())),
        }
    }
}
