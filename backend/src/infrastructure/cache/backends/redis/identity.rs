//! The identity of the server process, and whether it is writable: without `INFO`, which many access
//! lists deny (C59).
//!
//! Come here when a restarted or replaced server is trusted, or an unchanged one is not. The consequences of an answer
//! are decided in the breaker, not here.
//!
//! # How a process is recognised
//!
//! A marker is a script that does nothing but return a random name. Its name is stored under `~server`,
//! and the script is in the script cache, which a process loses when it ends and which is neither saved
//! nor replicated (Redis before 7 replicates `SCRIPT LOAD`, so it gets the script by `EVAL`). While the
//! process with the stored name has the script, it is the marked process. A restart with an old snapshot
//! and a promoted replica have the name without the script. `SCRIPT FLUSH` looks like a restart, which
//! is the safe error.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use redis::aio::MultiplexedConnection;
use redis::{Pipeline, Script, Value, from_redis_value};

use super::greeting::Greeting;
use super::permissions::Permissions;
use super::redirection::redirection;

/// The key of the marker's name, behind the namespace.
const KEY: &str = "~server";
/// Stores a name if the key still holds the name that was read.
const REPLACE: &str = "\
if (redis.call('GET', KEYS[1]) or '') == ARGV[1] then
  redis.call('SET', KEYS[1], ARGV[2])
end
return redis.call('GET', KEYS[1])";
/// The beginning of the error of a key whose slot is on its way to another server.
pub(super) const MOVING: &str = "the slot is moving";
/// The first version that does not replicate `SCRIPT LOAD`.
const LOADS_LOCALLY: u32 = 7;

/// The identity of the server, as far as this process knows it.
#[derive(Debug)]
pub(super) struct Identity {
    /// The key of the marker's name. In a Redis Cluster each group of slots has another one, with a tag behind this.
    key: String,
    /// Whether the server must be a node of a Redis Cluster.
    of_cluster: bool,
    /// The markers of the known process, by the tags of their keys.
    known: Mutex<BTreeMap<String, Arc<Marker>>>,
    /// How often the known process was lost.
    lost: AtomicU32,
    /// The reason that the last server that answered is of a kind that cannot be used.
    misfit: Mutex<Option<&'static str>>,
    pub(super) permissions: Permissions,
}

/// A script that proves that a process is still the same one.
#[derive(Debug)]
struct Marker {
    name: String,
    script: Script,
}

impl Marker {
    fn named(name: &str) -> Arc<Self> {
        Arc::new(Self {
            name: name.to_owned(),
            script: Script::new(&format!("return '{name}'")),
        })
    }

    fn exists(&self, pipeline: &mut Pipeline) {
        let ask = pipeline.cmd("SCRIPT").arg("EXISTS");
        ask.arg(self.script.get_hash());
    }
}

impl Identity {
    pub(super) fn new(namespace: &str, of_cluster: bool) -> Self {
        let separator = if namespace.is_empty() { "" } else { ":" };
        Self {
            key: format!("{namespace}{separator}{KEY}"),
            of_cluster,
            known: Mutex::default(),
            lost: AtomicU32::new(0),
            misfit: Mutex::default(),
            permissions: Permissions::default(),
        }
    }

    /// Forgets the known process: another server is the master now.
    pub(super) fn forget(&self) {
        self.known().clear();
    }

    /// The number of connections that led to another process than before. A change of it ends the trust in the known process.
    pub(super) fn lost(&self) -> u32 {
        self.lost.load(Ordering::Acquire)
    }

    /// Whether a new connection leads to the known process, and to no replica. If it leads to another
    /// process, the known identity is dropped, so that the next connection may learn the new one.
    pub(super) async fn verify(
        &self,
        connection: &mut MultiplexedConnection,
    ) -> Result<(), String> {
        if self.is_known(connection).await? {
            return Ok(());
        }
        // Counted before the next connection, which knows no process, can answer.
        self.lost.fetch_add(1, Ordering::AcqRel);
        self.forget();
        Err("the server is another process than before".to_owned())
    }

    /// Whether a connection leads to the known process, or no process is known. A replica is an error.
    pub(super) async fn is_known(
        &self,
        connection: &mut MultiplexedConnection,
    ) -> Result<bool, String> {
        let known: Vec<_> = self.known().values().cloned().collect();
        let mut questions = redis::pipe();
        if !known.is_empty() {
            let ask = questions.cmd("SCRIPT").arg("EXISTS");
            for marker in &known {
                ask.arg(marker.script.get_hash());
            }
        }
        let mut answers = self.ask(&questions, connection).await?;
        Ok(known.is_empty() || exists(&answers.next()))
    }

    /// The name of the process at the other end, which is stored under a key with this tag. This is a sign of life too.
    pub(super) async fn of_server(
        &self,
        tag: &str,
        connection: &mut MultiplexedConnection,
    ) -> Result<String, String> {
        let known = self.known().get(tag).cloned();
        let mut questions = redis::pipe();
        questions.cmd("GET").arg([&self.key, tag].concat());
        if let Some(marker) = &known {
            marker.exists(&mut questions);
        }
        let mut answers = self.ask(&questions, connection).await?;
        let stored = answers.text();
        let stands = exists(&answers.next());
        match (stored, known) {
            (Some(stored), Some(marker)) if stored == marker.name && stands => Ok(stored),
            // Evicted, or deleted by a pattern: the process is the same.
            (None, Some(marker)) if stands => self.store(tag, "", &marker, connection).await,
            (Some(stored), _) => {
                let marker = Marker::named(&stored);
                if self.has(&marker, connection).await? {
                    self.remember(tag, marker);
                    return Ok(stored);
                }
                self.mark(tag, &stored, answers.major, connection).await
            }
            (None, _) => self.mark(tag, "", answers.major, connection).await,
        }
    }

    /// Gives the process a marker in place of the stored name, unless another instance was faster.
    async fn mark(
        &self,
        tag: &str,
        stored: &str,
        major: u32,
        connection: &mut MultiplexedConnection,
    ) -> Result<String, String> {
        let marker = Marker::named(&format!("{:032x}", rand::random::<u128>()));
        let mut load = redis::pipe();
        let source = format!("return '{}'", marker.name);
        if major >= LOADS_LOCALLY {
            load.cmd("SCRIPT").arg("LOAD").arg(source);
        } else {
            load.cmd("EVAL").arg(source).arg(0);
        }
        self.run(load.ignore_errors(), connection).await?;
        self.store(tag, stored, &marker, connection).await
    }

    /// Stores a marker's name, unless another instance was faster.
    async fn store(
        &self,
        tag: &str,
        stored: &str,
        marker: &Arc<Marker>,
        connection: &mut MultiplexedConnection,
    ) -> Result<String, String> {
        let mut replace = redis::pipe();
        let script = replace.ignore_errors().cmd("EVAL").arg(REPLACE).arg(1);
        let key = [&self.key, tag].concat();
        script.arg(key).arg(stored).arg(&marker.name);
        let stands = self.run(&replace, connection).await?.text();
        let stands = stands.ok_or("the server's name was not stored")?;
        if stands == marker.name {
            self.remember(tag, Arc::clone(marker));
            return Ok(stands);
        }
        let other = Marker::named(&stands);
        if self.has(&other, connection).await? {
            self.remember(tag, other);
            return Ok(stands);
        }
        Err("another instance is marking the server".to_owned())
    }

    async fn has(
        &self,
        marker: &Marker,
        connection: &mut MultiplexedConnection,
    ) -> Result<bool, String> {
        let mut question = redis::pipe();
        marker.exists(question.ignore_errors());
        Ok(exists(&self.run(&question, connection).await?.next()))
    }

    /// The reason that the last server that answered is of a kind that cannot be used with these options; `None` where it can,
    /// and before the first answer.
    pub(super) fn misfit(&self) -> Option<&'static str> {
        *self.misfit.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note_misfit(&self, misfit: Option<&'static str>) {
        *self.misfit.lock().unwrap_or_else(PoisonError::into_inner) = misfit;
    }

    fn remember(&self, tag: &str, marker: Arc<Marker>) {
        self.known().insert(tag.to_owned(), marker);
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<String, Arc<Marker>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks for the role and for a sign of life, and then sends these commands. A replica is an error.
    async fn ask(
        &self,
        questions: &Pipeline,
        connection: &mut MultiplexedConnection,
    ) -> Result<Answers, String> {
        let nonce = format!("{:016x}", rand::random::<u64>());
        let mut all = redis::pipe();
        all.ignore_errors().cmd("HELLO");
        // An answer to another command than this one shows that replies are out of step.
        all.cmd("PING").arg(&nonce);
        for question in questions.cmd_iter() {
            all.add_command(question.clone());
        }
        let values = all.query_async::<Vec<Value>>(connection).await;
        let mut values = values.map_err(|error| error.to_string())?.into_iter();
        let greeting = match values.next() {
            Some(Value::ServerError(error)) if error.code() == "NOPERM" => {
                // The role stays unknown; a replica is found when it refuses to store.
                self.permissions.note(&error);
                Greeting::default()
            }
            Some(Value::ServerError(error)) => return Err(error.to_string()),
            Some(value) => Greeting::read(value),
            None => Greeting::default(),
        };
        let misfit = greeting.misfit(self.of_cluster);
        self.note_misfit(misfit);
        if let Some(misfit) = misfit {
            return Err(misfit.to_owned());
        }
        if greeting.is_replica {
            return Err("the server is a replica, which stores nothing".to_owned());
        }
        let mut answers = Answers::of(values, greeting.major, &self.permissions)?;
        if answers.text().as_deref() == Some(&nonce) {
            Ok(answers)
        } else {
            Err("the replies are out of step with the commands".to_owned())
        }
    }

    async fn run(
        &self,
        commands: &Pipeline,
        connection: &mut MultiplexedConnection,
    ) -> Result<Answers, String> {
        let values = commands.query_async::<Vec<Value>>(connection).await;
        let values = values.map_err(|error| error.to_string())?;
        Answers::of(values.into_iter(), 0, &self.permissions)
    }
}

/// Answers of a pipeline without an error.
struct Answers {
    values: std::vec::IntoIter<Value>,
    major: u32,
}

impl Answers {
    fn of(
        values: std::vec::IntoIter<Value>,
        major: u32,
        permissions: &Permissions,
    ) -> Result<Self, String> {
        for value in values.as_slice() {
            if let Value::ServerError(error) = value {
                permissions.note(error);
                return Err(match redirection(error) {
                    Some(_) => format!("{MOVING}: {error}"),
                    None => error.to_string(),
                });
            }
        }
        Ok(Self { values, major })
    }

    fn next(&mut self) -> Value {
        self.values.next().unwrap_or(Value::Nil)
    }

    fn text(&mut self) -> Option<String> {
        from_redis_value(self.next()).ok()
    }
}

/// Whether `SCRIPT EXISTS` has found every script.
fn exists(answer: &Value) -> bool {
    matches!(answer, Value::Array(all) if !all.is_empty() && all.iter().all(|one| *one == Value::Int(1)))
}
