//! The caches of the drills: Redis, Redis with near caches, and Memcached.
//!
//! Come here to drill another kind of cache.

use std::sync::Arc;

use crate::drill::Drill;
use crate::history::NEAR;
use crate::support::server::Kind;

/// The cache of a drill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cache {
    Redis,
    /// Redis, and near caches in the instances.
    Near,
    Memcached,
}

impl Cache {
    /// The kind of its server.
    pub fn server(self) -> Kind {
        match self {
            Self::Redis | Self::Near => Kind::Redis,
            Self::Memcached => Kind::Memcached,
        }
    }

    /// The environment of instances whose cache server is at this port.
    pub fn environment(self, port: &str) -> Vec<(&'static str, &str)> {
        let kind = self.server();
        let mut environment = vec![("CACHE_BACKEND", kind.name()), (kind.port_variable(), port)];
        if self == Self::Near {
            environment.push(NEAR);
        }
        environment
    }

    /// A drill on two instances whose cache server is at this port.
    pub async fn drill(self, port: u16) -> Arc<Drill> {
        Drill::prepare(&self.environment(&port.to_string())).await
    }
}
