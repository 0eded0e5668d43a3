//! A page with its style and its script in it, under a content security policy that allows these two and nothing else.
//!
//! Come here to change what such a page may do. It needs no other request than those that its script sends to this service.

use actix_web::body::BoxBody;
use actix_web::http::header::{CONTENT_SECURITY_POLICY, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, Responder};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use super::embedded::Embedded;

/// A page that the program brings itself.
#[derive(Debug)]
pub struct EmbeddedPage {
    content: Embedded,
    policy: Option<HeaderValue>,
}

impl EmbeddedPage {
    /// A page in which `/* page.css */` and `/* page.js */` are replaced by the style and the script.
    #[must_use]
    pub fn new(page: &str, style: &str, script: &str) -> Self {
        let page = page
            .replace("/* page.css */", style)
            .replace("/* page.js */", script);
        let hash = |text: &str| STANDARD.encode(Sha256::digest(text));
        let policy = format!(
            "default-src 'none'; script-src 'sha256-{}'; style-src 'sha256-{}'; connect-src 'self'; base-uri 'none'; \
             form-action 'none'; frame-ancestors 'none'",
            hash(script),
            hash(style),
        );
        Self {
            content: Embedded::new("text/html; charset=utf-8", page.into_bytes()),
            policy: HeaderValue::from_str(&policy).ok(),
        }
    }
}

/// 200 with the page, or 304 where the client has it already.
impl Responder for &'static EmbeddedPage {
    type Body = BoxBody;

    fn respond_to(self, request: &HttpRequest) -> HttpResponse {
        let mut response = self.content.answer(request);
        if let Some(policy) = self.policy.clone() {
            response
                .headers_mut()
                .insert(CONTENT_SECURITY_POLICY, policy);
        }
        response
    }
}
