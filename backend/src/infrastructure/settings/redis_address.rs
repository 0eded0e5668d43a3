//! The rules about the address of Redis: which variables form it together, which exclude each other, and which modes exist.
//!
//! Come here for a mistake that one variable alone does not show. The address is used in
//! `infrastructure::cache::backends::redis`.

use redis::{ConnectionAddr, IntoConnectionInfo};
use secrecy::{ExposeSecret, SecretString};

use super::sources::Values;
use super::variables;

/// What `CACHE_REDIS_URL` replaces.
const REPLACED_BY_URL: [&str; 6] = [
    "CACHE_REDIS_HOST",
    "CACHE_REDIS_PORT",
    "CACHE_REDIS_DB",
    "CACHE_REDIS_USERNAME",
    "CACHE_REDIS_PASSWORD",
    "CACHE_REDIS_TLS",
];
/// What the Sentinels replace.
const REPLACED_BY_SENTINELS: [&str; 3] =
    ["CACHE_REDIS_URL", "CACHE_REDIS_HOST", "CACHE_REDIS_PORT"];
/// What only Sentinels need.
const OF_SENTINELS: [&str; 4] = [
    "CACHE_REDIS_SENTINELS",
    "CACHE_REDIS_SENTINEL_MASTER",
    "CACHE_REDIS_SENTINEL_USERNAME",
    "CACHE_REDIS_SENTINEL_PASSWORD",
];
/// What the nodes of a Cluster replace, or a Cluster does not have, with the reason.
const NOT_IN_CLUSTER: [(&str, &str); 5] = [
    ("CACHE_REDIS_URL", "CACHE_REDIS_NODES names the servers"),
    ("CACHE_REDIS_HOST", "CACHE_REDIS_NODES names the servers"),
    ("CACHE_REDIS_PORT", "CACHE_REDIS_NODES names the servers"),
    ("CACHE_REDIS_DB", "a Redis Cluster has the database 0 alone"),
    ("CACHE_NEAR", "a near cache works with one master alone"),
];

/// The mistakes between the variables of the address.
pub(super) fn mistakes(values: &Values) -> Vec<String> {
    let is_set = |name: &&&str| changed(values, name).is_some();
    let url = changed(values, "CACHE_REDIS_URL");
    let mut mistakes = match changed(values, "CACHE_REDIS_MODE") {
        Some("sentinel") => mistakes_with_sentinels(values),
        Some("cluster") => mistakes_with_cluster(values),
        // A word that is no mode is refused as such.
        _ => {
            let without_mode = OF_SENTINELS.iter().filter(is_set);
            let mistakes = without_mode.map(|name| {
                format!("{name} is set; it may be set only with CACHE_REDIS_MODE=sentinel")
            });
            mistakes.collect()
        }
    };
    let mode = changed(values, "CACHE_REDIS_MODE");
    if changed(values, "CACHE_REDIS_NODES").is_some() && matches!(mode, None | Some("sentinel")) {
        mistakes.push(
            "CACHE_REDIS_NODES is set; it may be set only with CACHE_REDIS_MODE=cluster".to_owned(),
        );
    }
    if url.is_some() {
        let replaced = REPLACED_BY_URL.iter().filter(is_set);
        mistakes.extend(replaced.map(|name| {
            format!(
                "{name} and CACHE_REDIS_URL are both set; keep one of them, since the URL replaces it"
            )
        }));
    }
    let has_tls = changed(values, "CACHE_REDIS_TLS").is_some() || url.is_some_and(has_tls);
    if changed(values, "CACHE_REDIS_TLS_CA_FILE").is_some() && !has_tls {
        mistakes.push(
            "CACHE_REDIS_TLS_CA_FILE is set; it may be set only with CACHE_REDIS_TLS=true, or with a CACHE_REDIS_URL that begins with rediss://"
                .to_owned(),
        );
    }
    mistakes
}

fn mistakes_with_cluster(values: &Values) -> Vec<String> {
    let refused = NOT_IN_CLUSTER.iter();
    let refused = refused.filter(|(name, _)| changed(values, name).is_some());
    let mut mistakes: Vec<_> = refused
        .map(|(name, reason)| {
            format!("{name} is set beside CACHE_REDIS_MODE=cluster; remove it, since {reason}")
        })
        .collect();
    let sentinels = OF_SENTINELS.iter();
    let sentinels = sentinels.filter(|name| changed(values, name).is_some());
    mistakes.extend(
        sentinels.map(|name| {
            format!("{name} is set; it may be set only with CACHE_REDIS_MODE=sentinel")
        }),
    );
    if changed(values, "CACHE_REDIS_NODES").is_none() {
        mistakes.push(
            "CACHE_REDIS_NODES is not set; CACHE_REDIS_MODE=cluster needs the host:port of three or five of its nodes"
                .to_owned(),
        );
    }
    mistakes
}

fn mistakes_with_sentinels(values: &Values) -> Vec<String> {
    let replaced = REPLACED_BY_SENTINELS.iter();
    let both = replaced.filter(|name| changed(values, name).is_some());
    let mut mistakes: Vec<_> = both
        .map(|name| {
            format!("{name} is set beside CACHE_REDIS_MODE=sentinel; remove it, since the Sentinels name the server")
        })
        .collect();
    if changed(values, "CACHE_REDIS_SENTINELS").is_none() {
        mistakes.push(
            "CACHE_REDIS_SENTINELS is not set; CACHE_REDIS_MODE=sentinel needs the host:port of each Sentinel"
                .to_owned(),
        );
    }
    mistakes
}

/// The value of a variable that is set to another value than its default. A `.env` that was copied from
/// `.env.example` sets every variable.
fn changed<'a>(values: &'a Values, name: &str) -> Option<&'a str> {
    let value = values.get(name)?.text.expose_secret();
    let default = variables::find(name).map_or("", |variable| variable.default);
    (value != default && !value.is_empty()).then_some(value)
}

fn has_tls(url: &str) -> bool {
    let info = url.into_connection_info();
    info.is_ok_and(|info| matches!(info.addr(), ConnectionAddr::TcpTls { .. }))
}

/// The check of `CACHE_REDIS_URL`. `#insecure`, which would accept any certificate, is refused.
#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "garde passes the context by reference"
)]
pub(super) fn is_redis_url(url: &SecretString, _: &()) -> garde::Result {
    let url = url.expose_secret();
    if url.is_empty() || (url.into_connection_info().is_ok() && !url.contains('#')) {
        Ok(())
    } else {
        Err(garde::Error::new("not an address of Redis"))
    }
}

/// The check of `CACHE_REDIS_TLS_CA_FILE`.
#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "garde passes the context by reference"
)]
pub(super) fn is_authority_file(file: &str, _: &()) -> garde::Result {
    const BEGINNING: &str = "-----BEGIN CERTIFICATE-----";
    let holds_certificates =
        || std::fs::read_to_string(file).is_ok_and(|text| text.contains(BEGINNING));
    if file.is_empty() || holds_certificates() {
        Ok(())
    } else {
        Err(garde::Error::new("no file with certificates"))
    }
}
