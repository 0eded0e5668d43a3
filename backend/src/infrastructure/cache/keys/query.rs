//! A route's declared query, normalised: deserialised, then serialised field by field (C2, C14).

use serde::Serialize;
use serde::de::DeserializeOwned;

/// The fields of a declared query in the order of the struct.
pub(in crate::infrastructure::cache) type QueryFields = Vec<(String, String)>;

/// Normalises the raw query text; `None` where it does not deserialise.
pub(in crate::infrastructure::cache) type QueryReader = fn(&str) -> Option<QueryFields>;

/// Deserialises the query, so that defaults apply and undeclared parameters fall away, and lists
/// its fields as text. A field that is `None` is left out.
pub(in crate::infrastructure::cache) fn read_query<Q: Serialize + DeserializeOwned>(
    raw: &str,
) -> Option<QueryFields> {
    let query: Q = serde_urlencoded::from_str(raw).ok()?;
    let normalised = serde_urlencoded::to_string(query).ok()?;
    serde_urlencoded::from_str(&normalised).ok()
}
