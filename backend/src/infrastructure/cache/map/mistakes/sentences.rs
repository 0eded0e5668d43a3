//! What the sentences about mistakes have in common: the place, lists of names, the name that was meant.
//!
//! Come here to change how a line begins or ends. Which lines there are is in `reads` and `invalidations`.

use crate::infrastructure::cache::keys::CALLER;
use crate::infrastructure::cache::map::route::DeclaredRoute;
use crate::infrastructure::cache::map::sources::Sources;
use crate::infrastructure::cache::map::stored::{Stored, id_of, key_text};
use crate::infrastructure::cache::policy::{CachePolicy, Invalidation};

/// What the checks of one route need.
pub(super) struct Context<'a> {
    pub(super) stored: Vec<Stored<'a>>,
    pub(super) registered: Option<&'a [&'a str]>,
}

impl Context<'_> {
    /// A backend that is not registered.
    pub(super) fn check_backend(&self, name: Option<&'static str>) -> Option<String> {
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
pub(super) struct Place(String);

impl Place {
    pub(super) fn of_read(route: &DeclaredRoute, policy: &CachePolicy) -> Self {
        let key = key_of(policy, route);
        Self(format!(
            "{} {}, policy `{key}` ({}:{})",
            route.method,
            route.path,
            policy.declared_at.file(),
            policy.declared_at.line()
        ))
    }

    pub(super) fn of_write(route: &DeclaredRoute, invalidation: &Invalidation) -> Self {
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

    pub(super) fn say(&self, mistake: &str) -> String {
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
pub(super) fn list<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<String> = names.map(|name| format!("`{name}`")).collect();
    if names.is_empty() {
        "none".to_owned()
    } else {
        names.join(", ")
    }
}

/// The name that was probably meant, as the end of a sentence.
pub(super) fn did_you_mean<'a>(wrong: &str, names: impl Iterator<Item = &'a str>) -> String {
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

/// An argument that nothing gives.
pub(super) fn missing_source(name: &str, place: &str, sources: &Sources) -> String {
    if name == CALLER {
        return format!(
            "{place} needs the argument `{CALLER}`, which only authentication gives: say signed_in()"
        );
    }
    format!(
        "{place} needs the argument `{name}`, which this route does not have; it has {}{}. What the handler or a middleware \
         binds is declared with binds(&[\"{name}\"])",
        list(sources.names()),
        did_you_mean(name, sources.names()),
    )
}
