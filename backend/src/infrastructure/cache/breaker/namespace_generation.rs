//! Visits to the namespace's record. A *visit* reads the record and the server's identity and, where needed, writes the
//! record. So an instance learns the generation, answers a roll call, or begins one.
//!
//! Come here to see when the record is written. No other file may write it. Its format is in
//! `stored::namespace_record`, its next content in `next_record`, the deadline of a visit in `intervals`.

use std::time::{Duration, Instant};

use tokio::time::{sleep, timeout_at};

use super::guarded_backend::GuardedBackend;
use super::health::Unavailable;
use super::next_record::{Intent, VisitError, next};
use crate::backends::{BackendError, Found, Version};
use crate::keys::Key;
use crate::measurements::Operation;
use crate::stored::{NamespaceRecord, OfAnotherKey};

/// The key of the namespace's record.
pub(super) const RECORD_KEY: &str = "~generation";
/// The time that the server keeps the record after it was written. It is written again long before: see `known_record`.
const RECORD_LIFETIME: Duration = Duration::from_hours(720);
/// The longest pause, in milliseconds, before a visit is repeated because another instance wrote the record at the same
/// time.
const LONGEST_PAUSE_MS: u64 = 10;

/// Visits the record, within one deadline, and trusts the generation it finds or begins.
pub(super) async fn visit(
    backend: &GuardedBackend,
    intent: Intent<'_>,
) -> Result<NamespaceRecord, VisitError> {
    visit_until(backend, intent, Instant::now() + backend.deadline).await
}

/// The same as [`visit`], with the given deadline.
pub(super) async fn visit_until(
    backend: &GuardedBackend,
    intent: Intent<'_>,
    until: Instant,
) -> Result<NamespaceRecord, VisitError> {
    let visits = async {
        loop {
            match visit_once(backend, intent).await {
                Err(VisitError::Contested) => {
                    let pause = rand::random_range(1..=LONGEST_PAUSE_MS);
                    sleep(Duration::from_millis(pause)).await;
                }
                ended => return ended,
            }
        }
    };
    if let Ok(ended) = timeout_at(until.into(), visits).await {
        return ended;
    }
    let late = Err(BackendError::no_answer_within(backend.deadline));
    match backend.note::<()>(late) {
        Err(error) => Err(error.into()),
        Ok(()) => Err(VisitError::Contested),
    }
}

/// The record, read without answering its roll call.
pub(super) async fn read_record(
    backend: &GuardedBackend,
) -> Result<Option<NamespaceRecord>, Unavailable> {
    let key = backend.own_key(RECORD_KEY);
    let found = backend.get_from_server(key.full()).await?;
    parse(backend, &key, found.as_ref())
}

fn parse(
    backend: &GuardedBackend,
    key: &Key,
    found: Option<&Found>,
) -> Result<Option<NamespaceRecord>, Unavailable> {
    let Some(found) = found else {
        return Ok(None);
    };
    NamespaceRecord::read(key, &found.value).map_err(|OfAnotherKey| {
        backend.reject_connection(key.full());
        Unavailable("the value of another key arrived".to_owned())
    })
}

async fn visit_once(
    backend: &GuardedBackend,
    intent: Intent<'_>,
) -> Result<NamespaceRecord, VisitError> {
    let asked = Instant::now();
    let before = backend.generation();
    let term = backend.unguarded.term();
    let key = backend.own_key(RECORD_KEY);
    let found = backend.get_from_server(key.full()).await?;
    // Asked after the record was read: so the record cannot be that of a server before this one.
    let identity = backend.unguarded.server_identity();
    let server = backend.observe(Operation::Probe, identity).await?;
    let recorded = parse(backend, &key, found.as_ref())?;
    if recorded.is_none() && intent == Intent::Leave {
        return Ok(NamespaceRecord::default());
    }
    let own = backend.membership();
    // Before the record is answered: an instance with another list relies on that.
    if let Some(recorded) = &recorded
        && intent != Intent::Leave
        && backend.list.examine(recorded, own.grace)
    {
        return Err(VisitError::OtherList);
    }
    if let Some(recorded) = &recorded {
        backend
            .list
            .examine_lacking(backend.place, recorded, own.id);
    }
    let known = backend.record.members();
    let record = next(recorded.as_ref(), &known, &server, own, intent)?;
    let writes = recorded.as_ref() != Some(&record) || backend.record.must_be_prolonged();
    if writes {
        let expected = found.map_or(Version::Absent, |found| found.version);
        let stored = backend
            .compare_and_set(key.full(), &expected, record.write(&key), RECORD_LIFETIME)
            .await?;
        if stored.is_none() {
            return Err(VisitError::Contested);
        }
    }
    backend.record.remember(&record.members, writes);
    // The record is that of the server that every instance uses now, and not of one that was replaced meanwhile.
    let Some(term) = term.filter(|_| backend.unguarded.term() == term) else {
        let replaced = "the cache server was replaced meanwhile".to_owned();
        return Err(Unavailable(replaced).into());
    };
    let trusted =
        intent == Intent::Leave || backend.trust_generation(before, record.generation, asked, term);
    if trusted {
        if intent != Intent::Leave {
            let lease = backend.intervals.lease;
            let told = &backend.list.told;
            told.note(backend.place, own.lacking, [asked, Instant::now()], lease);
        }
        Ok(record)
    } else {
        // This instance has begun a newer generation meanwhile.
        Err(VisitError::Contested)
    }
}
