//! Purges by operators: the invalidation of a write, without the write.
//!
//! Come here to change what a purge ends. It is carried out as the invalidation of a write is (C15–C17), also while a backend is
//! unavailable (C35).

use super::cache::Cache;
use super::error::CacheError;
use super::invalidate::carry_out;
use super::provider::check_key;
use crate::backends::glob;
use crate::events::Cause;
use crate::policy::WritePlan;

/// The names that an operator ends.
#[derive(Clone, Debug, Default)]
pub struct Purge {
    /// Keys, each with the variants of the resource of that name (C44).
    pub keys: Vec<String>,
    /// Groups, with their values: `user_ada_widgets`.
    pub groups: Vec<String>,
    /// Templates of keys, as the map has them: all entries of the policy.
    pub policies: Vec<String>,
    /// Redis globs.
    pub patterns: Vec<String>,
}

/// The result of a purge. When it is returned, no instance that reaches the backends answers with an earlier entry, but for
/// the patterns in `unsupported`.
#[derive(Clone, Debug, Default)]
pub struct Purged {
    /// The ended keys, and the resources of these names.
    pub keys: Vec<String>,
    /// The ended groups.
    pub groups: Vec<String>,
    /// The globs whose keys were deleted.
    pub patterns: Vec<String>,
    /// Everything was ended, since a policy was named and a backend cannot delete by pattern.
    pub everything: bool,
    /// The globs that a backend cannot delete by.
    pub unsupported: Vec<String>,
    /// The backends to which deletions could not be delivered. They are kept and delivered before the backend is trusted again.
    pub pending: Vec<String>,
}

impl Cache {
    /// Ends these entries on every registered backend. The cause is that of the event.
    ///
    /// # Errors
    /// A key is invalid: nothing was ended. The cache is off.
    pub async fn purge(&self, purge: &Purge, cause: Cause) -> Result<Purged, CacheError> {
        if !self.shared.enabled {
            return Err(CacheError::unavailable("CACHE_ENABLED is false"));
        }
        for key in &purge.keys {
            check_key(key)?;
        }
        let of_policies: Vec<String> = purge.policies.iter().map(|key| glob_of(key)).collect();
        let patterns: Vec<String> = [purge.patterns.as_slice(), &of_policies].concat();
        let plan = WritePlan {
            keys: purge.keys.clone(),
            resources: purge.keys.clone(),
            groups: purge.groups.clone(),
            patterns: patterns.clone(),
            ..WritePlan::default()
        };
        let mut purged = Purged {
            keys: purge.keys.clone(),
            groups: purge.groups.clone(),
            ..Purged::default()
        };
        let mut refused: Vec<&str> = Vec::new();
        for (registered, carried) in carry_out(&self.shared, &plan, cause.clone()).await {
            if carried.pending.is_some() {
                purged.pending.push(registered.servers.name().to_owned());
            }
            refused.extend(carried.unsupported);
        }
        let (left, done): (Vec<String>, Vec<String>) = patterns
            .into_iter()
            .partition(|pattern| refused.contains(&pattern.as_str()));
        purged.patterns = done;
        let is_policy_left = of_policies.iter().any(|own| left.contains(own));
        purged.unsupported = left;
        if is_policy_left {
            let everything = WritePlan {
                everything: true,
                ..WritePlan::default()
            };
            carry_out(&self.shared, &everything, cause).await;
            purged.everything = true;
            purged.unsupported.clear();
        }
        Ok(purged)
    }
}

/// The glob of all keys of a template. What a key has behind its template, such as further fields of the query, is included.
fn glob_of(template: &str) -> String {
    let mut pattern = String::new();
    let mut rest = template;
    while let Some((literal, behind)) = rest.split_once('{') {
        pattern.push_str(&glob::escape(literal));
        pattern.push('*');
        rest = behind.split_once('}').map_or("", |(_, rest)| rest);
    }
    pattern.push_str(&glob::escape(rest));
    if !pattern.ends_with('*') {
        pattern.push('*');
    }
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_becomes_the_glob_of_its_keys() {
        for (template, expected) in [
            ("widget:{widget_id}", "widget:*"),
            ("widget_count:global", "widget_count:global*"),
            (
                "user_{username}_widgets:page_{page}:{username}",
                "user_*_widgets:page_*:*",
            ),
        ] {
            assert_eq!(glob_of(template), expected);
        }
    }
}
