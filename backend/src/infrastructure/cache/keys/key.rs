//! A key as the application knows it and as the server does, with its identity (C1, C5, C63).
//!
//! Come here for what stands behind the namespace. How values are escaped into a key is in `escape`.

use rapidhash::v3::rapidhash_v3;

use super::escape::fit;

/// What the key of a declared group's record begins with, behind the namespace (C36).
pub(in crate::infrastructure::cache) const GROUP: &str = "~group:";

/// What the key of a resource's record begins with, behind the namespace (C44).
pub(in crate::infrastructure::cache) const RESOURCE: &str = "~resource:";

/// A key as the application knows it and as the server does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::infrastructure::cache) struct Key {
    full: String,
    /// Where the application's key begins in `full`.
    namespace_bytes: usize,
    /// What the server knows it by, where `full` is too long for it.
    shortened: Option<String>,
    identity: u64,
}

impl Key {
    /// The key that a full key is, behind a namespace of so many bytes.
    pub(in crate::infrastructure::cache) fn new(full: String, namespace_bytes: usize) -> Self {
        Self {
            identity: rapidhash_v3(full.as_bytes()),
            full,
            namespace_bytes,
            shortened: None,
        }
    }

    /// Shortens what the server gets to see to what it takes (C5).
    pub(in crate::infrastructure::cache) fn fit(&mut self, max_bytes: usize) {
        if let Some(shortened) = fit(&self.full, max_bytes) {
            self.shortened = Some(shortened);
        }
    }

    /// The key without the namespace.
    pub(in crate::infrastructure::cache) fn name(&self) -> &str {
        &self.full[self.namespace_bytes..]
    }

    /// The key as the server knows it.
    pub(in crate::infrastructure::cache) fn full(&self) -> &str {
        self.shortened.as_deref().unwrap_or(&self.full)
    }

    /// The key as the server knows it, for keeping.
    pub(in crate::infrastructure::cache) fn into_full(self) -> String {
        self.shortened.unwrap_or(self.full)
    }

    /// The hash of the whole key, namespace included and not shortened, that each value under it contains (C63).
    /// 64 bits of rapidhash, version 3, whose output is the same on every machine and in every release.
    pub(in crate::infrastructure::cache) fn identity(&self) -> u64 {
        self.identity
    }
}

/// The key of a declared group's record.
pub(in crate::infrastructure::cache) fn group_key(group: &str) -> String {
    format!("{GROUP}{group}")
}

/// The key of the record of the resource `{prefix}:{id}`.
pub(in crate::infrastructure::cache) fn resource_key(resource: &str) -> String {
    format!("{RESOURCE}{resource}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c63_the_identity_of_a_key_stays_from_release_to_release() {
        // Stored values contain it: another number makes each of them a value of another key.
        let key = |text: &str| Key::new(text.to_owned(), 0).identity();
        assert_eq!(key("widget:42"), key("widget:42"));
        assert_ne!(key("widget:42"), key("widget:43"));
        assert_ne!(key(&"x".repeat(300)), key(&"x".repeat(301)));
        assert_eq!(key("widget:42"), 3_956_598_314_972_019_986);
    }

    #[test]
    fn c63_a_shortened_key_has_the_identity_of_the_whole() {
        let mut key = Key::new("x".repeat(300), 0);
        let identity = key.identity();
        key.fit(250);
        assert_eq!((key.full().len(), key.identity()), (250, identity));
    }
}
