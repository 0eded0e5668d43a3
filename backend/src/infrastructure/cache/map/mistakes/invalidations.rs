//! Mistakes of invalidations: every key, group and pattern of a write must be stored by some policy that
//! reads.
//!
//! Come here to change a check of a write. The checks of reads are in `reads`.

use super::sentences::{Context, did_you_mean, list, missing_source};
use crate::infrastructure::cache::keys::Template;
use crate::infrastructure::cache::map::shape::{Shape, is_id};
use crate::infrastructure::cache::map::sources::Sources;
use crate::infrastructure::cache::map::stored::{KeyId, Stored, id_among, key_text};
use crate::infrastructure::cache::policy::{CachePolicy, Invalidation};

/// All mistakes of an invalidation whose arguments come from these sources.
pub(super) fn check(
    context: &Context<'_>,
    sources: &Sources,
    invalidation: &Invalidation,
) -> Vec<String> {
    let mut found = Vec::new();
    for part in invalidation.parts() {
        let check = Check { context, sources };
        if let Some(own) = &part.own {
            found.extend(check.own_key(own));
            found.extend(context.check_backend(own.backend_name));
        }
        for (prefix, id) in part.extra {
            found.extend(check.extra(prefix, id));
        }
        for group in part.groups {
            found.extend(check.group(group));
        }
        for pattern in part.patterns {
            found.extend(check.pattern(pattern));
        }
    }
    // The parts of one invalidation may repeat each other.
    let mut seen = std::collections::HashSet::new();
    found.retain(|mistake| seen.insert(mistake.clone()));
    found
}

struct Check<'a> {
    context: &'a Context<'a>,
    sources: &'a Sources,
}

impl Check<'_> {
    /// The mistakes of the written resource's key.
    fn own_key(&self, policy: &CachePolicy) -> Vec<String> {
        let Some(id) = id_among(policy, self.sources.inferred_from()) else {
            return vec![format!(
                "{} has no resource id to infer; begin a write without a resource of its own with Invalidation::new()",
                self.sources.origin()
            )];
        };
        let mut found = self.sources_of(policy.key_prefix, "key_prefix");
        let shape = match id {
            KeyId::Argument(name) => {
                if !self.sources.has(name) {
                    found.push(missing_source(name, "resource_id_name", self.sources));
                }
                Shape::of(policy.key_prefix).with_argument(name)
            }
            KeyId::Literal(literal) => Shape::of(policy.key_prefix).with_literal(literal),
        };
        let text = key_text(policy.key_prefix, id);
        found.extend(self.key(&shape, &text));
        found
    }

    /// The mistakes of a further key.
    fn extra(&self, prefix: &'static str, id: &'static str) -> Vec<String> {
        let mut found = self.sources_of(prefix, "to_invalidate_extra");
        let shape = Shape::of(prefix);
        if self.sources.has_by_name(id) {
            let text = key_text(prefix, KeyId::Argument(id));
            found.extend(self.key(&shape.with_argument(id), &text));
            return found;
        }
        let as_literal = Shape::of(prefix).with_literal(id);
        let with_prefix: Vec<_> = self
            .stored()
            .filter(|stored| stored.prefix.paired(&shape).is_some())
            .collect();
        let stores_literal = |stored: &&Stored<'_>| stored.key.paired(&as_literal).is_some();
        if with_prefix.is_empty() || with_prefix.iter().any(stores_literal) {
            let text = key_text(prefix, KeyId::Literal(id));
            found.extend(self.key(&as_literal, &text));
        } else {
            found.push(format!(
                "to_invalidate_extra (\"{prefix}\", \"{id}\"): `{id}` is no argument of {}, which has {}, and no policy \
                 stores the literal; stored is {}{}. {}",
                self.sources.owner(),
                list(self.sources.names()),
                list(with_prefix.iter().map(|stored| stored.text.as_str())),
                did_you_mean(id, self.sources.names()),
                self.sources.cure(id),
            ));
        }
        found
    }

    /// The mistakes of a group.
    fn group(&self, group: &'static str) -> Vec<String> {
        let mut found = self.sources_of(group, "to_invalidate_groups");
        let known = self
            .stored()
            .filter_map(|stored| Some((stored.group.as_ref()?, stored.policy.group?)));
        found.extend(find_stored(
            &Shape::of(group),
            &format!("the group `{group}`"),
            group,
            &known.collect::<Vec<_>>(),
        ));
        found
    }

    /// The mistakes of a glob.
    fn pattern(&self, pattern: &'static str) -> Vec<String> {
        let mut found = self.sources_of(pattern, "pattern_to_invalidate_extra");
        let glob = Shape::of_glob(pattern);
        if !self
            .stored()
            .any(|stored| glob.can_match(&stored.with_variants))
        {
            let texts: Vec<&str> = self.stored().map(|stored| stored.text.as_str()).collect();
            found.push(format!(
                "no cached route stores a key that the pattern `{pattern}` matches; stored are {}. (A user's id and a user's name are \
                 different arguments)",
                list(texts.iter().copied())
            ));
        }
        found
    }

    /// The mistake of a key that no policy stores.
    fn key(&self, shape: &Shape<'_>, text: &str) -> Option<String> {
        let known = self
            .stored()
            .map(|stored| (&stored.key, stored.text.as_str()));
        find_stored(
            shape,
            &format!("`{text}`"),
            text,
            &known.collect::<Vec<_>>(),
        )
    }

    fn stored(&self) -> impl Iterator<Item = &Stored<'_>> {
        self.context.stored.iter()
    }

    /// The placeholders of a template that are no arguments of the route.
    fn sources_of(&self, template: &'static str, word: &str) -> Vec<String> {
        Template::parse(template)
            .placeholders()
            .filter(|name| !self.sources.has(name))
            .map(|name| missing_source(name, &format!("{word} `{template}`"), self.sources))
            .collect()
    }
}

/// A sentence, unless one of the known shapes is this one.
fn find_stored(
    shape: &Shape<'_>,
    named: &str,
    text: &str,
    known: &[(&Shape<'_>, &str)],
) -> Option<String> {
    let mut other_kinds = None;
    for (theirs, their_text) in known {
        let Some(pairs) = shape.paired(theirs) else {
            continue;
        };
        match pairs
            .into_iter()
            .find(|(own, theirs)| is_id(own) != is_id(theirs))
        {
            None => return None,
            Some((own, theirs)) => other_kinds = Some((own, theirs, *their_text)),
        }
    }
    Some(match other_kinds {
        Some((own, theirs, their_text)) => format!(
            "{named} has the argument `{own}` where `{their_text}`, which is stored, has `{theirs}`: an id and a name are never the \
             same value; name and bind the argument that is stored"
        ),
        None => format!(
            "no cached route stores {named}{}",
            did_you_mean(text, known.iter().map(|(_, text)| *text))
        ),
    })
}
