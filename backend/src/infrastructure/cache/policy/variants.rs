//! Variants of a resource: several entries of one policy for one resource, one for each caller or each query (C44).
//!
//! Come here when a write does not end the entry of another caller or another query, or when a read looks up one key more
//! than expected. The records themselves are created in `lookup::claim`, not here.

use super::policy::{Audience, CachePolicy, ResourceId};
use crate::keys::{CALLER, QUERY_HASH, Template};

/// The key that a write deletes to end all entries of a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ends {
    /// The key of the entry: the resource has one entry.
    Key,
    /// The record of the declared group: the group has the same entries as the resource.
    Group,
    /// The record of the resource. Each read looks it up together with the key, in one round trip.
    Record,
}

/// The variants of a policy's resources.
#[derive(Debug)]
pub(super) struct Variants {
    pub(super) ends: Ends,
    /// The arguments of the key that differ between the variants of one resource, such as the caller or a page. The name of
    /// the record does not contain them, because a write does not know them.
    left_out: Vec<&'static str>,
}

impl Variants {
    pub(super) fn of(policy: &CachePolicy, prefix: &Template, group: Option<&Template>) -> Self {
        let id = match policy.resource_id {
            ResourceId::Argument(name) => Some(name),
            ResourceId::Literal(_) | ResourceId::Inferred => None,
        };
        let placed: Vec<&'static str> = prefix.placeholders().chain(id).collect();
        let names = policy.query.map(|query| (query.names)());
        let is_of_query = |name: &str| match names {
            None => false,
            Some(_) if name == CALLER => false,
            Some(names) => name == QUERY_HASH || names.is_none_or(|names| names.contains(&name)),
        };
        // With a literal id, or the caller as id, the resource belongs to the caller alone.
        let has_id_of_its_own = match policy.resource_id {
            ResourceId::Literal(_) => false,
            ResourceId::Argument(name) => name != CALLER,
            ResourceId::Inferred => true,
        };
        let left_out: Vec<_> = placed
            .iter()
            .copied()
            .filter(|name| is_of_query(name) || (*name == CALLER && has_id_of_its_own))
            .collect();
        let appends_caller = policy.audience == Audience::PerCaller && !placed.contains(&CALLER);
        let appends_fields = match names {
            None => false,
            Some(_) if placed.contains(&QUERY_HASH) => false,
            Some(None) => true,
            Some(Some(names)) => names.iter().any(|name| !placed.contains(name)),
        };
        // Where group and resource are named by the same arguments, they have the same entries.
        let names_the_resource = |group: &Template| {
            let is_named = |name: &&str| !left_out.contains(name);
            matches!(
                policy.resource_id,
                ResourceId::Argument(_) | ResourceId::Literal(_)
            ) && group
                .placeholders()
                .all(|name| placed.contains(&name) && is_named(&name))
                && placed
                    .iter()
                    .filter(|name| is_named(name))
                    .all(|name| group.places(name))
        };
        let ends = if left_out.is_empty() && !appends_caller && !appends_fields {
            Ends::Key
        } else if group.is_some_and(names_the_resource) {
            Ends::Group
        } else {
            Ends::Record
        };
        Self { ends, left_out }
    }

    /// Whether an argument is no part of the resource's name.
    pub(super) fn leave_out(&self, name: &str) -> bool {
        self.left_out.contains(&name)
    }

    /// Whether the key of an entry can be built from the resource's name alone.
    pub(super) fn leave_out_nothing(&self) -> bool {
        self.left_out.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use serde::{Deserialize, Serialize};

    use super::*;

    #[derive(Deserialize, Serialize)]
    struct Pages {
        page: u32,
    }

    fn ends(policy: CachePolicy) -> Ends {
        let prefix = Template::parse(policy.key_prefix);
        let group = policy.group.map(Template::parse);
        Variants::of(&policy, &prefix, group.as_ref()).ends
    }

    #[test]
    fn c44_only_policies_with_variants_look_up_a_second_key() {
        const NOTE: CachePolicy = CachePolicy::new("note").resource_id_name("note_id");
        const LIST: CachePolicy = CachePolicy::new("list_{owner}:page_{page}")
            .resource_id_name("owner")
            .query::<Pages>();
        const ME: CachePolicy = CachePolicy::new("me_{caller}").resource_id("all");
        for (policy, expected) in [
            (NOTE.shared(), Ends::Key),
            (NOTE.shared().group("notes"), Ends::Key),
            (ME.per_caller(), Ends::Key),
            (ME.query::<Pages>(), Ends::Record),
            (NOTE.per_caller(), Ends::Record),
            (NOTE.per_caller().group("notes"), Ends::Record),
            (NOTE.per_caller().group("note_{note_id}"), Ends::Group),
            (NOTE.query::<Pages>(), Ends::Record),
            (LIST, Ends::Record),
            (LIST.group("list_{owner}"), Ends::Group),
            (LIST.group("lists"), Ends::Record),
            (LIST.group("list_{owner}:{page}"), Ends::Record),
            (LIST.resource_id_name("query_hash"), Ends::Record),
            (
                CachePolicy::new("note_{caller}").resource_id_name("id"),
                Ends::Record,
            ),
        ] {
            assert_eq!(ends(policy), expected, "{policy:?}");
        }
    }
}
