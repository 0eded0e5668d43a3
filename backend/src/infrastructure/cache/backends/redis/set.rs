//! Storing values, under a condition or not. Each stored key is entered in the index of patterns.
//!
//! Come here when a value is not stored, or is stored over another one. The proof that the index misses
//! no key is in `patterns::index`; the order of the commands here is part of that proof.

use std::time::Duration;

use bytes::Bytes;
use redis::{Cmd, Pipeline, Script, ServerError, Value};

use super::answers::{failed, milliseconds, read, refused, version_of, was_set};
use super::connections::{Lanes, Placed};
use super::patterns::{self, PatternIndex};
use crate::backends::contract::{BackendError, GetOrCreateResult, Version};
use crate::backends::head::MAGIC;

/// Stores a value if the key holds the one with this head. One key only, so that it runs on Redis
/// Cluster too. A value of another type does not match.
const COMPARE_AND_SET: &str = "\
local head = redis.pcall('GETRANGE', KEYS[1], 0, #ARGV[1] - 1)
if head == ARGV[1] then
  redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
  return 1
end
return 0";
/// The number of attempts to store a value while others keep replacing the value that prepares its key.
const ATTEMPTS: usize = 3;

/// Stores values.
pub(super) struct Setter {
    lanes: Lanes,
    index: PatternIndex,
    deadline: Duration,
    compare_and_set: Script,
}

/// Commands of which the last one may set the key, and the index in which the key is then entered.
struct Setting<'a> {
    key: &'a str,
    commands: Pipeline,
    index: Option<String>,
}

impl Setter {
    pub(super) fn new(lanes: Lanes, index: PatternIndex, deadline: Duration) -> Self {
        Self {
            lanes,
            index,
            deadline,
            compare_and_set: Script::new(COMPARE_AND_SET),
        }
    }

    /// See [`CacheBackend::compare_and_set`](crate::backends::CacheBackend).
    pub(super) async fn compare_and_set(
        &self,
        key: &str,
        expected: &Version,
        value: Bytes,
        expiration: Duration,
    ) -> Result<Option<Version>, BackendError> {
        let lifetime = milliseconds(expiration);
        let stored = match expected {
            Version::Head(head) => self.replace(key, head, &value, lifetime).await?,
            Version::Absent | Version::Number(_) => {
                self.run(key, set(key, &value, lifetime, true)).await?
            }
            Version::Anything => self.run(key, set(key, &value, lifetime, false)).await?,
        };
        Ok(stored.then(|| version_of(&value)))
    }

    /// Stores an answer, whether or not the key holds a value. An answer must not stand under a key that
    /// may be missing in its index. So another value is stored first, then its key is entered, then the
    /// value is replaced.
    pub(super) async fn set(
        &self,
        key: &str,
        value: Bytes,
        expiration: Duration,
    ) -> Result<(), BackendError> {
        let lifetime = milliseconds(expiration);
        if self.index.of_key(key).is_none() {
            return self
                .run(key, set(key, &value, lifetime, false))
                .await
                .map(|_| ());
        }
        for _ in 0..ATTEMPTS {
            let placeholder =
                [MAGIC, format!("{:016x}", rand::random::<u64>()).as_bytes()].concat();
            self.run(key, set(key, &placeholder, lifetime, false))
                .await?;
            if self.replace(key, &placeholder, &value, lifetime).await? {
                return Ok(());
            }
        }
        Err(BackendError::NotStored(
            "others keep storing under this key".to_owned(),
        ))
    }

    /// See [`CacheBackend::get_or_create`](crate::backends::CacheBackend).
    pub(super) async fn get_or_create(
        &self,
        key: &str,
        value: Bytes,
        expiration: Duration,
    ) -> Result<GetOrCreateResult, BackendError> {
        let mut get = redis::pipe();
        get.cmd("GET").arg(key).ignore_errors();
        let mut both = get.clone();
        both.add_command(set(key, &value, milliseconds(expiration), true));
        let setting = self.setting(key, both);
        let (get, setting, value) = (&get, &setting, &value);
        let question = |mut placed: Placed| async move {
            if placed.is_second {
                // The server may still carry out the first attempt, so a second attempt only reads. If it claimed too,
                // and a deletion came between the two, the key would be claimed for data that was read before the
                // deletion (C33).
                let answers = get.query_async::<Vec<Value>>(&mut placed.connection).await;
                let answers = answers.map_err(|error| failed(&self.lanes, placed.place, error));
                let found = answers?.pop().unwrap_or(Value::Nil);
                return Ok(match read(&self.lanes, placed.place, found)? {
                    Some(found) if found.value == *value => {
                        GetOrCreateResult::Created(version_of(value))
                    }
                    Some(found) => GetOrCreateResult::Found(found),
                    None => GetOrCreateResult::Contested,
                });
            }
            let mut answers = self.send(&placed, setting).await?;
            let created = was_set(&self.lanes, &placed, answers.pop());
            let found = answers.pop().unwrap_or(Value::Nil);
            let found = read(&self.lanes, placed.place, found)?;
            GetOrCreateResult::of(found, created.map(|set| set.then(|| version_of(value))))
        };
        self.lanes.ask(self.deadline, question).await
    }

    /// Stores a value over the one with this head.
    async fn replace(
        &self,
        key: &str,
        head: &[u8],
        value: &[u8],
        lifetime: u64,
    ) -> Result<bool, BackendError> {
        let call = |name: &str, script: &str| {
            let mut call = redis::cmd(name);
            call.arg(script).arg(1).arg(key);
            call.arg(head).arg(value).arg(lifetime);
            call
        };
        let known = call("EVALSHA", self.compare_and_set.get_hash());
        match self.run_answered(key, known).await? {
            Err(error) if error.code() == "NOSCRIPT" => {
                self.run(key, call("EVAL", COMPARE_AND_SET)).await
            }
            Ok(stored) => Ok(stored),
            Err(error) => Err(BackendError::unavailable(error)),
        }
    }

    /// Runs a command that may set the key. Returns whether it has.
    async fn run(&self, key: &str, command: Cmd) -> Result<bool, BackendError> {
        let answered = self.run_answered(key, command).await?;
        answered.map_err(BackendError::unavailable)
    }

    /// The same as [`Self::run`], with the server's answers. An unloaded script is an answer here, not an error.
    async fn run_answered(
        &self,
        key: &str,
        command: Cmd,
    ) -> Result<Result<bool, ServerError>, BackendError> {
        let mut commands = redis::pipe();
        commands.add_command(command);
        let setting = self.setting(key, commands);
        let placed = self.lanes.of_thread().await?;
        // Not repeated: without an answer it is unknown whether the value was stored.
        let sent = self.send(&placed, &setting);
        let sent = self.lanes.watched(placed.place, self.deadline / 2, sent);
        match sent.await?.pop() {
            Some(Value::Int(stored)) => Ok(Ok(stored == 1)),
            Some(Value::ServerError(error)) if error.code() == "NOSCRIPT" => Ok(Err(error)),
            answer => was_set(&self.lanes, &placed, answer).map(Ok),
        }
    }

    fn setting<'a>(&self, key: &'a str, mut commands: Pipeline) -> Setting<'a> {
        let index = self.index.of_key(key);
        if let Some(index) = &index {
            // The check comes after the key is stored. It is cheaper than the script, and mostly there is no index.
            commands.cmd("EXISTS").arg(index);
        }
        // Each answer is read by itself: a full server refuses to store, but still reads.
        commands.ignore_errors();
        Setting {
            key,
            commands,
            index,
        }
    }

    /// Sends the commands. If the last one has set the key, enters the key in its index, if there is
    /// one. Returns the answers of the commands.
    async fn send(
        &self,
        placed: &Placed,
        setting: &Setting<'_>,
    ) -> Result<Vec<Value>, BackendError> {
        let mut connection = placed.connection.clone();
        let answers = setting
            .commands
            .query_async::<Vec<Value>>(&mut connection)
            .await;
        let mut answers = answers.map_err(|error| failed(&self.lanes, placed.place, error))?;
        let Some(index) = &setting.index else {
            return Ok(answers);
        };
        let is_indexed = match answers.pop() {
            Some(Value::ServerError(error)) => {
                return Err(refused(&self.lanes, placed.place, &error));
            }
            answer => answer == Some(Value::Int(1)),
        };
        let is_set = matches!(answers.last(), Some(Value::Okay | Value::Int(1)));
        if is_indexed && is_set {
            let mut entering = redis::pipe();
            patterns::enter(&mut entering, index, &[setting.key]);
            let entered = entering.query_async::<()>(&mut connection).await;
            entered.map_err(|error| failed(&self.lanes, placed.place, error))?;
        }
        Ok(answers)
    }
}

/// The command that sets a key, or sets it only if it is absent.
fn set(key: &str, value: &[u8], lifetime: u64, if_absent: bool) -> Cmd {
    let mut set = redis::cmd("SET");
    set.arg(key).arg(value);
    if if_absent {
        set.arg("NX");
    }
    set.arg("PX").arg(lifetime);
    set
}
