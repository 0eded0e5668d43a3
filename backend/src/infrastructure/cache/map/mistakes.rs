//! All mistakes of a map, one line each (C47).
//!
//! Come here to add a check. A line names the route, the policy and the cure. Do not stop at the first
//! mistake.

mod changes;
mod invalidations;
mod reads;
mod sentences;

use self::sentences::{Context, Place};
use super::route::{DeclaredRoute, RoutePolicy};
use super::sources::Sources;
use super::stored;
use crate::policy::{CachePolicy, Changes, Invalidation};

/// Finds all mistakes.
pub(super) fn find(
    routes: &[DeclaredRoute],
    stored_by_services: &[CachePolicy],
    changes: &[Changes],
    registered: Option<&[&str]>,
) -> Vec<String> {
    let context = Context {
        stored: stored::all(routes, stored_by_services),
        registered,
    };
    let mut found = Vec::new();
    for route in routes {
        match &route.policy {
            RoutePolicy::None => found.extend(check_silent_write(route, routes)),
            RoutePolicy::Reads(policy) => {
                let place = Place::of_read(route, policy);
                found.extend(
                    reads::check(&context, route, policy)
                        .iter()
                        .map(|mistake| place.say(mistake)),
                );
            }
            RoutePolicy::Ends(invalidation) => {
                let place = Place::of_write(route, invalidation);
                found.extend(
                    invalidations::check(&context, &Sources::of(route), invalidation)
                        .iter()
                        .chain(&check_recorded(invalidation, changes))
                        .map(|mistake| place.say(mistake)),
                );
            }
        }
    }
    found.extend(
        changes
            .iter()
            .flat_map(|changes| changes::check(&context, changes)),
    );
    found.extend(reads::check_pairs(routes));
    found
}

/// The changes that a write records must be among those that the feed delivers (C54).
fn check_recorded(invalidation: &Invalidation, changes: &[Changes]) -> Vec<String> {
    let recorded = invalidation.all_recorded();
    let unknown = recorded
        .iter()
        .filter(|recorded| !changes.iter().any(|known| known.kind == recorded.kind));
    unknown
        .map(|recorded| {
            format!(
                "changes of `{}` ({}) are not delivered: list them in changes() of modules/mod.rs",
                recorded.kind,
                recorded.place()
            )
        })
        .collect()
}

/// Writes whose changes only a feed delivers (C54).
pub(super) fn without_feed(routes: &[DeclaredRoute]) -> Vec<String> {
    let mut found = Vec::new();
    for route in routes {
        if let RoutePolicy::Ends(invalidation) = &route.policy
            && !invalidation.all_recorded().is_empty()
        {
            found.push(Place::of_write(route, invalidation).say(
                "the database feed delivers its changes, and CACHE_DATABASE_FEED=false turns the feed off: turn it on, or                  declare the invalidations with ends(…)",
            ));
        }
    }
    found
}

/// A write needs `ends` or `changes` where answers of the same path are cached, or of one that it continues (C47).
fn check_silent_write(route: &DeclaredRoute, routes: &[DeclaredRoute]) -> Option<String> {
    if !["POST", "PUT", "PATCH", "DELETE"].contains(&route.method.as_str()) {
        return None;
    }
    let is_below = |path: &str| {
        let rest = route.path.strip_prefix(path);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let cached = routes
        .iter()
        .find(|other| is_below(&other.path) && matches!(other.policy, RoutePolicy::Reads(_)))?;
    Some(format!(
        "{} {}: it ends nothing, although answers of {} are cached: say changes(CHANGES) where triggers \
         record what it changes, or else ends(…), with Invalidation::new() if it changes none of them",
        route.method, route.path, cached.path
    ))
}
