//! Permissions of the Redis user: the commands that the cache needs, and the report of those that the server refuses (C59).
//!
//! Come here after another command is used, or to change how a refusal is reported. The consequences are decided where
//! the command was sent, not here. `docs/servers.md` lists the same commands; a test compares them.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use redis::aio::MultiplexedConnection;
use redis::{Pipeline, ServerError, Value};

/// The time after which the keys of a trial end, in milliseconds, should it be interrupted.
const TRIAL_KEPT: u64 = 10_000;
/// A script that does nothing.
const NOTHING: &str = "return 0";

/// The most refusals that are remembered. The cache uses fewer commands than that.
const MOST_REMEMBERED: usize = 64;

/// The refusals that were logged.
#[derive(Debug, Default)]
pub(super) struct Permissions(Mutex<BTreeSet<String>>);

impl Permissions {
    /// Logs a refused permission, unless it was logged before. The server's text names the command.
    pub(super) fn note(&self, error: &ServerError) {
        let text = error.details().unwrap_or_default();
        // A script reports the refusal of one of its commands as its own error.
        let is_refusal = error.code() == "NOPERM" || text.contains("NOPERM");
        if is_refusal && self.is_new(text) {
            tracing::error!(
                backend = "redis",
                "the Redis user lacks a permission that the cache needs: {text}; \
                 grant the command, or the keys of CACHE_NAMESPACE, with ACL SETUSER; \
                 `backend check` names all that is missing"
            );
        }
    }

    fn is_new(&self, text: &str) -> bool {
        let mut reported = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        reported.len() < MOST_REMEMBERED && reported.insert(text.to_owned())
    }
}

/// What the cache uses a server for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Use<'a> {
    /// As its one server.
    Single,
    /// The same with a near cache.
    WithNearCache,
    /// As a master of a Redis Cluster, which owns the slot of this tag.
    OfCluster(&'a str),
}

/// Tries every command that the cache needs on keys below this prefix, and returns what the server refuses, in the form
/// of an ACL rule: `+get`, or the pattern of the keys.
pub(super) async fn refused_commands(
    connection: &mut MultiplexedConnection,
    prefix: &str,
    use_of: Use<'_>,
) -> Result<Vec<String>, String> {
    let (names, trial) = trial(prefix, use_of);
    let answers = trial.query_async::<Vec<Value>>(connection).await;
    let answers = answers.map_err(|error| error.to_string())?;
    let mut refused = BTreeSet::new();
    for (name, answer) in names.iter().zip(answers) {
        let Value::ServerError(error) = answer else {
            continue;
        };
        if error.code() == "NOPERM" {
            let is_about_keys = error.details().unwrap_or_default().contains(" key");
            refused.insert(if is_about_keys {
                format!("~{prefix}*")
            } else {
                format!("+{name}")
            });
        } else if error.code() != "NOSCRIPT" {
            return Err(error.to_string());
        }
    }
    Ok(refused.into_iter().collect())
}

/// Every command that the cache sends or uses in a script, with the names of the ACL. `HELLO`, which is permitted to every
/// user, is left out.
fn trial(prefix: &str, use_of: Use<'_>) -> (Vec<&'static str>, Pipeline) {
    let tag = match use_of {
        Use::OfCluster(tag) => tag,
        Use::Single | Use::WithNearCache => "",
    };
    let key = |part: &str| format!("{prefix}~check_{:016x}_{part}{tag}", rand::random::<u64>());
    let (text, counter, set, log) = (key("text"), key("counter"), key("set"), key("log"));
    let script = redis::Script::new(NOTHING);
    let kept = TRIAL_KEPT.to_string();
    let hash = script.get_hash();
    let mut commands: Vec<(&'static str, Vec<&str>)> = vec![
        ("ping", vec![]),
        ("set", vec![&text, "check", "PX", &kept]),
        ("get", vec![&text]),
        ("getrange", vec![&text, "0", "1"]),
        ("exists", vec![&text]),
        ("incr", vec![&counter]),
        ("decr", vec![&counter]),
        ("pexpire", vec![&counter, &kept]),
        ("pttl", vec![&counter]),
        ("sadd", vec![&set, "check"]),
        ("sismember", vec![&set, "check"]),
        ("sscan", vec![&set, "0"]),
        ("srem", vec![&set, "check"]),
        ("xadd", vec![&log, "*", "check", "1"]),
        ("xrevrange", vec![&log, "+", "-", "COUNT", "1"]),
        ("scan", vec!["0", "COUNT", "1"]),
        ("eval", vec![NOTHING, "0"]),
        ("evalsha", vec![hash, "0"]),
        ("script|load", vec![NOTHING]),
        ("script|exists", vec![hash]),
        ("unlink", vec![&text, &counter, &set, &log]),
    ];
    match use_of {
        Use::Single => {}
        Use::WithNearCache => commands.push(("client|tracking", vec!["OFF"])),
        Use::OfCluster(_) => {
            commands.push(("cluster|nodes", vec![]));
            commands.push(("asking", vec![]));
        }
    }
    let mut trial = redis::pipe();
    trial.ignore_errors();
    for (name, arguments) in &commands {
        let mut words = name.split('|');
        let command = trial.cmd(words.next().unwrap_or_default());
        for word in words {
            command.arg(word);
        }
        command.arg(arguments);
    }
    let names = commands.iter().map(|(name, _)| *name).collect();
    (names, trial)
}
