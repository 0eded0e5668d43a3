//! `backend cache show`: an entry of the cache as text.
//!
//! Come here to change what the command prints. How the entry is read is in the cache's `provider::show`; nothing is logged, because
//! a body may be one caller's own.

use std::fmt::Write as _;

use crate::infrastructure::cache::{
    CacheError, CacheOptions, InspectedEntry, Standing, StoredUnderKey,
};
use crate::infrastructure::settings::CacheSettings;

/// An entry that is shown.
#[derive(Clone, Debug)]
pub struct ShownEntry(Box<InspectedEntry>);

/// The reason that no entry is shown.
#[derive(Debug, thiserror::Error)]
pub enum NoEntry {
    /// Nothing is stored under the key.
    #[error("there is no entry under {0}")]
    Nothing(String),
    /// A reader fills the key.
    #[error("there is no entry under {0}: a request claimed it {1} ms ago and runs the handler")]
    Claimed(String, u64),
    /// The value counts as a miss.
    #[error(
        "the {1} bytes under {0} are no entry: they are damaged, foreign or of another version, and count as a miss"
    )]
    Unreadable(String, usize),
    /// The key cannot be read.
    #[error("{0}")]
    Cache(#[from] CacheError),
}

impl ShownEntry {
    /// Reads the entry under a key, without `CACHE_NAMESPACE`, on a registered backend; `None` is the one of `CACHE_BACKEND`.
    ///
    /// # Errors
    /// There is no entry, or the server does not answer.
    pub async fn read(
        settings: &CacheSettings,
        backend: Option<&str>,
        key: &str,
    ) -> Result<Self, NoEntry> {
        match StoredUnderKey::read(&CacheOptions::from(settings), backend, key).await? {
            StoredUnderKey::Entry(entry) => Ok(Self(entry)),
            StoredUnderKey::Nothing => Err(NoEntry::Nothing(key.to_owned())),
            StoredUnderKey::Claim(age) => Err(NoEntry::Claimed(key.to_owned(), age)),
            StoredUnderKey::Unreadable(value) => {
                Err(NoEntry::Unreadable(key.to_owned(), value.len()))
            }
        }
    }

    /// The lines before the body, with the empty one that ends them: first the cache's own, then the headers of the answer.
    #[must_use]
    pub fn head(&self) -> String {
        let InspectedEntry {
            entry,
            headers,
            etag,
            is_compressed,
            body,
        } = &*self.0;
        let state = match entry.standing {
            Standing::Answer => "answer",
            Standing::Expired => "expired",
            Standing::Ended => "ended",
        };
        let mut head = format!("key: {}\nstate: {state}\n", entry.key);
        let _ = writeln!(head, "age: {} s", entry.age / 1000);
        let _ = writeln!(head, "ttl: {} s", entry.time_to_live / 1000);
        let _ = writeln!(head, "cost: {} ms", entry.cost);
        for (name, value) in [("group", &entry.group), ("resource", &entry.resource)] {
            if let Some(value) = value {
                let _ = writeln!(head, "{name}: {value}");
            }
        }
        let _ = write!(head, "size: {} bytes", body.len());
        if *is_compressed {
            let _ = write!(head, ", {} as stored (zstd)", entry.size);
        }
        let _ = write!(head, "\n\nstatus: {}\netag: {etag}\n", entry.status);
        for (name, value) in headers {
            let _ = writeln!(head, "{name}: {value}");
        }
        head.push('\n');
        head
    }

    /// The body as its handler sent it.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.0.body
    }

    /// All of it for a terminal: control characters are written out, so that a body cannot command the terminal.
    #[must_use]
    pub fn for_terminal(&self) -> String {
        let text = self.head() + &String::from_utf8_lossy(self.body());
        let mut shown = String::with_capacity(text.len());
        for character in text.chars() {
            if character.is_control() && !matches!(character, '\n' | '\t') {
                shown.extend(character.escape_unicode());
            } else {
                shown.push(character);
            }
        }
        shown
    }
}
