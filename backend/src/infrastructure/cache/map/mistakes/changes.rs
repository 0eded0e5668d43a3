//! Mistakes of recorded changes: some policy must store the keys and groups that they invalidate, and those must be
//! made of the arguments of the changes.
//!
//! Come here to change a check of a module's `CHANGES`. Their invalidations are checked like those of a write, in
//! `invalidations`. Whether triggers record them is checked in `database_feed::triggers`.

use super::invalidations;
use super::sentences::{Context, Place, did_you_mean, list};
use crate::keys::Template;
use crate::map::sources::Sources;
use crate::map::stored::{KeyId, id_among};
use crate::policy::{Changes, Invalidation};

/// All mistakes of the changes of one kind, each as a line.
pub(super) fn check(context: &Context<'_>, changes: &Changes) -> Vec<String> {
    let place = Place::of_changes(changes);
    let sources = Sources::of_changes(changes);
    let mut found = Vec::new();
    if changes.ends.is_empty() {
        found.push("they end nothing: say ends(…)".to_owned());
    }
    for invalidation in changes.ends {
        found.extend(invalidations::check(context, &sources, invalidation));
    }
    if !changes.ends.is_empty() {
        found.extend(unused(changes));
    }
    let mut seen = std::collections::HashSet::new();
    found.retain(|mistake| seen.insert(mistake.clone()));
    found.iter().map(|mistake| place.say(mistake)).collect()
}

/// The arguments that no key and no group contains: their names are misspelt or not needed.
fn unused(changes: &Changes) -> Vec<String> {
    let used: Vec<&str> = changes
        .ends
        .iter()
        .flat_map(Invalidation::parts)
        .flat_map(|part| used_by(&part, changes.arguments))
        .collect();
    let mut lines = Vec::new();
    for name in changes.arguments {
        if !used.contains(name) {
            lines.push(format!(
                "with(…) names the argument `{name}`, which nothing that they end is made of; used are {}{}",
                list(used.iter().copied()),
                did_you_mean(name, used.iter().copied()),
            ));
        }
    }
    lines
}

/// The arguments that the keys and groups of an invalidation contain.
fn used_by<'a>(part: &Invalidation, arguments: &[&'a str]) -> Vec<&'a str> {
    let mut used = Vec::new();
    let mut templates: Vec<&'static str> = Vec::new();
    if let Some(own) = &part.own {
        templates.push(own.key_prefix);
        templates.extend(own.group);
        if let Some(KeyId::Argument(name)) = id_among(own, arguments.iter().copied()) {
            used.extend(arguments.iter().copied().filter(|known| *known == name));
        }
    }
    templates.extend(part.groups);
    templates.extend(part.patterns);
    for (prefix, id) in part.extra {
        templates.push(prefix);
        used.extend(arguments.iter().copied().filter(|known| known == id));
    }
    for template in templates {
        let parsed = Template::parse(template);
        let names: Vec<&str> = parsed.placeholders().collect();
        used.extend(
            arguments
                .iter()
                .copied()
                .filter(|known| names.contains(known)),
        );
    }
    used
}
