//! Keys: how values are escaped into them and how long they may be (C1, C4, C5).

use super::escape::fit;

/// What the key of a group's record begins with, behind the namespace.
pub(in crate::infrastructure::cache) const GROUP: &str = "~group:";

/// A key as the application knows it and as the server does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::infrastructure::cache) struct Key {
    full: String,
    /// Where the application's key begins in `full`.
    namespace_bytes: usize,
    /// What the server knows it by, where `full` is too long for it.
    shortened: Option<String>,
}

impl Key {
    /// The key that a full key is, behind a namespace of so many bytes.
    pub(in crate::infrastructure::cache) fn new(full: String, namespace_bytes: usize) -> Self {
        Self {
            full,
            namespace_bytes,
            shortened: None,
        }
    }

    /// Shortens what the server gets to see to what it takes (C5).
    pub(in crate::infrastructure::cache) fn fit(&mut self, max_bytes: usize) {
        if self.full.len() > max_bytes {
            self.shortened = Some(fit(self.full.clone(), max_bytes));
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

    /// The group whose record stands under this key.
    pub(in crate::infrastructure::cache) fn group(&self) -> &str {
        self.name().strip_prefix(GROUP).unwrap_or_default()
    }
}

/// The key of a group's record.
pub(in crate::infrastructure::cache) fn group_key(group: &str) -> String {
    format!("{GROUP}{group}")
}
