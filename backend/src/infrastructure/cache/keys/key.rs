//! A key in the application's form and in the server's form, with its identity (C1, C5, C63).
//!
//! Come here for the parts of a key behind the namespace. How values are escaped into a key is in
//! `escape`.

use rapidhash::v3::rapidhash_v3;

use super::escape::fit;

/// The beginning of the key of a declared group's record, behind the namespace (C36).
pub(crate) const GROUP: &str = "~group:";

/// The beginning of the key of a resource's record, behind the namespace (C44).
pub(crate) const RESOURCE: &str = "~resource:";

/// The beginning of the key of a counter, behind the namespace.
const COUNTER: &str = "~counter:";

/// A key in the application's form and in the server's form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    /// The application's form, with the namespace.
    whole: String,
    /// The number of bytes of the namespace at the beginning of `whole`.
    namespace_bytes: usize,
    /// The server's form, where `whole` is too long for the server.
    shortened: Option<String>,
    identity: u64,
}

impl Key {
    /// A key whose namespace takes the first `namespace_bytes` of the whole text.
    pub(crate) fn new(whole: String, namespace_bytes: usize) -> Self {
        Self {
            identity: rapidhash_v3(whole.as_bytes()),
            whole,
            namespace_bytes,
            shortened: None,
        }
    }

    /// Shortens the server's form to at most `max_bytes` (C5).
    pub(crate) fn fit(&mut self, max_bytes: usize) {
        if let Some(shortened) = fit(&self.whole, max_bytes) {
            self.shortened = Some(shortened);
        }
    }

    /// The key without the namespace.
    pub(crate) fn name(&self) -> &str {
        &self.whole[self.namespace_bytes..]
    }

    /// The full key: the server's form, with the namespace.
    pub(crate) fn full(&self) -> &str {
        self.shortened.as_deref().unwrap_or(&self.whole)
    }

    /// The server's form of the key, as an owned text.
    pub(crate) fn into_full(self) -> String {
        self.shortened.unwrap_or(self.whole)
    }

    /// The hash of the whole key, with the namespace and not shortened. Each value under the key
    /// contains it (C63). 64 bits of rapidhash, version 3, whose output is the same on every machine and
    /// in every release.
    pub(crate) fn identity(&self) -> u64 {
        self.identity
    }
}

/// The key of a declared group's record.
pub(crate) fn group_key(group: &str) -> String {
    format!("{GROUP}{group}")
}

/// The key of a counter. No route and no service has a key that begins like it.
pub(crate) fn counter_key(name: &str) -> String {
    format!("{COUNTER}{name}")
}

/// The key of the record of the resource `{prefix}:{id}`.
pub(crate) fn resource_key(resource: &str) -> String {
    format!("{RESOURCE}{resource}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c63_the_identity_of_a_key_stays_from_release_to_release() {
        // Stored values contain this number: with another algorithm each stored value would belong to
        // another key.
        let key = |text: &str| Key::new(text.to_owned(), 0).identity();
        assert_eq!(key("user:42"), key("user:42"));
        assert_ne!(key("user:42"), key("user:43"));
        assert_ne!(key(&"x".repeat(300)), key(&"x".repeat(301)));
        assert_eq!(key("user:42"), 7_950_412_956_175_757_289);
    }

    #[test]
    fn c63_a_shortened_key_has_the_identity_of_the_whole() {
        let mut key = Key::new("x".repeat(300), 0);
        let identity = key.identity();
        key.fit(250);
        assert_eq!((key.full().len(), key.identity()), (250, identity));
    }
}
