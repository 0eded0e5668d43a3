//! The bytes of a list of 100 widgets, compressed and not: on the wire, and in Redis.
//!
//! Come here for another list. The rate of its hits is a workload.

use crate::client::Client;
use crate::launcher::Launcher;
use crate::program::{Addition, Program, ServiceCache};
use crate::{Result, redis_server};

/// The list. `scripts/bench` makes its widgets.
pub const LIST: &str = "/api/v1/widgets?q=assortment&items_per_page=100";

/// The sizes of the list in bytes.
pub struct Sizes {
    /// The body that a client receives.
    pub wire: f64,
    /// The memory that Redis takes for the entry.
    pub stored: f64,
}

/// The sizes without and with compression.
pub fn measure(launcher: &Launcher<'_>) -> Result<[Sizes; 2]> {
    let plain = sizes(launcher, Program::service(ServiceCache::Redis), "list")?;
    let compressed = Program::service_with(Addition::Compression, ServiceCache::Redis);
    Ok([plain, sizes(launcher, compressed, "compressed-list")?])
}

fn sizes(launcher: &Launcher<'_>, program: Program, namespace: &str) -> Result<Sizes> {
    let running = launcher.start_with(program, &[("CACHE_NAMESPACE", namespace)])?;
    let mut client = Client::connect(running.port)?;
    // The first one is stored.
    client.get_compressed(LIST)?;
    let wire = client.get_compressed(LIST)?.len();
    let stored = redis_server::memory_of_lists(launcher.settings.redis_port, namespace)?;
    Ok(Sizes {
        wire: f64::from(u32::try_from(wire)?),
        stored,
    })
}
