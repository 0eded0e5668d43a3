//! The key of a read, or the reason that the read is not cached (C1, C2, C6, C13).
//!
//! Come here when a key is not the expected one, or a read is bypassed. No backend is asked here.

use std::borrow::Cow;

use actix_web::HttpRequest;
use actix_web::http::header;

use super::compiled::{CompiledPolicy, NotCached};
use super::policy::{Audience, ResourceId};
use super::variants::Ends;
use crate::cache_status::Bypass;
use crate::keys::{
    Arguments, CALLER, GROUP, Key, Memberships, MissingArgument, QUERY_HASH, QueryFields, RESOURCE,
    Template, push_escaped, usual_form,
};

/// The keys that a read looks up: its own, and those of its records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ReadPlan {
    pub(crate) key: Key,
    pub(crate) memberships: Memberships,
}

impl ReadPlan {
    /// Shortens the server's forms of the keys to at most `max_bytes` (C5).
    pub(crate) fn fit(&mut self, max_bytes: usize) {
        self.key.fit(max_bytes);
        self.memberships.fit(max_bytes);
    }
}

impl CompiledPolicy {
    /// The key of a read behind the namespace, or the reason that it is not cached.
    pub(crate) fn read(
        &self,
        request: &HttpRequest,
        namespace: &str,
    ) -> Result<ReadPlan, NotCached> {
        self.check_credentials(request)?;
        let query = self.read_query(request)?;
        let mut arguments = Arguments::collect(request, &query);
        if self.needs_query_hash {
            arguments = arguments.with_query_hash();
        }
        let is_of_caller = self.is_per_caller();
        if is_of_caller && arguments.value(CALLER).is_none() {
            return Err(NotCached::silently(Bypass::NoCaller));
        }
        let is_unusual = |name: &&str| arguments.is_unusual(name, self.policy.resource_id_types);
        if self.ids.iter().any(is_unusual) {
            return Err(NotCached::silently(Bypass::NoId));
        }
        let id = self.resource_id(&arguments)?;
        let mut key = String::with_capacity(64);
        key.push_str(namespace);
        push_template(&mut key, &self.prefix, &arguments)?;
        key.push(':');
        push_escaped(&mut key, &id);
        self.push_variant(&mut key, &arguments, &query);
        Ok(ReadPlan {
            key: Key::new(key, namespace.len()),
            memberships: Memberships {
                resource: self.resource_record(&arguments, &id, namespace)?,
                group: self.group_record(&arguments, namespace)?,
                rights: is_of_caller.then(|| arguments.rights()),
            },
        })
    }

    /// Appends the arguments that distinguish the entries of one resource and have no place in the
    /// templates.
    fn push_variant(&self, key: &mut String, arguments: &Arguments<'_>, query: &QueryFields) {
        if self.policy.audience == Audience::PerCaller && !self.places_caller {
            push_field(key, CALLER, &arguments.value(CALLER).unwrap_or_default());
        }
        if !self.places(QUERY_HASH) {
            for (name, value) in query {
                // A name that is in the path too has the path's value in the template.
                if !self.places(name) || !arguments.is_from_query(name) {
                    push_field(key, name, value);
                }
            }
        }
    }

    /// The record of the resource (C44), if the resource has variants, or if its id is written in an unusual form (`042`).
    /// The latter is left only for ids of type text: a read with an unusual form of any other id has been bypassed.
    fn resource_record(
        &self,
        arguments: &Arguments<'_>,
        id: &str,
        namespace: &str,
    ) -> Result<Option<Key>, NotCached> {
        let usual_id = usual_form(id);
        let needs_record = match self.variants.ends {
            Ends::Record => true,
            Ends::Key => usual_id.is_some(),
            Ends::Group => false,
        };
        if !needs_record {
            return Ok(None);
        }
        let mut record = String::with_capacity(64);
        record.push_str(namespace);
        record.push_str(RESOURCE);
        let value = |name: &'static str| {
            if self.variants.leave_out(name) {
                return Some(Cow::Borrowed(""));
            }
            let value = arguments.value(name)?;
            Some(usual_form(&value).map_or(value, Cow::Owned))
        };
        self.prefix
            .push(&mut record, value)
            .map_err(NotCached::without)?;
        record.push(':');
        let is_left_out = matches!(self.policy.resource_id, ResourceId::Argument(name) if self.variants.leave_out(name));
        if !is_left_out {
            push_escaped(&mut record, usual_id.as_deref().unwrap_or(id));
        }
        Ok(Some(Key::new(record, namespace.len())))
    }

    /// The record of the declared group (C36).
    fn group_record(
        &self,
        arguments: &Arguments<'_>,
        namespace: &str,
    ) -> Result<Option<Key>, NotCached> {
        let Some(template) = &self.group else {
            return Ok(None);
        };
        let mut record = String::with_capacity(64);
        record.push_str(namespace);
        record.push_str(GROUP);
        push_template(&mut record, template, arguments)?;
        Ok(Some(Key::new(record, namespace.len())))
    }

    fn resource_id<'a>(&self, arguments: &'a Arguments<'_>) -> Result<Cow<'a, str>, NotCached> {
        let types = self.policy.resource_id_types;
        match self.policy.resource_id {
            ResourceId::Literal(literal) => Ok(Cow::Borrowed(literal)),
            ResourceId::Argument(name) => arguments
                .value(name)
                .ok_or_else(|| NotCached::without(MissingArgument(name))),
            ResourceId::Inferred => match arguments.infer_resource_id(types) {
                Some((name, _)) if arguments.is_unusual(name, types) => {
                    Err(NotCached::silently(Bypass::NoId))
                }
                Some((_, id)) => Ok(id),
                None => Err(NotCached::warned(
                    Bypass::NoId,
                    format!(
                        "no resource id of type {types:?} was found; name it with resource_id_name"
                    ),
                )),
            },
        }
    }

    /// With credentials, a read is cached only if the policy is shared or has the caller in its key
    /// (C13).
    fn check_credentials(&self, request: &HttpRequest) -> Result<(), NotCached> {
        if self.policy.audience != Audience::Unspecified || self.places_caller {
            return Ok(());
        }
        let headers = request.headers();
        if headers.contains_key(header::AUTHORIZATION) || headers.contains_key(header::COOKIE) {
            return Err(NotCached::warned(
                Bypass::Credentials,
                "requests with credentials are not cached: declare the policy shared() or per_caller()",
            ));
        }
        Ok(())
    }
}

impl NotCached {
    fn without(missing: MissingArgument) -> Self {
        Self::warned(
            Bypass::MissingArgument,
            format!("the argument `{}` of the cache key is missing", missing.0),
        )
    }
}

fn push_template(
    key: &mut String,
    template: &Template,
    arguments: &Arguments<'_>,
) -> Result<(), NotCached> {
    template
        .push(key, |name| arguments.value(name))
        .map_err(NotCached::without)
}

fn push_field(key: &mut String, name: &str, value: &str) {
    key.push(':');
    push_escaped(key, name);
    key.push('=');
    push_escaped(key, value);
}
