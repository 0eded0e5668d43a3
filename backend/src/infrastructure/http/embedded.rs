//! Content that never changes while the program runs: compressed once, with an `ETag`.
//!
//! Come here for pages and documents that the program brings itself. Answers of the API are cached by policies, not here.

use std::io::{self, Write};

use actix_web::HttpRequest;
use actix_web::HttpResponse;
use actix_web::http::header::{
    ACCEPT_ENCODING, AcceptEncoding, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE,
    ContentEncoding, ETAG, Encoding, EntityTag, Header as _, HeaderValue, IfNoneMatch, VARY,
};
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::cache::entity_tag;

/// One document in both of its forms.
#[derive(Clone, Debug)]
pub struct Embedded {
    content_type: &'static str,
    plain: Form,
    /// None where compression failed or saves nothing.
    compressed: Option<Form>,
}

/// The bytes with the tag that names them: the two forms of a document are two representations (RFC 9110, section 8.8.3.3).
#[derive(Clone, Debug)]
struct Form {
    bytes: Bytes,
    tag: HeaderValue,
}

impl Form {
    fn new(bytes: Bytes) -> Self {
        Self {
            tag: entity_tag(&bytes),
            bytes,
        }
    }
}

impl Embedded {
    /// Compresses the content. It takes milliseconds for each megabyte: once at start, not for each request.
    #[must_use]
    pub fn new(content_type: &'static str, content: Vec<u8>) -> Self {
        let compressed = compress(&content)
            .ok()
            .filter(|compressed| compressed.len() < content.len());
        Self {
            content_type,
            plain: Form::new(content.into()),
            compressed: compressed.map(|bytes| Form::new(bytes.into())),
        }
    }

    /// 200 with the content, compressed where the client accepts gzip, or 304 where the client has it already.
    #[must_use]
    pub fn answer(&self, request: &HttpRequest) -> HttpResponse {
        let compressed = self.compressed.as_ref().filter(|_| accepts_gzip(request));
        let form = compressed.unwrap_or(&self.plain);
        let is_known = is_known(request, &form.tag);
        let mut response = if is_known {
            HttpResponse::NotModified()
        } else {
            HttpResponse::Ok()
        };
        response
            .insert_header((ETAG, form.tag.clone()))
            .insert_header((VARY, "accept-encoding"))
            .insert_header((CACHE_CONTROL, "no-cache"));
        if is_known {
            return response.finish();
        }
        if compressed.is_some() {
            response.insert_header((CONTENT_ENCODING, ContentEncoding::Gzip));
        }
        response
            .insert_header((CONTENT_TYPE, self.content_type))
            .body(form.bytes.clone())
    }
}

fn compress(content: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(content)?;
    encoder.finish()
}

/// Whether gzip is wanted at least as much as no compression. A request without the header gets no compression; `*` allows
/// either, and gets either.
fn accepts_gzip(request: &HttpRequest) -> bool {
    if !request.headers().contains_key(ACCEPT_ENCODING) {
        return false;
    }
    let supported = [Encoding::gzip(), Encoding::identity()];
    AcceptEncoding::parse(request)
        .ok()
        .and_then(|accepted| accepted.negotiate(supported.iter()))
        == Some(Encoding::gzip())
}

fn is_known(request: &HttpRequest, tag: &HeaderValue) -> bool {
    let Some(tag) = tag
        .to_str()
        .ok()
        .and_then(|tag| tag.parse::<EntityTag>().ok())
    else {
        return false;
    };
    match IfNoneMatch::parse(request) {
        Ok(IfNoneMatch::Any) => true,
        Ok(IfNoneMatch::Items(tags)) => tags.iter().any(|known| known.weak_eq(&tag)),
        Err(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use actix_web::body::MessageBody;
    use actix_web::test::TestRequest;

    use super::*;

    fn answer(headers: &[(&'static str, &str)]) -> HttpResponse {
        let document = Embedded::new("text/plain", b"a document ".repeat(100));
        let mut request = TestRequest::default();
        for header in headers {
            request = request.insert_header(*header);
        }
        document.answer(&request.to_http_request())
    }

    #[test]
    fn a_client_that_accepts_gzip_gets_it_and_others_do_not() {
        for (accepted, is_compressed) in [
            ("gzip, br", true),
            ("gzip;q=0.5, identity;q=0.1", true),
            ("gzip;q=0", false),
            ("br", false),
            ("", false),
        ] {
            let response = answer(&[("accept-encoding", accepted)]);
            assert_eq!(
                response.headers().contains_key(CONTENT_ENCODING),
                is_compressed,
                "{accepted}"
            );
        }
        let plain = answer(&[]);
        assert!(!plain.headers().contains_key(CONTENT_ENCODING));
        assert_eq!(plain.into_body().try_into_bytes().unwrap().len(), 1100);
    }

    #[test]
    fn a_known_tag_is_a_304_for_the_form_that_it_names() {
        let plain = answer(&[]);
        let tag = plain
            .headers()
            .get(ETAG)
            .unwrap()
            .to_str()
            .unwrap()
            .to_owned();
        assert_eq!(answer(&[("if-none-match", &tag)]).status(), 304);
        assert_eq!(answer(&[("if-none-match", "\"other\"")]).status(), 200);
        let other_form = [("if-none-match", tag.as_str()), ("accept-encoding", "gzip")];
        assert_eq!(answer(&other_form).status(), 200);
    }
}
