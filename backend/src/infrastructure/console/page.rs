//! `/cache`: the page of the console, one file with its style and its script in it.
//!
//! Come here to change how the page is served. The page itself is in `page.html`, `page.css` and `page.js`. It asks the API of its own
//! port and nothing else, and sets what it gets as text.

use std::sync::LazyLock;

use crate::http::EmbeddedPage;

static PAGE: LazyLock<EmbeddedPage> = LazyLock::new(|| {
    EmbeddedPage::new(
        include_str!("page.html"),
        include_str!("page.css"),
        include_str!("page.js"),
    )
});

pub(super) async fn page() -> &'static EmbeddedPage {
    &PAGE
}
