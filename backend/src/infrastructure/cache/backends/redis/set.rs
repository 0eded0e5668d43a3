//! How keys come into being: a SET, and the key in its index where there is one.

use redis::Value;

use super::backend::RedisBackend;
use super::connections::Ticket;
use super::patterns;
use crate::infrastructure::cache::backends::contract::BackendError;

impl RedisBackend {
    /// Runs commands of which the last one sets the key if it says OK; then the key is entered in its
    /// index, if there is one. Answers what the commands said.
    pub(super) async fn create(
        &self,
        key: &str,
        mut commands: redis::Pipeline,
    ) -> Result<(Ticket, Vec<Value>), BackendError> {
        let index = self.index.of_key(key);
        if let Some(index) = &index {
            // Asked after the key stands, and cheaper than the script: mostly there is none.
            commands.cmd("EXISTS").arg(index);
        }
        // Each answer is looked at by itself: a full server refuses to store, but still reads.
        commands.ignore_errors();
        let mut ticket = self
            .lanes
            .of_thread()
            .await
            .map_err(BackendError::Unavailable)?;
        let answers = commands
            .query_async::<Vec<Value>>(&mut ticket.connection)
            .await;
        let mut answers = answers.map_err(|error| self.failed(&ticket, error))?;
        if let Some(index) = index {
            let is_indexed = match answers.pop() {
                Some(Value::ServerError(error)) => return Err(self.failed(&ticket, error.into())),
                answer => answer == Some(Value::Int(1)),
            };
            if is_indexed && answers.last() == Some(&Value::Okay) {
                let mut entering = redis::pipe();
                patterns::enter(&mut entering, &index, &[key]);
                let entered = entering.query_async::<()>(&mut ticket.connection).await;
                entered.map_err(|error| self.failed(&ticket, error))?;
            }
        }
        Ok((ticket, answers))
    }

    /// Whether a SET has set its key.
    pub(super) fn was_set(
        &self,
        ticket: &Ticket,
        answer: Option<Value>,
    ) -> Result<bool, BackendError> {
        match answer {
            Some(Value::Okay) => Ok(true),
            Some(Value::Nil) => Ok(false),
            Some(Value::ServerError(error)) => Err(self.failed(ticket, error.into())),
            other => Err(BackendError::Unavailable(format!(
                "the server answered {other:?} to SET"
            ))),
        }
    }
}

/// The command that sets a key where there is none.
pub(super) fn set_if_absent(key: &str, value: &[u8], lifetime: u64) -> redis::Cmd {
    let mut set = redis::cmd("SET");
    set.arg(key).arg(value).arg("NX").arg("PX").arg(lifetime);
    set
}
