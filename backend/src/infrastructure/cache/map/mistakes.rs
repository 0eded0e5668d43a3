//! All mistakes of a map, one line each (C47).
//!
//! Come here to add a check. A line names the route, the policy and the cure. Do not stop at the first
//! mistake.

mod invalidations;
mod reads;
mod sentences;

use self::sentences::{Context, Place};
use super::route::{DeclaredRoute, RoutePolicy};
use super::stored;
use crate::infrastructure::cache::policy::CachePolicy;

/// Finds all mistakes.
pub(super) fn find(
    routes: &[DeclaredRoute],
    stored_by_services: &[CachePolicy],
    registered: Option<&[&str]>,
) -> Vec<String> {
    let context = Context {
        stored: stored::all(routes, stored_by_services),
        registered,
    };
    let mut found = Vec::new();
    for route in routes {
        match &route.policy {
            RoutePolicy::None => {}
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
                    invalidations::check(&context, route, invalidation)
                        .iter()
                        .map(|mistake| place.say(mistake)),
                );
            }
        }
    }
    found.extend(reads::check_pairs(routes));
    found
}
