//! All keys, groups and patterns that a successful write invalidates (C15–C17).
//!
//! Come here when a write leaves something stale. Nothing is deleted here: that is `middleware::write`.

use std::borrow::Cow;

use actix_web::HttpRequest;

use super::compiled::CompiledPolicy;
use super::policy::ResourceId;
use crate::infrastructure::cache::keys::{Arguments, MissingArgument, Template, push_escaped};

/// More keys than this are not deleted one by one: the whole namespace is distrusted instead.
const MAX_INVALIDATED_KEYS: usize = 100_000;

/// All that a write invalidates.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::infrastructure::cache) struct WritePlan {
    pub(in crate::infrastructure::cache) keys: Vec<String>,
    pub(in crate::infrastructure::cache) groups: Vec<String>,
    pub(in crate::infrastructure::cache) patterns: Vec<String>,
    /// What could not be built, one sentence each.
    pub(in crate::infrastructure::cache) problems: Vec<String>,
    /// There are more keys than can be deleted one by one.
    pub(in crate::infrastructure::cache) everything: bool,
}

impl CompiledPolicy {
    /// All that a successful write invalidates (C15–C17). What cannot be built is a problem, and the
    /// rest is invalidated all the same (C6).
    pub(in crate::infrastructure::cache) fn write(&self, request: &HttpRequest) -> WritePlan {
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
