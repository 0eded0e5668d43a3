//! All mistakes of a map, one line each (C47).
//!
//! Come here for the sentences, or to add a check. A line names the route, the policy and the cure; nothing here stops at the first
//! mistake.

mod invalidations;
mod reads;

use super::stored::{self, Stored, id_of, key_text};
use super::{CacheMap, DeclaredRoute, RoutePolicy};
use crate::infrastructure::cache::policy::{CachePolicy, Invalidation};

/// What the checks of one route need.
struct Context<'a> {
    stored: Vec<Stored<'a>>,
    registered: Option<&'a [&'a str]>,
}

/// Finds all mistakes.
pub(super) fn find(map: &CacheMap, registered: Option<&[&str]>) -> Vec<String> {
    let context = Context {
        stored: stored::all(map),
        registered,
    };
    let mut found = Vec::new();
    for route in &map.routes {
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
    found.extend(reads::check_pairs(map));
    found
}

impl Context<'_> {
    /// A backend that is not registered.
    fn check_backend(&self, name: Option<&'static str>) -> Option<String> {
        let (name, registered) = (name?, self.registered?);
        if registered.contains(&name) {
            return None;
        }
        Some(format!(
            "the backend `{name}` is not registered; registered are {}{}",
            list(registered.iter().copied()),
            did_you_mean(name, registered.iter().copied()),
        ))
    }
}

/// Which route and which policy a line is about.
struct Place(String);

impl Place {
    fn of_read(route: &DeclaredRoute, policy: &CachePolicy) -> Self {
        let key = key_of(policy, route);
        Self(format!(
            "{} {}, policy `{key}` ({}:{})",
            route.method,
            route.path,
            policy.declared_at.file(),
            policy.declared_at.line()
        ))
    }

    fn of_write(route: &DeclaredRoute, invalidation: &Invalidation) -> Self {
        let name = invalidation.own.map_or_else(
            || "invalidation".to_owned(),
            |policy| format!("policy `{}`", key_of(&policy, route)),
        );
        Self(format!(
            "{} {}, {name} ({}:{})",
            route.method,
            route.path,
            invalidation.declared_at.file(),
            invalidation.declared_at.line()
        ))
    }

    fn say(&self, mistake: &str) -> String {
        format!("{}: {mistake}", self.0)
    }
}

/// The key's template of a policy on a route, for people.
fn key_of(policy: &CachePolicy, route: &DeclaredRoute) -> String {
    id_of(policy, Some(route)).map_or_else(
        || policy.key_prefix.to_owned(),
        |id| key_text(policy.key_prefix, id),
    )
}

/// Names in a sentence.
fn list<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<String> = names.map(|name| format!("`{name}`")).collect();
    if names.is_empty() {
        "none".to_owned()
    } else {
        names.join(", ")
    }
}

/// The name that was probably meant, as the end of a sentence.
fn did_you_mean<'a>(wrong: &str, names: impl Iterator<Item = &'a str>) -> String {
    let nearest = names
        .map(|name| (strsim::damerau_levenshtein(name, wrong), name))
        .min_by_key(|(distance, _)| *distance);
    match nearest {
        // Short names are near many others by accident.
        Some((distance, name)) if distance > 0 && distance <= (name.len() / 4).clamp(1, 3) => {
            format!("; did you mean `{name}`?")
        }
        _ => String::new(),
    }
}
