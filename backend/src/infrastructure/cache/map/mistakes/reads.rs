//! Mistakes of policies that read.
//!
//! Come here to change a check of a read. The checks of writes are in `invalidations`.

use super::sentences::{Context, Place, missing_source};
use crate::keys::{CALLER, Template};
use crate::map::route::{DeclaredRoute, RequiredCaller, RoutePolicy};
use crate::map::shape::Shape;
use crate::map::sources::Sources;
use crate::map::stored::{KeyId, id_of, key_text};
use crate::policy::{Audience, CachePolicy};

/// The mistakes of a single read.
pub(super) fn check(
    context: &Context<'_>,
    route: &DeclaredRoute,
    policy: &CachePolicy,
) -> Vec<String> {
    let mut found = Vec::new();
    let sources = Sources::of(route);
    // Where the handler takes a caller, `check_caller` says that it is missing.
    let mut reported = if route.handler_authenticates {
        vec![CALLER]
    } else {
        Vec::new()
    };
    for (name, place) in arguments(policy, route) {
        // A missing argument is one mistake, however many places need it.
        if !sources.has(name) && !reported.contains(&name) {
            found.push(missing_source(name, &place, &sources));
            reported.push(name);
        }
    }
    if id_of(policy, Some(route)).is_none() {
        found.push(
            "the path has no resource id to infer; name it with resource_id_name or resource_id"
                .to_owned(),
        );
    }
    found.extend(check_caller(route, policy));
    found.extend(check_query(route, policy));
    found.extend(context.check_backend(policy.backend_name));
    found
}

/// The arguments of a policy, each with the place that needs it.
fn arguments<'a>(policy: &CachePolicy, route: &'a DeclaredRoute) -> Vec<(&'a str, String)> {
    let mut found = Vec::new();
    let group = policy.group.map(|template| ("the group", template));
    for (place, template) in [("the key prefix", policy.key_prefix)]
        .into_iter()
        .chain(group)
    {
        let parsed = Template::parse(template);
        let names = parsed.placeholders();
        found.extend(names.map(|name| (name, format!("{place} `{template}`"))));
    }
    if let Some(KeyId::Argument(name)) = id_of(policy, Some(route)) {
        found.push((name, "resource_id_name".to_owned()));
    }
    if policy.audience == Audience::PerCaller && !found.iter().any(|(name, _)| *name == CALLER) {
        found.push((CALLER, "per_caller()".to_owned()));
    }
    found
}

/// The caller must be known before the look-up, and the policy must declare the callers that may share
/// an answer (C13, C45).
fn check_caller(route: &DeclaredRoute, policy: &CachePolicy) -> Option<String> {
    if route.caller == RequiredCaller::Anyone {
        return route.handler_authenticates.then(|| {
            "its handler takes a caller, whom a hit would skip: say signed_in(), and per_caller() if callers get different answers"
                .to_owned()
        });
    }
    let places_caller = arguments(policy, route)
        .iter()
        .any(|(name, _)| *name == CALLER);
    if policy.audience == Audience::Shared && !places_caller && route.handler_authenticates {
        return Some(
            "its handler takes a caller, and shared() gives the answer for one caller to all others: say per_caller(), or take the \
             caller out of the handler"
                .to_owned(),
        );
    }
    (policy.audience == Audience::Unspecified && !places_caller).then(|| {
        "it is never cached, because its callers are signed in and the policy does not say who may share an answer: say shared() \
         or per_caller()"
            .to_owned()
    })
}

/// The policy must declare the query that the handler reads (C14).
fn check_query(route: &DeclaredRoute, policy: &CachePolicy) -> Option<String> {
    let read = route.handler_query?;
    let short = |name: &'static str| name.rsplit("::").next().unwrap_or(name);
    let Some(declared) = policy.query else {
        return Some(format!(
            "its handler reads the query, which the policy does not declare, so requests with one are never cached: say query::<{}>()",
            short(read)
        ));
    };
    let declared = (declared.type_name)();
    (declared != read).then(|| {
        format!(
            "its handler reads the query as `{read}` and the policy as `{declared}`, so the key may lack a field: declare the \
             handler's type"
        )
    })
}

/// The mistakes of pairs: two reads with the same keys would answer with each other's entries.
pub(super) fn check_pairs(routes: &[DeclaredRoute]) -> Vec<String> {
    let reads: Vec<_> = routes
        .iter()
        .filter_map(|route| match &route.policy {
            RoutePolicy::Reads(policy) => Some((route, policy, id_of(policy, Some(route))?)),
            _ => None,
        })
        .collect();
    let mut found = Vec::new();
    for (index, (route, policy, id)) in reads.iter().enumerate() {
        for (earlier, other, other_id) in reads.iter().take(index) {
            let same_content = earlier.handler == route.handler;
            let elsewhere = policy.backend_name != other.backend_name;
            if !same_content && !elsewhere && shape(policy, *id).overlaps(&shape(other, *other_id))
            {
                found.push(Place::of_read(route, policy).say(&format!(
                    "its entries would be answers of {} {} too, which stores something else under `{}` ({}:{}): give each its own key_prefix",
                    earlier.method,
                    earlier.path,
                    key_text(other.key_prefix, *other_id),
                    other.declared_at.file(),
                    other.declared_at.line(),
                )));
            }
        }
    }
    found
}

fn shape<'a>(policy: &CachePolicy, id: KeyId<'a>) -> Shape<'a> {
    let prefix = Shape::of(policy.key_prefix);
    match id {
        KeyId::Argument(name) => prefix.with_argument(name),
        KeyId::Literal(literal) => prefix.with_literal(literal),
    }
}
