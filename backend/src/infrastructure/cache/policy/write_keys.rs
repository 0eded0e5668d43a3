//! All keys, groups and patterns that a successful write invalidates (C15–C17).
//!
//! Come here when a write leaves a stale entry. Nothing is deleted here: that is in `middleware::write`.

use std::borrow::Cow;

use actix_web::HttpRequest;

use super::compiled::CompiledPolicy;
use super::policy::ResourceId;
use super::variants::Ends;
use crate::delivered::Names;
use crate::keys::{Arguments, MissingArgument, QueryFields, Template, push_escaped, usual_form};

/// The most keys that are deleted one by one. Beyond that, the whole namespace is distrusted instead.
const MAX_INVALIDATED_KEYS: usize = 100_000;

/// The keys, groups and patterns that a write invalidates.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct WritePlan {
    pub(crate) keys: Vec<String>,
    /// The names `{prefix}:{id}` of the resources whose variants are invalidated (C44).
    pub(crate) resources: Vec<String>,
    pub(crate) groups: Vec<String>,
    pub(crate) patterns: Vec<String>,
    /// Arguments that the policy needs, but that are neither in the request nor bound by the handler
    /// (C48).
    pub(crate) missing: Vec<&'static str>,
    /// The policy infers its resource id and found none, as on a collection's POST: the write has no key
    /// of its own (C7).
    pub(crate) has_no_id: bool,
    /// The whole namespace is invalidated: a key is unknown, or there are more than
    /// [`MAX_INVALIDATED_KEYS`].
    pub(crate) everything: bool,
}

/// The source of a write's arguments.
#[derive(Clone, Copy)]
enum Source<'a> {
    Request(&'a HttpRequest),
    Named(&'a [(&'static str, &'a str)]),
}

impl CompiledPolicy {
    /// The plan of a successful write (C15–C17). A key with a missing argument is replaced by the
    /// smallest known set that contains it (C48): the policy's group for its own key, else the
    /// namespace.
    pub(crate) fn write(&self, request: &HttpRequest) -> WritePlan {
        self.plan(Source::Request(request))
    }

    /// The plan of a write without a request.
    pub(crate) fn write_with(&self, arguments: &[(&'static str, &str)]) -> WritePlan {
        self.plan(Source::Named(arguments))
    }

    /// Adds all that one more write with these arguments invalidates; [`WritePlan::settle`] comes last.
    pub(crate) fn add_write_with(&self, arguments: &[(&'static str, &str)], plan: &mut WritePlan) {
        self.add_to(plan, Source::Named(arguments));
    }

    fn plan(&self, source: Source<'_>) -> WritePlan {
        let mut plan = WritePlan::default();
        self.add_to(&mut plan, source);
        let lists = [&plan.keys, &plan.resources, &plan.groups, &plan.patterns];
        if lists.into_iter().map(Vec::len).sum::<usize>() > MAX_INVALIDATED_KEYS {
            plan.everything = true;
        }
        plan
    }

    fn add_to(&self, plan: &mut WritePlan, source: Source<'_>) {
        let query = match source {
            Source::Request(request) => self.read_query(request).unwrap_or_default(),
            Source::Named(_) => QueryFields::default(),
        };
        let mut arguments = match source {
            Source::Request(request) => Arguments::collect(request, &query),
            Source::Named(named) => Arguments::named(named),
        };
        if self.needs_query_hash {
            arguments = arguments.with_query_hash();
        }
        if self.has_resource {
            self.plan_own_resource(&arguments, plan);
        }
        for (prefix, id) in &self.extra {
            let ids = match arguments.values(id) {
                Some(ids) => ids,
                None if self.arguments.contains(id) => {
                    plan.miss(MissingArgument(id));
                    continue;
                }
                None => vec![Cow::Borrowed(*id)],
            };
            match expand(prefix, &arguments) {
                Ok(prefixes) => plan.add_keys(&prefixes, &ids),
                Err(missing) => plan.miss(missing),
            }
            if let Ok(prefixes) = resource_prefixes(prefix, &arguments, |_| false) {
                plan.add_resources(&prefixes, in_usual_form(ids));
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
        for other in &self.also {
            other.add_to(plan, source);
        }
    }

    /// Adds the resource of the policy itself: its key and all its variants (C44).
    fn plan_own_resource(&self, arguments: &Arguments<'_>, plan: &mut WritePlan) {
        let ids: Vec<_> = match self.policy.resource_id {
            ResourceId::Literal(literal) => vec![Cow::Borrowed(literal)],
            // The value of the id distinguishes variants, so the resource has no id of its own.
            ResourceId::Argument(name) if self.variants.leave_out(name) => vec![Cow::Borrowed("")],
            ResourceId::Argument(name) => match arguments.values(name) {
                Some(ids) => ids,
                None => return self.miss_own_resource(MissingArgument(name), arguments, plan),
            },
            ResourceId::Inferred => {
                let inferred = arguments.infer_resource_id(self.policy.resource_id_types);
                let Some((name, _)) = inferred else {
                    plan.has_no_id = true;
                    return;
                };
                arguments.values(name).unwrap_or_default()
            }
        };
        let leave_out = |name: &str| self.variants.leave_out(name);
        match resource_prefixes(&self.prefix, arguments, leave_out) {
            Err(missing) => self.miss_own_resource(missing, arguments, plan),
            Ok(prefixes) => {
                if self.variants.leave_out_nothing() {
                    let keys = expand(&self.prefix, arguments);
                    plan.add_keys(&keys.unwrap_or_default(), &ids);
                }
                plan.add_resources(&prefixes, in_usual_form(ids));
                if let (Ends::Group, Some(group)) = (self.variants.ends, &self.group) {
                    // The arguments of the group are those of the prefix and the id, which are known.
                    let groups = expand(group, arguments);
                    plan.groups.extend(groups.unwrap_or_default());
                }
            }
        }
    }

    /// Invalidates the group of the policy in place of an unknown resource, because the group contains every entry of
    /// the policy. Without a group, the namespace.
    fn miss_own_resource(
        &self,
        missing: MissingArgument,
        arguments: &Arguments<'_>,
        plan: &mut WritePlan,
    ) {
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
    /// Removes repeated names. Past [`MAX_INVALIDATED_KEYS`], replaces all names by `everything`.
    pub(crate) fn settle(&mut self) {
        let lists = [
            &mut self.keys,
            &mut self.resources,
            &mut self.groups,
            &mut self.patterns,
        ];
        let mut names = 0;
        for list in lists {
            list.sort_unstable();
            list.dedup();
            names += list.len();
        }
        self.everything |= names > MAX_INVALIDATED_KEYS;
    }

    /// The names of all that it invalidates.
    pub(crate) fn into_names(self) -> Names {
        Names {
            keys: self.keys,
            resources: self.resources,
            groups: self.groups,
            patterns: self.patterns,
            everything: self.everything,
        }
    }

    fn add_keys(&mut self, prefixes: &[String], ids: &[Cow<'_, str>]) {
        self.everything |= !append(&mut self.keys, prefixes, ids);
    }

    fn add_resources(&mut self, prefixes: &[String], ids: Vec<Cow<'_, str>>) {
        self.everything |= !append(&mut self.resources, prefixes, &ids);
    }

    /// Records an unknown key: no known set smaller than the namespace contains it.
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

/// Appends `{prefix}:{id}` for each prefix and id. Returns whether the number stays within the bound.
fn append(names: &mut Vec<String>, prefixes: &[String], ids: &[Cow<'_, str>]) -> bool {
    if prefixes.len().saturating_mul(ids.len()) > MAX_INVALIDATED_KEYS {
        return false;
    }
    for prefix in prefixes {
        for id in ids {
            let mut name = format!("{prefix}:");
            push_escaped(&mut name, id);
            names.push(name);
        }
    }
    true
}

fn expand(template: &Template, arguments: &Arguments<'_>) -> Result<Vec<String>, MissingArgument> {
    template.expand(MAX_INVALIDATED_KEYS, |name| arguments.values(name))
}

/// The names of resources without their ids: the prefixes of the keys, with values in usual form and
/// without the arguments that distinguish variants.
fn resource_prefixes(
    template: &Template,
    arguments: &Arguments<'_>,
    leave_out: impl Fn(&str) -> bool,
) -> Result<Vec<String>, MissingArgument> {
    template.expand(MAX_INVALIDATED_KEYS, |name| {
        if leave_out(name) {
            Some(vec![Cow::Borrowed("")])
        } else {
            arguments.values(name).map(in_usual_form)
        }
    })
}

/// The values in the form that names of resources have, each once.
fn in_usual_form(mut values: Vec<Cow<'_, str>>) -> Vec<Cow<'_, str>> {
    for value in &mut values {
        if let Some(usual) = usual_form(value) {
            *value = Cow::Owned(usual);
        }
    }
    values.dedup();
    values
}
