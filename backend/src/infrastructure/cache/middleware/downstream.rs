//! `Cache-Control` of answers of cached routes, for the caches of browsers and proxies (C52).
//!
//! Come here to change which answers clients may keep. Which answers this service stores is decided in
//! `response`. The header is added when an answer is sent and is never stored, so that a change of the
//! policy takes effect at once.

use actix_web::body::BoxBody;
use actix_web::dev::ServiceResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{AGE, CACHE_CONTROL, HeaderValue, SET_COOKIE};

use crate::cache_status::{Bypass, Outcome};
use crate::keys::bound_caller;
use crate::policy::CompiledPolicy;

/// Clients may store the answer, but must ask before every use. They get 304 while the entry stands.
const REVALIDATE: HeaderValue = HeaderValue::from_static("no-cache");
/// As [`REVALIDATE`], for the caller's own browser only.
const REVALIDATE_PRIVATE: HeaderValue = HeaderValue::from_static("private, no-cache");
/// Clients must not store the answer.
const KEEP_NOTHING: HeaderValue = HeaderValue::from_static("no-store");

/// Adds the header, unless the handler has set one.
pub(super) fn set_cache_control(
    policy: &CompiledPolicy,
    response: &mut ServiceResponse<BoxBody>,
    outcome: Outcome,
) {
    if response.headers().contains_key(CACHE_CONTROL) {
        return;
    }
    let value = if is_of_one_caller(response, outcome) {
        KEEP_NOTHING
    } else if let Some(seconds) = policy.policy.client_max_age
        && may_be_kept(response.status(), outcome)
    {
        max_age(policy, response, seconds)
    } else if policy.is_per_caller() {
        REVALIDATE_PRIVATE
    } else {
        REVALIDATE
    };
    response.headers_mut().append(CACHE_CONTROL, value);
}

/// Whether the answer was not stored because it may belong to its caller alone.
fn is_of_one_caller(response: &ServiceResponse<BoxBody>, outcome: Outcome) -> bool {
    match outcome {
        Outcome::Bypass(Bypass::Credentials | Bypass::CallerInside) => true,
        // An entry has no cookies.
        Outcome::Hit { .. } | Outcome::StaleIfError => false,
        _ => response.headers().contains_key(SET_COOKIE),
    }
}

/// Whether clients may use the answer again without asking: it is fresh and no error.
fn may_be_kept(status: StatusCode, outcome: Outcome) -> bool {
    let is_fresh = match outcome {
        Outcome::Hit { ttl } => ttl >= 0,
        Outcome::Miss { .. } | Outcome::Collapsed => true,
        Outcome::Bypass(bypass) => matches!(bypass, Bypass::Disabled | Bypass::Unavailable),
        Outcome::StaleIfError | Outcome::Method { .. } => false,
    };
    is_fresh && matches!(status, StatusCode::OK | StatusCode::NOT_MODIFIED)
}

/// `max-age` of an answer. Clients subtract `Age` from it (RFC 9111, section 4.2), so `Age` is added: a
/// hit may be kept as long as a miss.
fn max_age(
    policy: &CompiledPolicy,
    response: &ServiceResponse<BoxBody>,
    seconds: u32,
) -> HeaderValue {
    let age = response.headers().get(AGE);
    let age = age.and_then(|age| age.to_str().ok()?.parse::<u64>().ok());
    let seconds = age.unwrap_or_default().saturating_add(u64::from(seconds));
    // A proxy must not answer in place of the check of the caller.
    let is_private = policy.is_per_caller() || bound_caller(response.request()).is_some();
    let private = if is_private { "private, " } else { "" };
    HeaderValue::try_from(format!("{private}max-age={seconds}")).unwrap_or(KEEP_NOTHING)
}
