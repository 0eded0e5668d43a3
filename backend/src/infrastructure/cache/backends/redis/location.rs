//! Where the server is now: at its one address, or where the Sentinels say (C60).
//!
//! Come here for the address of a new connection. Addresses are formed in `address`, Sentinels are asked in `sentinel`.

use std::sync::Arc;
use std::time::Instant;

use redis::{ConnectionInfo, ProtocolVersion};

use super::address;
use super::sentinel::{Term, Watch};
use crate::backends::contract::BackendError;
use crate::options::RedisOptions;

/// Where the server is.
#[derive(Debug)]
pub(super) enum Location {
    /// Always at this address.
    Fixed(Box<ConnectionInfo>),
    /// At the address of the current term.
    Sentinels(Box<RedisOptions>, Watch),
}

/// An address, and the term in which it is that of the master; no term where the address is fixed.
pub(super) struct Place {
    pub(super) address: ConnectionInfo,
    pub(super) term: Option<Arc<Term>>,
}

impl Location {
    /// The server of these options. With Sentinels it starts a task, which needs a Tokio runtime.
    ///
    /// # Errors
    /// The options form no address.
    pub(super) fn new(options: &RedisOptions) -> Result<Self, BackendError> {
        let Some(sentinels) = &options.sentinels else {
            return Ok(Self::Fixed(Box::new(address::of_server(options)?)));
        };
        let mut addresses = Vec::new();
        for server in &sentinels.servers {
            let address = address::of_sentinel(options, sentinels, server)?;
            addresses.push((server.to_string(), address));
        }
        let watch = Watch::start(addresses, sentinels.master.clone());
        Ok(Self::Sentinels(Box::new(options.clone()), watch))
    }

    /// The place for a connection that begins now.
    ///
    /// # Errors
    /// No server may be used now.
    pub(super) fn now(&self, protocol: ProtocolVersion) -> Result<Place, String> {
        let (address, term) = match self {
            Self::Fixed(address) => ((**address).clone(), None),
            Self::Sentinels(options, watch) => {
                let term = watch.current()?;
                let (host, port) = (&term.master.host, term.master.port);
                let address = address::of_master(options, host, port);
                (address.map_err(|error| error.to_string())?, Some(term))
            }
        };
        let address = address::with_protocol(address, protocol);
        Ok(Place { address, term })
    }

    /// The number of the current term, always 0 for a fixed address; `None` where no server may be used now.
    pub(super) fn term(&self) -> Option<u64> {
        match self {
            Self::Fixed(_) => Some(0),
            Self::Sentinels(_, watch) => watch.number(),
        }
    }

    /// Succeeds if the server of this term is still the one that may be used.
    ///
    /// # Errors
    /// No server may be used now, or another one. Other instances may read from that one.
    pub(super) fn check(&self, term: Option<u64>) -> Result<(), String> {
        let Self::Sentinels(_, watch) = self else {
            return Ok(());
        };
        let current = watch.current()?;
        if Some(current.number) == term {
            Ok(())
        } else {
            Err("the cache server was replaced meanwhile".to_owned())
        }
    }

    /// The name of the server by which the other instances recognise the term too: the name of the process, and with Sentinels the
    /// number of its failover.
    pub(super) fn identity(&self, process: String, term: Option<&Term>) -> String {
        match (self, term) {
            (Self::Sentinels(..), Some(term)) => format!("{process}-{}", term.master.failover),
            _ => process,
        }
    }

    /// See `CacheBackend::settles_at`.
    pub(super) fn settles_at(&self) -> Option<Instant> {
        match self {
            Self::Fixed(_) => None,
            Self::Sentinels(_, watch) => Some(watch.settled()),
        }
    }

    /// Waits at the start of the process until a server may be used, but not for ever.
    pub(super) async fn wait(&self) {
        if let Self::Sentinels(_, watch) = self {
            watch.wait().await;
        }
    }

    /// What is missing although a server may be used: Sentinels that name no master.
    pub(super) fn shortfall(&self) -> Option<String> {
        match self {
            Self::Fixed(_) => None,
            Self::Sentinels(_, watch) => watch.shortfall(),
        }
    }
}
