//! The headers that protect browsers: on every answer, on pages, and on answers that travel by TLS.
//!
//! Come here to change such a header. Which pages of other origins may read an answer is decided in `cors`.

use actix_web::HttpRequest;
use actix_web::http::header::{
    CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderMap, HeaderValue, REFERRER_POLICY,
    STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS,
};
use serde::Deserialize;

use crate::client_address::TrustedProxies;

/// The browser uses the type in `Content-Type` and does not guess another.
const NOSNIFF: HeaderValue = HeaderValue::from_static("nosniff");
/// The browser sends no `Referer` to other sites.
const NO_REFERRER: HeaderValue = HeaderValue::from_static("no-referrer");
/// For a page without a policy of its own: it loads nothing, runs nothing, and is shown in no frame.
const NOTHING: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);
/// A year, as lists of such sites want it. Other hosts of the domain are not ours to decide about.
const ONE_YEAR: HeaderValue = HeaderValue::from_static("max-age=31536000");

/// The answers that carry `Strict-Transport-Security` (`HSTS`).
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "lowercase")]
pub enum Hsts {
    /// The answers to requests that came by TLS, as a trusted proxy says.
    #[default]
    Auto,
    /// All: for TLS that ends at a proxy which does not say so in a header.
    Always,
    /// None.
    Never,
}

/// The headers of one service. They are inserted into each answer.
#[derive(Clone, Debug)]
pub struct SecurityHeaders {
    hsts: Hsts,
    proxies: TrustedProxies,
}

impl SecurityHeaders {
    /// The headers for a service behind these proxies.
    #[must_use]
    pub fn new(hsts: Hsts, proxies: TrustedProxies) -> Self {
        // Without trusted proxies no header says that a request came by TLS, so no request is checked.
        let hsts = match hsts {
            Hsts::Auto if proxies.is_empty() => Hsts::Never,
            hsts => hsts,
        };
        Self { hsts, proxies }
    }

    /// Whether the answer to this request says that the service is to be reached by TLS only.
    pub(super) fn promises_tls(&self, request: &HttpRequest) -> bool {
        match self.hsts {
            Hsts::Never => false,
            Hsts::Always => true,
            Hsts::Auto => request.peer_addr().is_some_and(|peer| {
                self.proxies
                    .say_that_it_came_by_tls(peer.ip(), request.headers())
            }),
        }
    }
}

/// Adds the headers to an answer. A policy that a page has already stays.
pub(super) fn insert(headers: &mut HeaderMap, promises_tls: bool) {
    headers.insert(X_CONTENT_TYPE_OPTIONS, NOSNIFF);
    headers.insert(REFERRER_POLICY, NO_REFERRER);
    if promises_tls {
        headers.insert(STRICT_TRANSPORT_SECURITY, ONE_YEAR);
    }
    let is_page = headers
        .get(CONTENT_TYPE)
        .is_some_and(|content_type| content_type.as_bytes().starts_with(b"text/html"));
    if is_page && !headers.contains_key(CONTENT_SECURITY_POLICY) {
        headers.insert(CONTENT_SECURITY_POLICY, NOTHING);
    }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn inserted(content_type: &'static str, own_policy: Option<&'static str>) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        if let Some(policy) = own_policy {
            headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
        }
        insert(&mut headers, false);
        headers
    }

    #[test]
    fn a_page_may_do_nothing_unless_it_has_a_policy_of_its_own() {
        let policy = |headers: &HeaderMap| headers.get(CONTENT_SECURITY_POLICY).cloned();
        assert_eq!(policy(&inserted("application/json", None)), None);
        assert_eq!(
            policy(&inserted("text/html; charset=utf-8", None)),
            Some(NOTHING)
        );
        let own = policy(&inserted("text/html", Some("default-src 'self'"))).unwrap();
        assert_eq!(own, "default-src 'self'");
    }

    #[test]
    fn tls_is_promised_if_a_trusted_proxy_says_so_or_a_setting() {
        let promises = |hsts, proxies: &str, header: (&str, &str)| {
            let proxies = TrustedProxies::try_from(proxies.to_owned()).unwrap();
            let request = TestRequest::default()
                .peer_addr("10.1.2.3:4711".parse().unwrap())
                .insert_header(header)
                .to_http_request();
            SecurityHeaders::new(hsts, proxies).promises_tls(&request)
        };
        let by_tls = ("x-forwarded-proto", "https");
        assert!(promises(Hsts::Auto, "10.0.0.0/8", by_tls));
        assert!(!promises(
            Hsts::Auto,
            "10.0.0.0/8",
            ("x-forwarded-proto", "http")
        ));
        assert!(!promises(Hsts::Auto, "192.0.2.1", by_tls));
        assert!(!promises(Hsts::Auto, "", by_tls));
        assert!(!promises(Hsts::Never, "10.0.0.0/8", by_tls));
        assert!(promises(Hsts::Always, "", ("accept", "*/*")));
    }
}
