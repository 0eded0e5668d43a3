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
    /// Arguments that the policy needs and that neither the request has nor the handler bound (C48).
    pub(in crate::infrastructure::cache) missing: Vec<&'static str>,
    /// The policy infers its resource id and found none, as on a collection's POST: there is no own key (C7).
    pub(in crate::infrastructure::cache) has_no_id: bool,
    /// The whole namespace is invalidated: a key is not known, or there are more than can be deleted one by one.
    pub(in crate::infrastructure::cache) everything: bool,
}

impl CompiledPolicy {
    /// All that a successful write invalidates (C15–C17). In place of a key whose argument is missing stands the smallest
    /// whole that is known to hold it (C48): the policy's group for its own key, else the namespace.
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
            match expand(prefix, &arguments) {
                Ok(prefixes) => plan.add_keys(&prefixes, &ids),
                Err(missing) => plan.miss(missing),
            }
        }
        for group in &self.groups {
            match expand(group, &arguments) {
                Ok(groups) => plan.groups.extend(groups),
                Err(missing) => plan.miss(missing),
            }
        }
        for pattern in &self.patterns {
            match expand(pattern, &arguments) {
                Ok(patterns) => plan.patterns.extend(patterns),
                Err(missing) => plan.miss(missing),
            }
        }
        if plan.keys.len() + plan.groups.len() + plan.patterns.len() > MAX_INVALIDATED_KEYS {
            plan.everything = true;
        }
        plan
    }

    /// The key of the resource itself.
    fn plan_own_key(&self, arguments: &Arguments<'_>, plan: &mut WritePlan) {
        let ids: Vec<_> = match self.policy.resource_id {
            ResourceId::Literal(literal) => vec![Cow::Borrowed(literal)],
            ResourceId::Argument(argument) => arguments.values(argument),
            ResourceId::Inferred => {
                let mut ids: Vec<_> = arguments
                    .infer_resource_id(self.policy.resource_id_type)
                    .into_iter()
                    .collect();
                ids.extend(arguments.usual_forms());
                if ids.is_empty() {
                    plan.has_no_id = true;
                    return;
                }
                ids
            }
        };
        let missing = match (self.policy.resource_id, expand(&self.prefix, arguments)) {
            (ResourceId::Argument(argument), _) if ids.is_empty() => MissingArgument(argument),
            (_, Ok(prefixes)) => return plan.add_keys(&prefixes, &ids),
            (_, Err(missing)) => missing,
        };
        // The group of the policy holds every entry that the policy stores.
        let group = self.group.as_ref();
        if let Some(Ok(groups)) = group.map(|group| expand(group, arguments)) {
            plan.note(missing);
            plan.groups.extend(groups);
        } else {
            plan.miss(missing);
        }
    }
}

impl WritePlan {
    fn add_keys(&mut self, prefixes: &[String], ids: &[Cow<'_, str>]) {
        if prefixes.len().saturating_mul(ids.len()) > MAX_INVALIDATED_KEYS {
            self.everything = true;
            return;
        }
        for prefix in prefixes {
            for id in ids {
                let mut key = format!("{prefix}:");
                push_escaped(&mut key, id);
                self.keys.push(key);
            }
        }
    }

    /// Notes a key that cannot be known: no whole smaller than the namespace is known to hold it.
    fn miss(&mut self, missing: MissingArgument) {
        self.note(missing);
        self.everything = true;
    }

    fn note(&mut self, missing: MissingArgument) {
        if !self.missing.contains(&missing.0) {
            self.missing.push(missing.0);
        }
    }
}

fn expand(template: &Template, arguments: &Arguments<'_>) -> Result<Vec<String>, MissingArgument> {
    template.expand(MAX_INVALIDATED_KEYS, |name| arguments.values(name))
}
