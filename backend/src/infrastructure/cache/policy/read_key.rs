//! The key that a read looks under, or the reason why the read is not cached (C1, C2, C6, C13).
//!
//! Come here when a key differs from what was expected, or a read is bypassed. No backend is asked here.

use std::borrow::Cow;

use actix_web::HttpRequest;
use actix_web::http::header;

use super::compiled::{CompiledPolicy, NotCached};
use super::policy::{Audience, ResourceId};
use crate::infrastructure::cache::cache_status::Bypass;
use crate::infrastructure::cache::keys::{
    Arguments, CALLER, GROUP, Key, MissingArgument, push_escaped,
};

/// Where a read looks.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::infrastructure::cache) struct ReadPlan {
    pub(in crate::infrastructure::cache) key: Key,
    /// The key of the group's record.
    pub(in crate::infrastructure::cache) group: Option<Key>,
}

impl ReadPlan {
    /// Shortens what the server gets to see to what it takes (C5).
    pub(in crate::infrastructure::cache) fn fit(&mut self, max_bytes: usize) {
        self.key.fit(max_bytes);
        if let Some(group) = &mut self.group {
            group.fit(max_bytes);
        }
    }
}

impl CompiledPolicy {
    /// The key of a read behind the namespace, or why it is not cached.
    pub(in crate::infrastructure::cache) fn read(
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
