//! The index of keys: with it the cost of a deletion by pattern depends on the number of matches, and
//! not on the number of the server's keys (C37).
//!
//! For a glob whose literal head names a whole segment, as `user_ada_widgets:*` does, the keys of that
//! segment are members of a set on the server, `~index:user_ada_widgets`. The first such deletion starts
//! the set, SCANs once, enters the found keys, and marks the set complete. Later deletions read the set.
//! It ends an hour after it was started, so that it does not grow with keys long expired, and the next
//! deletion starts it again. Without deletions by pattern there is no set.
//!
//! # Why no key is missed
//!
//! The invariant: *while the set is complete, every key of the segment that holds an answer is a member,
//! under its own name or as `~going:` and its name.* Each step is on one key, so that the set and its
//! keys may live on different servers. Each step keeps the invariant by itself, so that a process may be
//! killed, or its connection lost, after any of them.
//!
//! - *A key is made.* A claim, or another value that is no answer, is stored first; then the key is
//!   entered; only then is an answer stored, over exactly that value (`set`). This holds for a claim
//!   over a value that exists but is no answer too. An instance that does not learn that the key was
//!   entered stores no answer.
//! - *The set is begun.* A key made before it stands when the SCAN begins, which finds it; one made
//!   since is entered by its maker. The set is complete only when the SCAN has ended, and only if it is
//!   still the set that this SCAN began for.
//! - *A key is deleted.* One script replaces its name by `~going:` and the name; the key is unlinked;
//!   the replacement is removed. If it is made again in between, its maker enters it again or it is
//!   unlinked.
//! - *Two deletions at once.* A deletion reads the members, then those that are going. A key that it
//!   missed among the members was going before it began with the second, so it finds that too, or the
//!   key is unlinked already. A deletion that returns has seen every key unlinked, by itself or by another one.
//! - *The server is full, or evicts the set.* A script whose addition is refused removes the mark of
//!   completeness. An evicted set has lost its mark.
//!
//! Come here to change a step of this. The commands of a deletion are in `delete`.

use redis::Pipeline;

/// The mark of a complete set. No key of an entry begins with `~`.
pub(super) const COMPLETE: &str = "~complete";
/// The prefix of a key's name while the key is about to be unlinked.
pub(super) const GOING: &str = "~going:";
/// The time in milliseconds after which a set is started again.
const LIFETIME_MILLISECONDS: u64 = 3_600_000;
/// The longest indexed segment, in bytes: a key that is too long for the server keeps only its head.
const MAX_SEGMENT_BYTES: usize = 200;

/// Enters members if there is a set. A value of another type in its place stays unchanged. If a full
/// server refuses the addition, the set loses its mark of completeness.
const ENTER: &str = "\
if redis.call('EXISTS', KEYS[1]) == 1 then
  local added = redis.pcall('SADD', KEYS[1], unpack(ARGV))
  if type(added) == 'table' then
    redis.pcall('SREM', KEYS[1], '~complete')
  end
end";

/// Replaces members by their marked names (`~going:`), if there is a set.
const LEAVE: &str = "\
if redis.call('EXISTS', KEYS[1]) == 1 then
  local going = {}
  for number, key in ipairs(ARGV) do
    going[number] = '~going:' .. key
  end
  local added = redis.pcall('SADD', KEYS[1], unpack(going))
  if type(added) == 'table' then
    redis.pcall('SREM', KEYS[1], '~complete')
  end
  redis.call('SREM', KEYS[1], unpack(ARGV))
end";

/// Starts a set. It is not complete while this builder's mark is its only member.
const START: &str = "\
redis.call('SADD', KEYS[1], ARGV[1])
if redis.call('PTTL', KEYS[1]) < 0 then
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
end";

/// Marks the set complete, if it is still the one that the builder started.
const FINISH: &str = "\
if redis.call('SREM', KEYS[1], ARGV[1]) == 1 then
  redis.call('SADD', KEYS[1], ARGV[2])
end";

/// The indexed keys, and the names of their sets.
#[derive(Clone, Debug)]
pub(in crate::backends::redis) struct PatternIndex {
    /// The namespace with its `:`, or an empty text.
    namespace: String,
    /// Whether no key is indexed, so that every deletion by pattern is a SCAN.
    is_off: bool,
}

impl PatternIndex {
    pub(in crate::backends::redis) fn new(namespace: &str) -> Self {
        let separator = if namespace.is_empty() { "" } else { ":" };
        Self {
            namespace: format!("{namespace}{separator}"),
            is_off: false,
        }
    }

    /// No index.
    pub(in crate::backends::redis) fn none() -> Self {
        Self {
            namespace: String::new(),
            is_off: true,
        }
    }

    /// The set that a full key belongs to. Auxiliary keys belong to none.
    pub(in crate::backends::redis) fn of_key(&self, key: &str) -> Option<String> {
        let (segment, _) = key.strip_prefix(&self.namespace)?.split_once(':')?;
        self.named(segment)
    }

    /// The set for a full glob, and the glob of all its keys.
    pub(in crate::backends::redis) fn of_glob(&self, glob: &str) -> Option<(String, String)> {
        let (segment, _) = glob.strip_prefix(&self.namespace)?.split_once(':')?;
        if segment.contains(['*', '?', '[', '\\']) {
            return None;
        }
        Some((
            self.named(segment)?,
            format!("{}{segment}:*", self.namespace),
        ))
    }

    fn named(&self, segment: &str) -> Option<String> {
        let is_ours = !self.is_off
            && !segment.is_empty()
            && !segment.starts_with('~')
            && segment.len() <= MAX_SEGMENT_BYTES;
        is_ours.then(|| format!("{}~index:{segment}", self.namespace))
    }
}

/// Adds a command to a pipeline that enters keys in their set, if there is one.
pub(in crate::backends::redis) fn enter(
    pipeline: &mut Pipeline,
    index: &str,
    keys: &[impl AsRef<[u8]>],
) {
    let script = pipeline.cmd("EVAL").arg(ENTER).arg(1).arg(index);
    for key in keys {
        script.arg(key.as_ref());
    }
    script.ignore();
}

/// Adds a command to a pipeline that marks members as going, before their keys are unlinked.
pub(super) fn leave(pipeline: &mut Pipeline, index: &str, keys: &[impl AsRef<[u8]>]) {
    let script = pipeline.cmd("EVAL").arg(LEAVE).arg(1).arg(index);
    for key in keys {
        script.arg(key.as_ref());
    }
    script.ignore();
}

/// Adds a command to a pipeline that removes the marked names of keys that were unlinked.
pub(super) fn left(pipeline: &mut Pipeline, index: &str, keys: &[impl AsRef<[u8]>]) {
    let remove = pipeline.cmd("SREM").arg(index);
    for key in keys {
        remove.arg([GOING.as_bytes(), key.as_ref()].concat());
    }
    remove.ignore();
}

/// The command that starts a set; `builder` is a unique mark.
pub(super) fn start(index: &str, builder: &str) -> redis::Cmd {
    let mut script = redis::cmd("EVAL");
    script
        .arg(START)
        .arg(1)
        .arg(index)
        .arg(builder)
        .arg(LIFETIME_MILLISECONDS);
    script
}

/// The command that marks a set complete.
pub(super) fn finish(index: &str, builder: &str) -> redis::Cmd {
    let mut script = redis::cmd("EVAL");
    script
        .arg(FINISH)
        .arg(1)
        .arg(index)
        .arg(builder)
        .arg(COMPLETE);
    script
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c37_a_glob_finds_the_set_that_its_keys_are_entered_in() {
        for namespace in ["", "shop"] {
            let index = PatternIndex::new(namespace);
            let full = |text: &str| format!("{}{text}", index.namespace);
            let (set, all) = index.of_glob(&full("user_ada_widgets:page_1:*")).unwrap();
            assert_eq!(
                index.of_key(&full("user_ada_widgets:page_1:size_10:ada")),
                Some(set)
            );
            assert_eq!(all, full("user_ada_widgets:*"));
        }
    }

    #[test]
    fn c37_a_glob_whose_head_names_no_whole_segment_has_no_set() {
        let index = PatternIndex::new("");
        for glob in [
            "user_*",
            "*",
            "user_[ab]:*",
            "us?r:*",
            "user\\:*",
            ":*",
            "user",
            "~group:*",
        ] {
            assert_eq!(index.of_glob(glob), None, "{glob}");
        }
        let long = "x".repeat(MAX_SEGMENT_BYTES + 1);
        assert_eq!(index.of_glob(&format!("{long}:*")), None);
        assert_eq!(index.of_key(&format!("{long}:1")), None);
        assert_eq!(index.of_key("~generation"), None);
        assert_eq!(index.of_key("~group:lists"), None);
    }
}
