//! What a policy means for one request: the key to read under, or all that a write invalidates.

use std::borrow::Cow;
use std::cell::Cell;

use actix_web::HttpRequest;
use actix_web::http::header;

use super::arguments::{Arguments, CALLER, QUERY_HASH};
use super::key::{GROUP, Key, push_escaped};
use super::policy::{Audience, CachePolicy, ResourceId};
use super::query::QueryFields;
use super::status::Bypass;
use super::template::{MissingArgument, Template};

/// More keys than this are not deleted one by one: the whole namespace is distrusted instead.
const MAX_INVALIDATED_KEYS: usize = 100_000;

/// A policy with its templates parsed.
#[derive(Debug)]
pub(super) struct CompiledPolicy {
    pub(super) policy: CachePolicy,
    prefix: Template,
    group: Option<Template>,
    extra: Vec<(Template, &'static str)>,
    groups: Vec<Template>,
    patterns: Vec<Template>,
    uses_query_hash: bool,
    places_caller: bool,
    /// Whether the last look-up found nothing. Each worker has compiled policies of its own.
    pub(super) found_nothing: Cell<bool>,
}

/// Where a read looks.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ReadPlan {
    pub(super) key: Key,
    /// The key of the group's record.
    pub(super) group: Option<Key>,
}

impl ReadPlan {
    /// Shortens what the server gets to see to what it takes (C5).
    pub(super) fn fit(&mut self, max_bytes: usize) {
        self.key.fit(max_bytes);
        if let Some(group) = &mut self.group {
            group.fit(max_bytes);
        }
    }
}

/// Why a read is not cached, and what the log should say of it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NotCached {
    pub(super) bypass: Bypass,
    pub(super) warning: Option<String>,
}

/// All that a write invalidates.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct WritePlan {
    pub(super) keys: Vec<String>,
    pub(super) groups: Vec<String>,
    pub(super) patterns: Vec<String>,
    /// What could not be built, one sentence each.
    pub(super) problems: Vec<String>,
    /// There are more keys than can be deleted one by one.
    pub(super) everything: bool,
}

impl CompiledPolicy {
    pub(super) fn new(policy: CachePolicy) -> Self {
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
    pub(super) fn invalidates_more(&self) -> bool {
        !(self.extra.is_empty() && self.groups.is_empty() && self.patterns.is_empty())
    }

    /// The key of a read behind the namespace, or why it is not cached.
    pub(super) fn read(
        &self,
        request: &HttpRequest,
        namespace: &str,
    ) -> Result<ReadPlan, NotCached> {
        self.check_credentials(request)?;
        let query = self.read_query(request)?;
        let mut arguments = Arguments::collect(request, &query, self.policy.resource_id_type);
        if self.uses_query_hash {
            arguments = arguments.with_query_hash();
        }
        if (self.places_caller || self.policy.audience == Audience::PerCaller)
            && arguments.value(CALLER).is_none()
        {
            return Err(NotCached {
                bypass: Bypass::NoCaller,
                warning: None,
            });
        }
        if arguments.has_unusual_id() {
            return Err(NotCached {
                bypass: Bypass::NoId,
                warning: None,
            });
        }
        let mut key = String::with_capacity(64);
        key.push_str(namespace);
        self.prefix
            .push(&mut key, |name| arguments.value(name))
            .map_err(not_cached)?;
        key.push(':');
        push_escaped(&mut key, &self.resource_id(&arguments)?);
        if self.policy.audience == Audience::PerCaller && !self.places_caller {
            push_field(
                &mut key,
                CALLER,
                &arguments.value(CALLER).unwrap_or_default(),
            );
        }
        if !self.uses_query_hash {
            for (name, value) in &query {
                if !self.places(name) {
                    push_field(&mut key, name, value);
                }
            }
        }
        let group = match &self.group {
            Some(template) => {
                let mut group = String::with_capacity(64);
                group.push_str(namespace);
                group.push_str(GROUP);
                template
                    .push(&mut group, |name| arguments.value(name))
                    .map_err(not_cached)?;
                Some(Key::new(group, namespace.len()))
            }
            None => None,
        };
        let key = Key::new(key, namespace.len());
        Ok(ReadPlan { key, group })
    }

    /// All that a successful write invalidates (C15–C17). What cannot be built is a problem, and the
    /// rest is invalidated all the same (C6).
    pub(super) fn write(&self, request: &HttpRequest) -> WritePlan {
        let query = self.read_query(request).unwrap_or_default();
        let mut arguments = Arguments::collect(request, &query, self.policy.resource_id_type);
        if self.uses_query_hash {
            arguments = arguments.with_query_hash();
        }
        let mut plan = WritePlan::default();
        self.plan_own_key(&arguments, &mut plan);
        for (prefix, id) in &self.extra {
            let mut ids = arguments.values(id);
            if ids.is_empty() {
                ids.push(Cow::Borrowed(id));
            }
            plan.add_keys(&expand(prefix, &arguments), &ids);
        }
        for group in &self.groups {
            match expand(group, &arguments) {
                Ok(groups) => plan.groups.extend(groups),
                Err(missing) => plan.problem(missing),
            }
        }
        for pattern in &self.patterns {
            match expand(pattern, &arguments) {
                Ok(patterns) => plan.patterns.extend(patterns),
                Err(missing) => plan.problem(missing),
            }
        }
        if plan.keys.len() + plan.groups.len() + plan.patterns.len() > MAX_INVALIDATED_KEYS {
            plan.everything = true;
        }
        plan
    }

    /// The key of the resource itself. A collection's `POST` has none, which is no problem.
    fn plan_own_key(&self, arguments: &Arguments<'_>, plan: &mut WritePlan) {
        let ids = match self.policy.resource_id {
            ResourceId::Literal(literal) => vec![Cow::Borrowed(literal)],
            ResourceId::Argument(argument) => arguments.values(argument),
            ResourceId::Inferred => {
                let mut ids: Vec<_> = arguments
                    .infer_resource_id(self.policy.resource_id_type)
                    .into_iter()
                    .collect();
                ids.extend(arguments.usual_forms());
                ids
            }
        };
        if ids.is_empty() {
            plan.problems
                .push("no resource id: the resource's own key was not invalidated".to_owned());
        } else {
            plan.add_keys(&expand(&self.prefix, arguments), &ids);
        }
    }

    fn resource_id<'a>(&self, arguments: &'a Arguments<'_>) -> Result<Cow<'a, str>, NotCached> {
        match self.policy.resource_id {
            ResourceId::Literal(literal) => Ok(Cow::Borrowed(literal)),
            ResourceId::Argument(name) => arguments
                .value(name)
                .ok_or_else(|| not_cached(MissingArgument(name))),
            ResourceId::Inferred => arguments
                .infer_resource_id(self.policy.resource_id_type)
                .ok_or_else(|| NotCached {
                    bypass: Bypass::NoId,
                    warning: Some(format!(
                        "no resource id of type {:?} was found; name it with resource_id_name",
                        self.policy.resource_id_type
                    )),
                }),
        }
    }

    /// C13: with credentials, only what is declared shared or keyed by caller is cached.
    fn check_credentials(&self, request: &HttpRequest) -> Result<(), NotCached> {
        if self.policy.audience != Audience::Unspecified || self.places_caller {
            return Ok(());
        }
        let headers = request.headers();
        if headers.contains_key(header::AUTHORIZATION) || headers.contains_key(header::COOKIE) {
            return Err(NotCached {
                bypass: Bypass::Credentials,
                warning: Some(
                    "requests with credentials are not cached: declare the policy shared() or per_caller()".to_owned(),
                ),
            });
        }
        Ok(())
    }

    /// C14: the fields of the declared query.
    fn read_query(&self, request: &HttpRequest) -> Result<QueryFields, NotCached> {
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

    fn places(&self, name: &str) -> bool {
        self.prefix.places(name)
            || matches!(self.policy.resource_id, ResourceId::Argument(argument) if argument == name)
    }
}

impl WritePlan {
    fn add_keys(&mut self, prefixes: &Result<Vec<String>, MissingArgument>, ids: &[Cow<'_, str>]) {
        match prefixes {
            Ok(prefixes) if prefixes.len().saturating_mul(ids.len()) > MAX_INVALIDATED_KEYS => {
                self.everything = true;
            }
            Ok(prefixes) => {
                for prefix in prefixes {
                    for id in ids {
                        let mut key = format!("{prefix}:");
                        push_escaped(&mut key, id);
                        self.keys.push(key);
                    }
                }
            }
            Err(missing) => self.problem(*missing),
        }
    }

    fn problem(&mut self, missing: MissingArgument) {
        self.problems.push(format!(
            "the argument `{}` is missing: what depends on it was not invalidated",
            missing.0
        ));
    }
}

fn expand(template: &Template, arguments: &Arguments<'_>) -> Result<Vec<String>, MissingArgument> {
    template.expand(MAX_INVALIDATED_KEYS, |name| arguments.values(name))
}

fn push_field(key: &mut String, name: &str, value: &str) {
    key.push(':');
    push_escaped(key, name);
    key.push('=');
    push_escaped(key, value);
}

fn not_cached(missing: MissingArgument) -> NotCached {
    NotCached {
        bypass: Bypass::MissingArgument,
        warning: Some(format!(
            "the argument `{}` of the cache key is missing",
            missing.0
        )),
    }
}
