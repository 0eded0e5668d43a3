//! The servers that one look-up depends on (C61).
//!
//! Come here to change what an entry needs besides the server that holds it. Which servers they are is decided in
//! `servers`.
//!
//! # Records on another server
//!
//! An entry and the record of its group or resource may be on different servers. Then the entry carries the
//! generations of all of them as one number, see [`Places::generation`]. So the end of one server's generation
//! ends every entry that depends on that server, wherever it is stored.

use std::sync::Arc;

use rapidhash::v3::rapidhash_v3;

use super::guarded_backend::GuardedBackend;

/// The servers that one look-up depends on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Places<'a> {
    /// The server of the key.
    pub(crate) of_key: &'a Arc<GuardedBackend>,
    /// The servers of the resource's and the group's record, where they are other ones.
    elsewhere: [Option<&'a Arc<GuardedBackend>>; 2],
}

impl<'a> Places<'a> {
    /// A look-up that depends on one server.
    pub(crate) fn on(server: &'a Arc<GuardedBackend>) -> Self {
        Self {
            of_key: server,
            elsewhere: [None; 2],
        }
    }

    /// A look-up of a key on one server whose records, if they are elsewhere, are on these.
    pub(super) fn of(
        of_key: &'a Arc<GuardedBackend>,
        elsewhere: [Option<&'a Arc<GuardedBackend>>; 2],
    ) -> Self {
        Self { of_key, elsewhere }
    }

    /// The servers of the resource's and the group's record.
    pub(crate) fn of_records(&self) -> [&'a Arc<GuardedBackend>; 2] {
        self.elsewhere.map(|server| server.unwrap_or(self.of_key))
    }

    /// Whether every server may be read and filled.
    pub(crate) fn are_ready(&self) -> bool {
        self.of_key.is_ready() && self.others().all(|server| server.is_ready())
    }

    /// The generation that trusted entries carry: that of the server, or a number that stands for those of all.
    pub(crate) fn generation(&self) -> u64 {
        let own = self.of_key.generation();
        self.others()
            .fold(own, |all, server| combined(all, server.generation()))
    }

    /// Whether an entry of this generation is an answer now. Call this *after* the entry was read.
    pub(crate) fn trust(&self, generation: u64) -> bool {
        if matches!(self.elsewhere, [None, None]) {
            return self.of_key.trusts(generation);
        }
        // Each generation is read once, so that the one that is compared is the one that is trusted.
        let own = self.of_key.generation();
        let mut all = own;
        let mut are_trusted = self.of_key.trusts(own);
        for server in self.others() {
            let other = server.generation();
            all = combined(all, other);
            are_trusted &= server.trusts(other);
        }
        are_trusted && all == generation
    }

    fn others(&self) -> impl Iterator<Item = &'a Arc<GuardedBackend>> {
        self.elsewhere.into_iter().flatten()
    }
}

/// One number for two generations, in this order.
fn combined(first: u64, second: u64) -> u64 {
    let mut both = [0; 16];
    both[..8].copy_from_slice(&first.to_le_bytes());
    both[8..].copy_from_slice(&second.to_le_bytes());
    rapidhash_v3(&both)
}
