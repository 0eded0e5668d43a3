//! What goes in and out of `/cache/stats`, `/cache/map` and `/cache/purge`.
//!
//! Come here to change the form of an answer, or a bound. Entries and events are in `entries`; the words of the cache itself are in
//! `infrastructure::cache`.

use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::route_figures::RouteFigures;
use crate::cache::{self, BackendState, MapRow, Purge, Purged};

/// The state of the cache, as one instance sees it.
#[derive(Debug, JsonSchema, Serialize)]
pub struct Stats {
    /// `up`, `down` or `disabled`.
    #[schemars(example = &"up")]
    pub health: &'static str,
    /// `CACHE_NAMESPACE`.
    pub namespace: String,
    /// The instance that answers. Behind a load balancer it may be another one each time.
    pub instance: String,
    /// The entries that were found stale by running handlers again (`CACHE_VERIFY_PERCENT`).
    pub stale_entries_found: u64,
    /// The servers.
    pub backends: Vec<Backend>,
    /// The numbers of each route with requests; absent with `METRICS_ENABLED=false`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub routes: Option<Vec<RouteFigures>>,
}

/// A server of the cache.
#[derive(Debug, JsonSchema, Serialize)]
pub struct Backend {
    /// The name in the log.
    pub name: String,
    /// `redis`, `memcached` or `memory`.
    #[schemars(example = &"redis")]
    pub kind: &'static str,
    /// Whether it is the one of `CACHE_BACKEND`.
    pub is_default: bool,
    /// `ready`, `doubtful`, `recovering` or `unavailable`.
    #[schemars(example = &"ready")]
    pub availability: &'static str,
    /// The reason that it does not work completely.
    pub shortfall: Option<String>,
    /// The number of keys whose deletion is pending.
    pub pending_keys: usize,
    /// Whether the whole namespace will be distrusted at the recovery.
    pub pending_everything: bool,
}

impl From<BackendState> for Backend {
    fn from(state: BackendState) -> Self {
        Self {
            name: state.name,
            kind: state.kind,
            is_default: state.is_default,
            availability: state.availability,
            shortfall: state.shortfall,
            pending_keys: state.pending_keys,
            pending_everything: state.pending_everything,
        }
    }
}

/// The declared routes and changes.
#[derive(Debug, JsonSchema, Serialize)]
pub struct Map {
    /// Each method of each path, in the order of their declaration.
    pub routes: Vec<MapRoute>,
    /// The changes of the database that triggers record, whoever makes them.
    pub changes: Vec<MapChange>,
}

/// One route with what is cached of it, or what it ends.
#[derive(Debug, JsonSchema, Serialize)]
pub struct MapRoute {
    /// The method.
    #[schemars(example = &"GET")]
    pub method: String,
    /// The template of the path.
    #[schemars(example = &"/api/v1/users/{username}")]
    pub path: String,
    /// `anyone`, `signed in` or `superuser`.
    #[schemars(example = &"anyone")]
    pub caller: &'static str,
    /// Whether the answer is read through the cache.
    pub cached: bool,
    /// The template of the key that a read stores or a write deletes.
    pub key: Option<String>,
    /// Seconds; absent where `DEFAULT_CACHE_EXPIRATION` applies, and for writes.
    pub expiration: Option<u64>,
    /// `shared`, `per caller` or `anonymous`, for cached routes.
    pub audience: Option<&'static str>,
    /// The template of the group of the entries.
    pub group: Option<&'static str>,
    /// The further keys that a write ends.
    pub ends_keys: Vec<String>,
    /// The groups that a write ends.
    pub ends_groups: Vec<&'static str>,
    /// The globs by which a write deletes.
    pub ends_patterns: Vec<&'static str>,
}

impl From<MapRow> for MapRoute {
    fn from(row: MapRow) -> Self {
        Self {
            method: row.method,
            path: row.path,
            caller: row.caller,
            cached: row.cached,
            key: row.key,
            expiration: row.expiration,
            audience: row.audience,
            group: row.group,
            ends_keys: row.invalidates.keys,
            ends_groups: row.invalidates.groups,
            ends_patterns: row.invalidates.patterns,
        }
    }
}

/// Changes of one kind, with what the feed ends for each of them.
#[derive(Debug, JsonSchema, Serialize)]
pub struct MapChange {
    /// The name that the trigger gives.
    #[schemars(example = &"users")]
    pub kind: &'static str,
    /// The templates of the keys that a change ends.
    pub ends_keys: Vec<String>,
    /// The groups that a change ends.
    pub ends_groups: Vec<&'static str>,
    /// The globs by which a change deletes.
    pub ends_patterns: Vec<&'static str>,
}

impl From<cache::MapChange> for MapChange {
    fn from(change: cache::MapChange) -> Self {
        Self {
            kind: change.kind,
            ends_keys: change.invalidates.keys,
            ends_groups: change.invalidates.groups,
            ends_patterns: change.invalidates.patterns,
        }
    }
}

/// The entries to end. One name at least.
#[derive(Debug, Default, Deserialize, JsonSchema, Validate)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("anyOf" = one_list_with_a_name()))]
pub struct PurgeRequest {
    /// Keys, each with its variants.
    #[garde(length(max = 100), inner(length(bytes, min = 1, max = 1024)))]
    pub keys: Vec<String>,
    /// Groups, with their values.
    #[garde(
        length(max = 100),
        inner(length(bytes, min = 1, max = 1024), custom(is_name))
    )]
    pub groups: Vec<String>,
    /// Policies, by the `key` of their cached route in `/cache/map`.
    #[garde(length(max = 100), inner(length(bytes, min = 1, max = 1024)))]
    pub policies: Vec<String>,
    /// Redis globs.
    #[garde(
        length(max = 100),
        inner(length(bytes, min = 1, max = 1024), custom(is_name))
    )]
    pub patterns: Vec<String>,
}

/// The rule of a purge for the description of the API: one of the lists contains a name.
fn one_list_with_a_name() -> Value {
    let lists = ["keys", "groups", "policies", "patterns"];
    lists
        .map(|list| json!({"required": [list], "properties": {list: {"minItems": 1}}}))
        .into()
}

/// Names of groups have the characters of keys.
#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "garde passes the context by reference"
)]
fn is_name(name: &str, _: &()) -> garde::Result {
    if name.bytes().all(|byte| byte.is_ascii_graphic()) && !name.starts_with('~') {
        Ok(())
    } else {
        Err(garde::Error::new(
            "must have only visible ASCII characters, and not begin with `~`",
        ))
    }
}

impl From<PurgeRequest> for Purge {
    fn from(wanted: PurgeRequest) -> Self {
        Self {
            keys: wanted.keys,
            groups: wanted.groups,
            policies: wanted.policies,
            patterns: wanted.patterns,
        }
    }
}

/// What was ended.
#[derive(Debug, JsonSchema, Serialize)]
pub struct PurgeResult {
    /// The keys, and their variants.
    pub keys: Vec<String>,
    /// The groups.
    pub groups: Vec<String>,
    /// The globs whose keys were deleted, those of policies included.
    pub patterns: Vec<String>,
    /// Everything was ended, since a policy was named and a backend cannot delete by pattern.
    pub everything: bool,
    /// The globs that a backend cannot delete by: name groups or policies instead.
    pub unsupported: Vec<String>,
    /// The backends that are unavailable: their deletions are kept, and delivered before this service uses them again.
    pub pending: Vec<String>,
}

impl From<Purged> for PurgeResult {
    fn from(purged: Purged) -> Self {
        Self {
            keys: purged.keys,
            groups: purged.groups,
            patterns: purged.patterns,
            everything: purged.everything,
            unsupported: purged.unsupported,
            pending: purged.pending,
        }
    }
}
