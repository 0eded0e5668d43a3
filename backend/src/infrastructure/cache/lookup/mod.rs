//! The look-up: what a read finds, and whether it may fill the key.
//!
//! Come here when a value was not stored, or an old one was. [`Lookup`] (in `look`) only reads; [`Claimant`] (in `claim`)
//! contains a look-up and claims; [`Decider`] (in `decide`) contains a claimant and decides; [`FillPermit`] (in
//! `fill_permit`) stores the value of the reader that has claimed.
//!
//! # The protocol
//!
//! A key is in one of three states:
//!
//! | state | begun by | ended by |
//! |---|---|---|
//! | *vacant*: nothing, or a value that is no answer (foreign, damaged, of another key, of an old generation, of another stamp, expired) | expiry, a deletion, a new generation | a reader, by compare-and-set, to *claimed* |
//! | *claimed* by an id, for `CLAIM_LIFETIME` at most | a reader that found it vacant | the claim's holder, by compare-and-set of exactly this claim, to *filled*; a deletion or expiry, to *vacant* |
//! | *filled* with an entry, which has an id of its own | the claim's holder | a deletion or expiry, to *vacant*; a refresher, by compare-and-set of exactly this entry, to *filled* |
//!
//! **No old value is ever stored.** A reader claims, then reads the database, then fills; a writer
//! commits, then deletes. If the reader saw the database from before the commit, its claim is from
//! before the deletion, so the deletion (or whatever came before it: another deletion, `redis-cli DEL`,
//! expiry)
//! ended the claim, and the compare-and-set of a claim that does not stand does nothing. Ids are
//! random and never used again, so no later claim is mistaken for an earlier one.
//!
//! **A refresh** has no claim, and may take longer than `CLAIM_LIFETIME`. The entry that it saw takes the place of the
//! claim: the refresher sees the entry, then reads the database, then replaces exactly this entry. A deletion after its
//! read of the database has ended the entry, and so has expiry; a record or a generation that has ended makes the new
//! entry no answer either, since it gets the belonging of the old one.
//!
//! **A foreign value** (one that this cache did not write) has no version on Redis. There a reader claims by storing its
//! claim over whatever the key holds. So the later one of two readers ends the claim, or even the entry, of the earlier
//! one. That costs a hit and is never stale: what ends is as if deleted, and the later reader reads the database after its
//! own claim.
//!
//! **Generations.** An entry may belong to the record of a declared group (C36) and to the record of its resource,
//! where one resource has several entries (C44). Each record holds a *generation*, and so does the namespace. The
//! generations are read before the database and stored with the claim and the entry, those of the records as one
//! *stamp*. An invalidation ends the record, so the entry, if it is stored at all, is never an answer, and no
//! reader waits for the claim. No entry matches a missing record. A record is written anew where an entry would
//! outlive it, in the same generation and only in place of itself.
//!
//! **Rights.** The stamp of an entry of one caller contains the version of the caller's rights, which the database
//! gave when the request was authenticated. A claim or an entry of other rights is vacant. So no deletion is needed,
//! and none can fail.
//!
//! **Identity.** Each value contains the hash of its key. A value that arrives under another key is no answer, closes
//! the connection and is reported (C63).
//!
//! **After a crash.** A reader whose process ends leaves a claim, which expires. While it stands, others wait for
//! it until `CACHE_COLLAPSE_WAIT_MS` after it was made and then run their handlers without storing. A
//! writer whose process ends between its commit and its deletion leaves the entry until it expires, unless the
//! database feed delivers the change (C53).
//!
//! **Limits.** The answer of a handler that takes longer than `CLAIM_LIFETIME` is not stored, unless it refreshes an entry.
//! Without the database feed (C53), an instance that alone is cut off from a backend that the others still reach cannot
//! invalidate for them until it is connected again. Clocks decide expiry and the length of waits, never whether an entry is from before
//! a write.

mod claim;
mod decide;
mod fill_permit;
mod look;
mod single_flight;

pub(crate) use claim::Claimant;
pub(crate) use decide::{Decider, Decision};
pub(crate) use fill_permit::FillPermit;
pub(crate) use look::Lookup;
pub(crate) use single_flight::SingleFlights;
