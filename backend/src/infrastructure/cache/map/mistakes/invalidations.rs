//! Mistakes of invalidations: every key, group and pattern of a write must be stored by some policy that
//! reads.
//!
//! Come here to change a check of a write. The checks of reads are in `reads`.

use std::collections::HashSet;

use super::sentences::{Context, cure_of_missing, did_you_mean, list, missing_source};
use crate::keys::Template;
use crate::map::shape::{Shape, is_id};
use crate::map::sources::Sources;
use crate::map::stored::{KeyId, Stored, id_among, key_text};
use crate::policy::{CachePolicy, Invalidation};

/// All mistakes of an invalidation whose arguments come from these sources.
pub(super) fn check(
    context: &Context<'_>,
    sources: &Sources,
    invalidation: &Invalidation,
) -> Vec<String> {
    let mut found = Vec::new();
    let mut check = Check {
        context,
        sources,
        reported: HashSet::new(),
    };
    for part in invalidation.parts() {
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
    let mut seen = HashSet::new();
    found.retain(|mistake| seen.insert(mistake.clone()));
    found
}

struct Check<'a> {
    context: &'a Context<'a>,
    sources: &'a Sources,
    /// The missing arguments that have a line already. A missing argument is one mistake, however many templates need
    /// it.
    reported: HashSet<String>,
}

impl<'a> Check<'a> {
    /// The mistakes of the written resource's key.
    fn own_key(&mut self, policy: &CachePolicy) -> Vec<String> {
        let Some(id) = id_among(policy, self.sources.inferred_from()) else {
            return vec![format!(
                "{} has no resource id to infer; begin a write without a resource of its own with Invalidation::new()",
                self.sources.origin()
            )];
        };
        let mut found = self.sources_of(policy.key_prefix, "key_prefix");
        let shape = match id {
            KeyId::Argument(name) => {
                found.extend(self.source_of(name, "resource_id_name"));
                Shape::of(policy.key_prefix).with_argument(name)
            }
            KeyId::Literal(literal) => Shape::of(policy.key_prefix).with_literal(literal),
        };
        let text = key_text(policy.key_prefix, id);
        found.extend(self.key(&shape, &text));
        found
    }

    /// The mistakes of a further key.
    fn extra(&mut self, prefix: &'static str, id: &'static str) -> Vec<String> {
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
        } else if self.reported.insert(id.to_owned()) {
            found.push(format!(
                "to_invalidate_extra (\"{prefix}\", \"{id}\"): `{id}` is no argument of {}, which has {}, and no policy \
                 stores the literal; stored is {}. {}",
                self.sources.owner(),
                list(self.sources.names()),
                list(with_prefix.iter().map(|stored| stored.text.as_str())),
                cure_of_missing(id, self.sources),
            ));
        }
        found
    }

    /// The mistakes of a group.
    fn group(&mut self, group: &'static str) -> Vec<String> {
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
    fn pattern(&mut self, pattern: &'static str) -> Vec<String> {
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

    fn stored(&self) -> std::slice::Iter<'a, Stored<'a>> {
        self.context.stored.iter()
    }

    /// The placeholders of a template that are no arguments of the route.
    fn sources_of(&mut self, template: &'static str, word: &str) -> Vec<String> {
        Template::parse(template)
            .placeholders()
            .filter_map(|name| self.source_of(name, &format!("{word} `{template}`")))
            .collect()
    }

    /// The mistake of an argument that the route does not have.
    fn source_of(&mut self, name: &str, place: &str) -> Option<String> {
        (!self.sources.has(name) && self.reported.insert(name.to_owned()))
            .then(|| missing_source(name, place, self.sources))
    }
}

/// The mistake of a key or group that is not among the known ones; `None` where it is.
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
             same value; {}",
            if is_id(theirs) {
                "use an argument that holds the id and whose name ends in `_id`, such as `owner_id`"
            } else {
                "use an argument that holds the name and whose own name does not end in `_id`, such as `owner`"
            }
        ),
        None => format!(
            "no cached route stores {named}{}",
            did_you_mean(text, known.iter().map(|(_, text)| *text))
        ),
    })
}
