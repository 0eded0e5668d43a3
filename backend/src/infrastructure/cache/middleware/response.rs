//! Conversion of a handler's response to an entry and back (C8–C10, C42).
//!
//! Come here to change which responses are stored, and how an entry is sent. `Cache-Control` for clients
//! is in `downstream`.

use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::ServiceResponse;
use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse};

use super::form::Form;
use super::recent_headers;
use crate::stored::{CompleteAnswer, Entry, entity_tag};

/// The storable copy of a response, if it may be stored (C9), with the unchanged response. With
/// `negative`, a 404 may be stored too (C41).
pub(super) fn take_storable(
    response: ServiceResponse<BoxBody>,
    max_body_bytes: usize,
    negative: bool,
) -> (ServiceResponse<BoxBody>, Option<CompleteAnswer>) {
    let status = response.status();
    let storable_status = status == StatusCode::OK || (negative && status == StatusCode::NOT_FOUND);
    let length = match response.response().body().size() {
        BodySize::None => Some(0),
        BodySize::Sized(length) => usize::try_from(length).ok(),
        BodySize::Stream => None,
    };
    let small = length.is_some_and(|length| length <= max_body_bytes);
    if !storable_status || !small || forbids_storing(response.headers()) {
        return (response, None);
    }
    let (request, response) = response.into_parts();
    let (mut head, body) = response.into_parts();
    match body.try_into_bytes() {
        Ok(body) => {
            let headers = storable_headers(head.headers());
            let own = head.headers().get(header::ETAG).cloned();
            let etag = own.unwrap_or_else(|| entity_tag(&body));
            head.headers_mut().insert(header::ETAG, etag.clone());
            let answer = CompleteAnswer {
                status,
                headers,
                etag,
                body: body.clone(),
            };
            (
                ServiceResponse::new(request, head.set_body(BoxBody::new(body))),
                Some(answer),
            )
        }
        Err(body) => (ServiceResponse::new(request, head.set_body(body)), None),
    }
}

/// The response for an entry: the stored one with `Age` and `ETag`, or 304 where the client has it
/// already.
pub(super) fn respond(request: &HttpRequest, entry: &Entry, now: u64) -> HttpResponse {
    let metadata = &entry.metadata;
    let status = StatusCode::from_u16(metadata.status).unwrap_or(StatusCode::OK);
    let form = Form::of(request, entry);
    let entity_tag = form.entity_tag(metadata);
    let not_modified = status == StatusCode::OK && matches_none(request.headers(), &entity_tag);
    let mut response = if not_modified {
        HttpResponse::new(StatusCode::NOT_MODIFIED)
    } else if let Some(body) = form.body(entry) {
        HttpResponse::with_body(status, BoxBody::new(body))
    } else {
        // Its checksum was right, so this is no damage on the way.
        tracing::error!("the compressed body of an entry cannot be read");
        return HttpResponse::new(StatusCode::INTERNAL_SERVER_ERROR);
    };
    let headers = response.headers_mut();
    for (name, value) in &metadata.headers {
        if !not_modified || kept_in_304(name.as_str()) {
            headers.append(name.clone(), value.clone());
        }
    }
    form.describe(headers, not_modified);
    // No entry has these two, and appending takes two thirds of the time of inserting.
    headers.append(header::ETAG, entity_tag);
    let age = now.saturating_sub(metadata.stored) / 1000;
    headers.append(header::AGE, recent_headers::age(age));
    response
}

/// The answer of the request that ran the handler, in the form of the entry that was made of it.
pub(super) fn in_form_of(
    entry: &Entry,
    response: ServiceResponse<BoxBody>,
) -> ServiceResponse<BoxBody> {
    let form = Form::of(response.request(), entry);
    let (request, mut response) = response.into_parts();
    let headers = response.headers_mut();
    form.describe(headers, false);
    headers.insert(header::ETAG, form.entity_tag(&entry.metadata));
    let response = if form == Form::Compressed {
        response.set_body(BoxBody::new(entry.body.clone()))
    } else {
        response
    };
    ServiceResponse::new(request, response)
}

/// Turns a fresh 200 into 304 where the client has that very representation (C42).
pub(super) fn answer_conditionally(response: ServiceResponse<BoxBody>) -> ServiceResponse<BoxBody> {
    let matches = response.status() == StatusCode::OK
        && response
            .headers()
            .get(header::ETAG)
            .is_some_and(|etag| matches_none(response.request().headers(), etag));
    if !matches {
        return response;
    }
    let (request, mut response) = response.into_parts();
    *response.status_mut() = StatusCode::NOT_MODIFIED;
    let dropped: Vec<HeaderName> = response
        .headers()
        .keys()
        .filter(|name| !kept_in_304(name.as_str()))
        .cloned()
        .collect();
    for name in dropped {
        response.headers_mut().remove(name);
    }
    ServiceResponse::new(request, response.set_body(BoxBody::new(())))
}

/// Whether `If-None-Match` names the tag, by the weak comparison of RFC 9110, section 13.1.2.
fn matches_none(headers: &HeaderMap, etag: &HeaderValue) -> bool {
    if !headers.contains_key(header::IF_NONE_MATCH) {
        return false;
    }
    let Ok(etag) = etag.to_str() else {
        return false;
    };
    let opaque = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    let wanted = opaque(etag);
    headers
        .get_all(header::IF_NONE_MATCH)
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|tag| tag.trim() == "*" || opaque(tag) == wanted)
}

/// Whether a 304 keeps this header: headers that describe the body are left out (RFC 9110, section
/// 15.4.5).
fn kept_in_304(name: &str) -> bool {
    !matches!(
        name,
        "content-length"
            | "content-type"
            | "content-encoding"
            | "content-language"
            | "content-range"
    )
}

/// Whether the handler's headers forbid sharing the answer, or make it depend on more than the key.
fn forbids_storing(headers: &HeaderMap) -> bool {
    headers.contains_key(header::SET_COOKIE)
        || headers.contains_key(header::VARY)
        || headers.contains_key(header::CONTENT_RANGE)
        || headers
            .get_all(header::CACHE_CONTROL)
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .map(|directive| {
                directive
                    .split('=')
                    .next()
                    .unwrap_or_default()
                    .trim()
                    .to_ascii_lowercase()
            })
            .any(|directive| directive == "no-store" || directive == "private")
}

/// The handler's own headers.
fn storable_headers(headers: &HeaderMap) -> Vec<(HeaderName, HeaderValue)> {
    headers
        .iter()
        .filter(|(name, _)| is_storable_header(name.as_str()))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

/// Whether a header is stored: not a hop-by-hop header (RFC 9110, section 7.6.1) and not a header of a
/// single request.
fn is_storable_header(name: &str) -> bool {
    !matches!(
        name,
        "connection"
            | "keep-alive"
            | "proxy-authenticate"
            | "proxy-authorization"
            | "proxy-connection"
            | "te"
            | "trailer"
            | "transfer-encoding"
            | "upgrade"
            | "content-length"
            | "date"
            | "age"
            | "etag"
            | "cache-status"
            | "x-request-id"
    )
}
