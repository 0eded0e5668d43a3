//! Deletions in a Redis Cluster: each key at the master that owns its slot, redirections followed.
//!
//! Come here when a deletion fails while slots move. Why a deletion that succeeds here is not lost is argued in [`super`].

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use futures_util::future::join_all;

use super::map::Owner;
use super::masters::Masters;
use super::slots::slot_of;
use crate::backends::contract::BackendError;
use crate::backends::redis::redirection::Redirection;

/// The most redirections of one key.
const MOST_REDIRECTIONS: usize = 4;

/// The keys of one master. `asking` means that their slots are still on the way to it.
type Work = HashMap<(String, bool), (Arc<Owner>, Vec<String>)>;

/// Deletes the keys. `first_began` is the beginning of an earlier attempt, whose connections are not used again.
///
/// # Errors
/// A key was not deleted at the master that owns its slot.
pub(super) async fn delete(
    masters: &Masters,
    keys: &[String],
    first_began: Option<Instant>,
) -> Result<(), BackendError> {
    let mut work = Work::new();
    for key in keys {
        let owner = masters.seen().owner(slot_of(key.as_bytes())).cloned();
        let owner =
            owner.ok_or_else(|| BackendError::Unavailable(masters.seen().reason.clone()))?;
        add(&mut work, owner, false, key.clone());
    }
    for _ in 0..=MOST_REDIRECTIONS {
        let sent = work.drain().map(|((_, asking), (owner, keys))| async move {
            let master = masters.of_owner(&owner)?;
            master.unlink_or_redirect(keys, asking, first_began).await
        });
        for redirected in join_all(sent).await {
            for (key, redirection) in redirected? {
                let Redirection { host, port, asking } = redirection;
                let Some(owner) = masters.at(&host, port) else {
                    return Err(BackendError::Moving(format!(
                        "the slot of a key is moving to {host}:{port}, which is not known yet"
                    )));
                };
                add(&mut work, owner, asking, key);
            }
        }
        if work.is_empty() {
            return Ok(());
        }
    }
    Err(BackendError::Moving(
        "a key was redirected again and again".to_owned(),
    ))
}

fn add(work: &mut Work, owner: Arc<Owner>, asking: bool, key: String) {
    let place = (owner.id.clone(), asking);
    work.entry(place)
        .or_insert_with(|| (owner, Vec::new()))
        .1
        .push(key);
}
