//! Common parts of the sentences about mistakes: the place, lists of names, the name that was probably
//! meant.
//!
//! Come here to change the beginning or the end of a line. The lines themselves are in `reads` and
//! `invalidations`.

use crate::keys::CALLER;
use crate::map::route::DeclaredRoute;
use crate::map::sources::Sources;
use crate::map::stored::{Stored, id_of, key_text};
use crate::policy::{CachePolicy, Changes, Invalidation};

/// The inputs of the checks of one route.
pub(super) struct Context<'a> {
    pub(super) stored: Vec<Stored<'a>>,
    pub(super) registered: Option<&'a [&'a str]>,
}

impl Context<'_> {
    /// The mistake of a backend that is not registered.
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

/// The route and the policy of a line.
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

    pub(super) fn of_changes(changes: &Changes) -> Self {
        Self(format!(
            "changes of `{}` ({})",
            changes.kind,
            changes.place()
        ))
    }

    pub(super) fn say(&self, mistake: &str) -> String {
        format!("{}: {mistake}", self.0)
    }
}

/// The template of the key of a policy on a route, as text.
fn key_of(policy: &CachePolicy, route: &DeclaredRoute) -> String {
    id_of(policy, Some(route)).map_or_else(
        || policy.key_prefix.to_owned(),
        |id| key_text(policy.key_prefix, id),
    )
}

/// The names with commas between them, as a part of a sentence.
pub(super) fn list<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<String> = names.map(|name| format!("`{name}`")).collect();
    if names.is_empty() {
        "none".to_owned()
    } else {
        names.join(", ")
    }
}

/// The end of a line: the name that was probably meant. Nothing may follow it.
pub(super) fn did_you_mean<'a>(wrong: &str, names: impl Iterator<Item = &'a str>) -> String {
    nearest(wrong, names)
        .map(|name| format!("; did you mean `{name}`?"))
        .unwrap_or_default()
}

/// The other name that is most similar, if it is similar at all.
fn nearest<'a>(wrong: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let (distance, name) = names
        .map(|name| (strsim::damerau_levenshtein(name, wrong), name))
        .min_by_key(|(distance, _)| *distance)?;
    // Short names are similar to many others by accident.
    (distance > 0 && distance <= (name.len() / 4).clamp(1, 3)).then_some(name)
}

/// The mistake of an argument without a source.
pub(super) fn missing_source(name: &str, place: &str, sources: &Sources) -> String {
    if name == CALLER && !sources.are_of_changes() {
        return format!(
            "{place} needs the argument `{CALLER}`, which only authentication gives: say signed_in()"
        );
    }
    format!(
        "{place} needs the argument `{name}`, which {} does not have; it has {}. {}",
        sources.owner(),
        list(sources.names()),
        cure_of_missing(name, sources),
    )
}

/// The cure of an argument that a route does not have. Where another argument has almost the same name, one of the two is
/// misspelt, and the cure is not to declare a further name.
pub(super) fn cure_of_missing(name: &str, sources: &Sources) -> String {
    nearest(name, sources.names()).map_or_else(
        || sources.cure(name),
        |near| format!("Is `{name}` misspelt, or `{near}`?"),
    )
}
