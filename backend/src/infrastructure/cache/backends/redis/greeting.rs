//! The greeting of a server: its version, its role and its mode, as `HELLO` answers.
//!
//! Come here to change which kinds of servers are refused (C60). The consequences of a role are decided in `identity`.

use redis::{Value, from_redis_value};

/// The refusal of a node of Redis Cluster.
const CLUSTER: &str =
    "the server is a node of a Redis Cluster; use CACHE_REDIS_MODE=cluster with CACHE_REDIS_NODES";
/// The refusal of a Redis that stands alone, where a Cluster is expected.
const NO_CLUSTER: &str = "the server is no node of a Redis Cluster; use CACHE_REDIS_MODE=single, or start it with cluster-enabled";
/// The refusal of a Sentinel.
const SENTINEL: &str = "the server is a Sentinel, which stores nothing; name it in CACHE_REDIS_SENTINELS, with \
    CACHE_REDIS_MODE=sentinel";

/// The answer to `HELLO`.
#[derive(Debug, Default)]
pub(super) struct Greeting {
    /// Whether the server is a replica of another one.
    pub(super) is_replica: bool,
    /// The first number of the version; 0 where it is unknown.
    pub(super) major: u32,
    mode: Option<String>,
}

impl Greeting {
    pub(super) fn read(value: Value) -> Self {
        let fields: Vec<(String, Value)> = match value {
            Value::Map(fields) => fields.into_iter().filter_map(named).collect(),
            Value::Array(flat) => {
                let mut flat = flat.into_iter();
                let pairs = std::iter::from_fn(|| Some((flat.next()?, flat.next()?)));
                pairs.filter_map(named).collect()
            }
            _ => Vec::new(),
        };
        let field = |name: &str| {
            let found = fields.iter().find(|(field, _)| field == name)?;
            from_redis_value::<String>(found.1.clone()).ok()
        };
        let major = field("version").and_then(|version| version.split('.').next()?.parse().ok());
        Self {
            is_replica: field("role").is_some_and(|role| role != "master"),
            major: major.unwrap_or_default(),
            mode: field("mode"),
        }
    }

    /// The reason that a server of this kind can never hold the entries; `None` where it can.
    pub(super) fn misfit(&self, of_cluster: bool) -> Option<&'static str> {
        match self.mode.as_deref() {
            Some("cluster") if !of_cluster => Some(CLUSTER),
            Some("standalone") if of_cluster => Some(NO_CLUSTER),
            Some("sentinel") => Some(SENTINEL),
            _ => None,
        }
    }
}

fn named((name, value): (Value, Value)) -> Option<(String, Value)> {
    Some((from_redis_value(name).ok()?, value))
}
