//! The stored keys and groups of the reading policies, which a write may name.
//!
//! Come here when the map says that nothing stores a key, a group or a pattern. Nothing is checked here.

use super::route::{DeclaredRoute, RoutePolicy};
use super::shape::Shape;
use super::sources::path_parameters;
use crate::keys;
use crate::policy::{Audience, CachePolicy, ResourceId};

/// The stored keys of one policy.
#[derive(Debug)]
pub(super) struct Stored<'a> {
    pub(super) policy: CachePolicy,
    /// The template of the key, as text.
    pub(super) text: String,
    pub(super) prefix: Shape<'a>,
    pub(super) key: Shape<'a>,
    pub(super) group: Option<Shape<'a>>,
    /// The shape of the entries' keys with the appended parts.
    pub(super) with_variants: Shape<'a>,
}

impl<'a> Stored<'a> {
    fn new(policy: CachePolicy, id: KeyId<'a>) -> Self {
        let prefix = Shape::of(policy.key_prefix);
        let key = match id {
            KeyId::Argument(name) => prefix.clone().with_argument(name),
            KeyId::Literal(literal) => prefix.clone().with_literal(literal),
        };
        let has_variants = policy.query.is_some() || policy.audience == Audience::PerCaller;
        Self {
            text: key_text(policy.key_prefix, id),
            prefix,
            with_variants: if has_variants {
                key.clone().with_variants()
            } else {
                key.clone()
            },
            key,
            group: policy.group.map(Shape::of),
            policy,
        }
    }
}

/// The stored keys of all reading policies, and of the policies under whose keys services store values.
pub(super) fn all<'a>(
    routes: &'a [DeclaredRoute],
    stored_by_services: &[CachePolicy],
) -> Vec<Stored<'a>> {
    let read = routes.iter().filter_map(|route| match route.policy {
        RoutePolicy::Reads(policy) => Some(Stored::new(policy, id_of(&policy, Some(route))?)),
        _ => None,
    });
    let by_services = stored_by_services
        .iter()
        .filter_map(|policy| Some(Stored::new(*policy, id_of(policy, None)?)));
    read.chain(by_services).collect()
}

/// The id of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KeyId<'a> {
    Argument(&'a str),
    Literal(&'static str),
}

/// The id of a policy's keys on a route; `None` where it cannot be inferred (C7).
pub(super) fn id_of<'a>(
    policy: &CachePolicy,
    route: Option<&'a DeclaredRoute>,
) -> Option<KeyId<'a>> {
    match route {
        Some(route) => {
            let parameters = path_parameters(&route.path).map(|(name, _)| name);
            id_among(policy, parameters)
        }
        // A service gives the whole key, so any id is possible.
        None => id_among(policy, std::iter::empty()).or(Some(KeyId::Argument("id"))),
    }
}

/// The id of a policy's keys, inferred among these arguments unless the policy names it.
pub(super) fn id_among<'a>(
    policy: &CachePolicy,
    arguments: impl Iterator<Item = &'a str>,
) -> Option<KeyId<'a>> {
    match policy.resource_id {
        ResourceId::Argument(name) => Some(KeyId::Argument(name)),
        ResourceId::Literal(literal) => Some(KeyId::Literal(literal)),
        ResourceId::Inferred => {
            let arguments: Vec<&str> = arguments.collect();
            let fields = policy
                .query
                .and_then(|query| (query.names)())
                .unwrap_or_default();
            arguments
                .iter()
                .find(|name| keys::is_id(name))
                .or_else(|| arguments.first())
                .or_else(|| fields.iter().find(|name| keys::is_id(name)))
                .copied()
                .map(KeyId::Argument)
        }
    }
}

/// The template of a key, as text.
pub(super) fn key_text(prefix: &str, id: KeyId<'_>) -> String {
    match id {
        KeyId::Argument(name) => format!("{prefix}:{{{name}}}"),
        KeyId::Literal(literal) => format!("{prefix}:{literal}"),
    }
}
