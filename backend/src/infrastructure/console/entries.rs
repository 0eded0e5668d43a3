//! Input and output of `/cache/entries` and `/cache/events`.
//!
//! Come here to change the fields of an entry or an event in the console. Their values come from the cache.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::cache::{CacheEvent, EventKind, EventSource, InspectedEntry, ListedEntry, Standing};
use crate::http::without_nul;

/// The wanted part of the entries.
#[derive(Debug, Deserialize, JsonSchema, Serialize, Validate)]
#[serde(default)]
pub struct EntriesQuery {
    /// The beginning of the keys, without the namespace. Empty for all.
    #[garde(length(bytes, max = 1024), custom(without_nul))]
    pub prefix: String,
    /// `next_cursor` of the part before; absent for the first one.
    #[garde(skip)]
    pub cursor: Option<u64>,
    /// About the number of entries: a part may have up to 200 more, or fewer.
    #[garde(range(min = 1, max = 200))]
    pub limit: usize,
}

impl Default for EntriesQuery {
    fn default() -> Self {
        Self {
            prefix: String::new(),
            cursor: None,
            limit: 50,
        }
    }
}

/// A part of the entries.
#[derive(Debug, JsonSchema, Serialize)]
pub struct EntryPage {
    /// The entries, in no order.
    pub data: Vec<Entry>,
    /// The `cursor` of the next part; null after the last one. A part may be empty although others follow, because the work
    /// for one part is bounded. Entries that are stored meanwhile may be left out, and an entry may come twice.
    pub next_cursor: Option<String>,
    /// Whether the backend can list its entries. Memcached cannot: these are entries that this instance has stored lately.
    pub is_list_of_server: bool,
}

/// An entry.
#[derive(Debug, JsonSchema, Serialize)]
pub struct Entry {
    /// The key, without the namespace.
    #[schemars(example = &"user:ada")]
    pub key: String,
    /// `answer`: it is given to readers. `expired`: its time is over. `ended`: it was invalidated, with its group, its resource
    /// or the namespace.
    #[schemars(example = &"answer")]
    pub state: &'static str,
    /// The time of storing.
    pub stored_at: DateTime<Utc>,
    /// Seconds since then.
    pub age_seconds: f64,
    /// Seconds until it expires; negative since when it is expired.
    pub ttl_seconds: f64,
    /// The size of the body.
    pub size_bytes: usize,
    /// The status of the answer.
    pub status: u16,
    /// The time that the handler took.
    pub handler_milliseconds: u64,
    /// The resource whose end is the entry's.
    pub resource: Option<String>,
    /// The group that it belongs to.
    pub group: Option<String>,
}

#[expect(
    clippy::cast_precision_loss,
    reason = "milliseconds since an entry was stored are far below 2⁵³"
)]
impl From<ListedEntry> for Entry {
    fn from(entry: ListedEntry) -> Self {
        Self {
            key: entry.key,
            state: match entry.standing {
                Standing::Answer => "answer",
                Standing::Expired => "expired",
                Standing::Ended => "ended",
            },
            stored_at: time(entry.stored),
            age_seconds: entry.age as f64 / 1000.0,
            ttl_seconds: entry.time_to_live as f64 / 1000.0,
            size_bytes: entry.size,
            status: entry.status,
            handler_milliseconds: entry.cost,
            resource: entry.resource,
            group: entry.group,
        }
    }
}

/// An entry with its content.
#[derive(Debug, JsonSchema, Serialize)]
pub struct EntryContent {
    /// The metadata.
    pub entry: Entry,
    /// The headers that the handler set.
    pub headers: Vec<EntryHeader>,
    /// `text`, or `base64` where the body is not UTF-8.
    #[schemars(example = &"text")]
    pub body_encoding: &'static str,
    /// The body.
    pub body: String,
}

/// A header of an entry.
#[derive(Debug, JsonSchema, Serialize)]
pub struct EntryHeader {
    /// The name, in lower case.
    pub name: String,
    /// The value.
    pub value: String,
}

impl From<InspectedEntry> for EntryContent {
    fn from(found: InspectedEntry) -> Self {
        let headers = found.headers.into_iter();
        let (body_encoding, body) = match std::str::from_utf8(&found.body) {
            Ok(text) => ("text", text.to_owned()),
            Err(_) => ("base64", STANDARD.encode(&found.body)),
        };
        Self {
            entry: found.entry.into(),
            headers: headers
                .map(|(name, value)| EntryHeader { name, value })
                .collect(),
            body_encoding,
            body,
        }
    }
}

/// The wanted events.
#[derive(Debug, Deserialize, JsonSchema, Serialize, Validate)]
#[serde(default)]
pub struct EventsQuery {
    /// Only those of this key, and those of the groups and the resource of its entries. Absent for all.
    #[garde(length(bytes, min = 1, max = 1024), inner(custom(without_nul)))]
    pub key: Option<String>,
    /// The number of the page, from 1.
    #[garde(range(min = 1, max = 1000))]
    pub page: i64,
    /// The number of events on a page: 1–100.
    #[garde(range(min = 1, max = 100))]
    pub items_per_page: i64,
}

impl Default for EventsQuery {
    fn default() -> Self {
        Self {
            key: None,
            page: 1,
            items_per_page: 20,
        }
    }
}

/// Something that happened to entries.
#[derive(Debug, JsonSchema, Serialize)]
pub struct Event {
    /// The time.
    pub at: DateTime<Utc>,
    /// `stored` or `invalidated`.
    #[schemars(example = &"invalidated")]
    pub kind: &'static str,
    /// `request`, `service`, `feed` (a change of the database) or `operator` (a purge).
    #[schemars(example = &"request")]
    pub source: &'static str,
    /// The id of the request, which the log has too.
    pub request_id: Option<String>,
    /// The method and the template of the path.
    #[schemars(example = &"PATCH /api/v1/users/{username}")]
    pub route: Option<String>,
    /// The instance.
    pub instance: String,
    /// Keys, at most 20.
    pub keys: Vec<String>,
    /// Resources, whose variants are meant too; at most 20.
    pub resources: Vec<String>,
    /// Groups, at most 20.
    pub groups: Vec<String>,
    /// Globs, at most 20.
    pub patterns: Vec<String>,
    /// The whole namespace.
    pub everything: bool,
    /// The number of names that are left out here.
    pub left_out: usize,
}

impl From<CacheEvent> for Event {
    fn from(event: CacheEvent) -> Self {
        let names = Arc::unwrap_or_clone(event.names);
        Self {
            at: time(event.at),
            kind: match event.kind {
                EventKind::Stored => "stored",
                EventKind::Invalidated => "invalidated",
            },
            source: match event.cause.source {
                EventSource::Request => "request",
                EventSource::Service => "service",
                EventSource::Feed => "feed",
                EventSource::Operator => "operator",
            },
            request_id: event.cause.request_id,
            route: event.cause.route,
            instance: event.instance,
            keys: names.keys,
            resources: names.resources,
            groups: names.groups,
            patterns: names.patterns,
            everything: names.everything,
            left_out: names.left_out,
        }
    }
}

fn time(milliseconds: u64) -> DateTime<Utc> {
    let milliseconds = i64::try_from(milliseconds).unwrap_or(i64::MAX);
    DateTime::from_timestamp_millis(milliseconds).unwrap_or(DateTime::UNIX_EPOCH)
}
