//! The rules about the address of Redis: which variables form it together, and which exclude each other.
//!
//! Come here for a mistake that one variable alone does not show. The address is used in
//! `infrastructure::cache::backends::redis`.

use redis::{ConnectionAddr, IntoConnectionInfo};
use secrecy::{ExposeSecret, SecretString};

use super::sources::Values;
use super::variables;

/// What `CACHE_REDIS_URL` replaces.
const REPLACED_BY_URL: [&str; 5] = [
    "CACHE_REDIS_HOST",
    "CACHE_REDIS_PORT",
    "CACHE_REDIS_DB",
    "CACHE_REDIS_USERNAME",
    "CACHE_REDIS_PASSWORD",
];

/// The mistakes between the variables of the address.
pub(super) fn mistakes(values: &Values) -> Vec<String> {
    let mut mistakes = Vec::new();
    let url = changed(values, "CACHE_REDIS_URL");
    if url.is_some() {
        mistakes.extend(
            REPLACED_BY_URL
                .iter()
                .filter(|name| changed(values, name).is_some())
                .map(|name| {
                    format!(
                        "{name} and CACHE_REDIS_URL are both set; keep one of them, since the URL replaces it"
                    )
                }),
        );
    }
    if changed(values, "CACHE_REDIS_TLS_CA_FILE").is_some() && !url.is_some_and(has_tls) {
        mistakes.push(
            "CACHE_REDIS_TLS_CA_FILE is set; it may be set only with a CACHE_REDIS_URL that begins with rediss://"
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
