//! Redirections: the answer of a node of a Redis Cluster that does not hold the key.
//!
//! Come here to change how `MOVED` and `ASK` are read. Who follows them is decided in `cluster`.

use redis::ServerError;

/// The answer of a node of a Redis Cluster that does not hold the key: where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Redirection {
    pub(super) host: String,
    pub(super) port: u16,
    /// Whether the slot is still on its way there, so that `ASKING` comes before the command.
    pub(super) asking: bool,
}

/// The redirection in an error; `None` in any other error.
pub(super) fn redirection(error: &ServerError) -> Option<Redirection> {
    let asking = match error.code() {
        "ASK" => true,
        "MOVED" => false,
        _ => return None,
    };
    let (_, address) = error.details()?.split_once(' ')?;
    let (host, port) = address.rsplit_once(':')?;
    Some(Redirection {
        host: host.to_owned(),
        port: port.parse().ok()?,
        asking,
    })
}
