//! The conversation with one Sentinel.
//!
//! Come here when a Sentinel refuses a question, or its answer is misread. How often it is asked is decided in `watch`.

use std::collections::HashMap;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{ConnectionInfo, Value, from_redis_value};
use tokio::time::timeout;

use super::majority::Answer;
use super::term::Master;
use crate::backends::redis::topology_connection::connect;

/// The longest time for a connection and an answer.
pub(super) const ANSWER: Duration = Duration::from_millis(250);

/// One Sentinel, with its connection if there is one.
pub(super) struct Sentinel {
    /// Host and port, for messages.
    pub(super) name: String,
    address: ConnectionInfo,
    connection: Option<MultiplexedConnection>,
}

impl Sentinel {
    pub(super) fn new(name: String, address: ConnectionInfo) -> Self {
        Self {
            name,
            address,
            connection: None,
        }
    }

    /// The master of that name, within [`ANSWER`]. An error begins with the name of the Sentinel.
    pub(super) async fn ask(&mut self, master: &str) -> Answer {
        let asked = timeout(ANSWER, self.converse(master)).await;
        let late = |_| Err(format!("no answer within {} ms", ANSWER.as_millis()));
        let answer = asked.unwrap_or_else(late);
        if answer.is_err() {
            self.connection = None;
        }
        answer.map_err(|error| format!("the Sentinel {}: {error}", self.name))
    }

    async fn converse(&mut self, master: &str) -> Answer {
        let connection = match &mut self.connection {
            Some(connection) => connection,
            none => none.insert(connect(&self.address, ANSWER).await?),
        };
        let mut questions = redis::pipe();
        questions.ignore_errors();
        questions.cmd("SENTINEL").arg("MASTER").arg(master);
        // During a failover this one names the new master as soon as it is promoted.
        questions
            .cmd("SENTINEL")
            .arg("GET-MASTER-ADDR-BY-NAME")
            .arg(master);
        let answers = questions.query_async::<Vec<Value>>(connection).await;
        let answers = answers.map_err(|error| error.to_string())?;
        let [state, address] = answers.as_slice() else {
            return Err("it gave another number of answers".to_owned());
        };
        read(state, address, master)
    }
}

/// The master in the answers to both questions.
fn read(state: &Value, address: &Value, master: &str) -> Answer {
    for answer in [state, address] {
        if let Value::ServerError(error) = answer {
            return Err(if error.code() == "ERR" {
                format!("it knows no master `{master}` (CACHE_REDIS_SENTINEL_MASTER): {error}")
            } else {
                error.to_string()
            });
        }
    }
    let unreadable = || "its answer cannot be read".to_owned();
    let state: HashMap<String, String> =
        from_redis_value(state.clone()).map_err(|_| unreadable())?;
    let failover = state.get("config-epoch").and_then(|text| text.parse().ok());
    let address: Option<(String, String)> =
        from_redis_value(address.clone()).map_err(|_| unreadable())?;
    let (host, port) =
        address.ok_or_else(|| format!("it knows no address of the master `{master}`"))?;
    match (port.parse(), failover) {
        (Ok(port), Some(failover)) => Ok(Master {
            host,
            port,
            failover,
        }),
        _ => Err(unreadable()),
    }
}
