//! `/cache`: the page of the console, one file with its style and its script in it.
//!
//! Come here to change how the page is served. The page itself is in `page.html`, `page.css` and `page.js`. It asks the API of its own
//! port and nothing else, and sets what it gets as text.

use std::sync::LazyLock;

use actix_web::body::BoxBody;
use actix_web::{HttpRequest, HttpResponse, Responder};

use crate::infrastructure::http::EmbeddedPage;
use crate::infrastructure::resource::{AnswerDescription, HandlerOutput, OutputDescription};

static PAGE: LazyLock<EmbeddedPage> = LazyLock::new(|| {
    EmbeddedPage::new(
        include_str!("page.html"),
        include_str!("page.css"),
        include_str!("page.js"),
    )
});

/// The answer of `/cache`.
pub(super) struct Page;

pub(super) async fn page() -> Page {
    Page
}

impl Responder for Page {
    type Body = BoxBody;

    fn respond_to(self, request: &HttpRequest) -> HttpResponse {
        PAGE.answer(request)
    }
}

impl HandlerOutput for Page {
    fn describe(output: &mut OutputDescription) {
        output
            .answers
            .push(AnswerDescription::with_body::<String>(200, "text/html"));
        output.answers.push(AnswerDescription::empty(304));
    }
}
