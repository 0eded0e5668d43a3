//! The conversation with one node about the map.
//!
//! Come here when a node refuses the question. How often it is asked is decided in `watch`; the answer is read in `map`.

use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{ConnectionInfo, RedisError};
use tokio::time::timeout;

use super::map::Map;
use super::seen::Answer;
use crate::backends::redis::topology_connection::connect;

/// The longest time for a connection and an answer.
pub(super) const ANSWER: Duration = Duration::from_millis(250);
/// The beginning of the error of a server that belongs to no Cluster.
pub(super) const NO_CLUSTER: &str = "the server is no node of a Redis Cluster";

/// A node of `CACHE_REDIS_NODES`, with its connection if there is one.
pub(super) struct Voter {
    /// Host and port, for messages.
    name: String,
    host: String,
    address: ConnectionInfo,
    connection: Option<MultiplexedConnection>,
}

impl Voter {
    pub(super) fn new(name: String, host: String, address: ConnectionInfo) -> Self {
        Self {
            name,
            host,
            address,
            connection: None,
        }
    }

    /// The map of this node, within [`ANSWER`]. An error contains the name of the node.
    pub(super) async fn ask(&mut self) -> Answer {
        let asked = timeout(ANSWER, self.converse()).await;
        let late = |_| Err(format!("no answer within {} ms", ANSWER.as_millis()));
        let answer = asked.unwrap_or_else(late);
        if answer.is_err() {
            self.connection = None;
        }
        answer.map_err(|error| format!("the node {}: {error}", self.name))
    }

    async fn converse(&mut self) -> Answer {
        let connection = match &mut self.connection {
            Some(connection) => connection,
            none => none.insert(connect(&self.address, ANSWER).await?),
        };
        let mut question = redis::cmd("CLUSTER");
        question.arg("NODES");
        let answer: Result<String, RedisError> = question.query_async(connection).await;
        let answer = answer.map_err(|error| {
            let text = error.to_string();
            if text.contains("cluster support disabled") {
                format!(
                    "{NO_CLUSTER}; use CACHE_REDIS_MODE=single, or start it with cluster-enabled"
                )
            } else {
                text
            }
        })?;
        Map::read(&answer, &self.host).ok_or_else(|| "its answer cannot be read".to_owned())
    }
}
