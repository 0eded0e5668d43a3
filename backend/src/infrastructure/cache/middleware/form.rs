//! The form in which a client gets the body of an entry: as the handler sent it, or compressed.
//!
//! Come here to change which clients get the compressed form, and the headers of the forms. An entry is compressed once, when it is
//! stored (`stored::compression`); never here.

use actix_web::HttpRequest;
use actix_web::http::header::{
    self, AcceptEncoding, CONTENT_ENCODING, Encoding, Header as _, HeaderMap, HeaderValue, VARY,
};
use bytes::Bytes;

use crate::stored::{Entry, Metadata, compressed_entity_tag};

const ACCEPT_ENCODING: HeaderValue = HeaderValue::from_static("Accept-Encoding");
const ZSTD: HeaderValue = HeaderValue::from_static("zstd");

/// The form of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// The entry has one form.
    Only,
    /// Decompressed for this client.
    Plain,
    /// As it is stored, in the coding `zstd`.
    Compressed,
}

impl Form {
    /// The form for the client of this request.
    pub(super) fn of(request: &HttpRequest, entry: &Entry) -> Self {
        if entry.metadata.plain_length.is_none() {
            Self::Only
        } else if accepts_zstd(request) {
            Self::Compressed
        } else {
            Self::Plain
        }
    }

    /// The entity tag of the form.
    pub(super) fn entity_tag(self, metadata: &Metadata) -> HeaderValue {
        match self {
            Self::Only | Self::Plain => metadata.etag.clone(),
            Self::Compressed => compressed_entity_tag(&metadata.etag),
        }
    }

    /// The body in the form; `None` where it cannot be decompressed.
    pub(super) fn body(self, entry: &Entry) -> Option<Bytes> {
        match self {
            Self::Only | Self::Compressed => Some(entry.body.clone()),
            Self::Plain => entry.plain_body(),
        }
    }

    /// Adds the headers that tell caches and clients the forms apart. A 304 has no coding.
    pub(super) fn describe(self, headers: &mut HeaderMap, not_modified: bool) {
        if self == Self::Only {
            return;
        }
        headers.append(VARY, ACCEPT_ENCODING);
        if self == Self::Compressed && !not_modified {
            headers.insert(CONTENT_ENCODING, ZSTD);
        }
    }
}

/// Whether the client prefers the coding to none (RFC 9110, section 12.5.3).
fn accepts_zstd(request: &HttpRequest) -> bool {
    let supported = [Encoding::zstd(), Encoding::identity()];
    request.headers().contains_key(header::ACCEPT_ENCODING)
        && AcceptEncoding::parse(request)
            .is_ok_and(|accepted| accepted.negotiate(supported.iter()) == Some(Encoding::zstd()))
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn a_client_gets_the_coding_only_if_it_accepts_it() {
        for (accepted, is_coded) in [
            (None, false),
            (Some("zstd"), true),
            (Some("gzip, deflate, br, zstd"), true),
            (Some("zstd;q=0.5"), true),
            (Some("*"), false),
            (Some("zstd;q=0, *"), false),
            (Some("zstd;q=0"), false),
            (Some("gzip, br"), false),
            (Some("identity"), false),
            (Some("zstd;q=0.1, identity"), false),
            (Some("*;q=0"), false),
            (Some(""), false),
            (Some("zstandard"), false),
        ] {
            let mut request = TestRequest::default();
            if let Some(accepted) = accepted {
                request = request.insert_header((header::ACCEPT_ENCODING, accepted));
            }
            let request = request.to_http_request();
            assert_eq!(accepts_zstd(&request), is_coded, "{accepted:?}");
        }
    }
}
