//! Every answer that a test gets has a status that the description of the API lists for its route.
//!
//! Come here when a test fails because a status is not described: the route lacks it in `refuses`, or a type describes too
//! little.

use std::sync::LazyLock;

use reqwest::{Method, Request};
use serde_json::Value;

static DOCUMENT: LazyLock<Value> = LazyLock::new(backend::interfaces::openapi_document);

/// Answers that any route may give: to malformed requests, unknown methods, and beyond the limit of requests.
const EVERYWHERE: [u16; 6] = [400, 405, 408, 429, 500, 503];

/// Panics if the document has the route and not the status.
pub fn check(request: &Request, status: u16) {
    let method = match *request.method() {
        Method::HEAD => "get".to_owned(),
        ref method => method.as_str().to_lowercase(),
    };
    let Some(responses) = responses(request.url().path(), &method) else {
        return;
    };
    assert!(
        EVERYWHERE.contains(&status) || responses.get(status.to_string()).is_some(),
        "{method} {}: status {status} is not described; the route has: {:?}",
        request.url().path(),
        responses
            .as_object()
            .map(|known| known.keys().collect::<Vec<_>>()),
    );
}

/// The described answers of the route with the most literal segments.
fn responses(path: &str, method: &str) -> Option<&'static Value> {
    let segments: Vec<&str> = path.trim_end_matches('/').split('/').collect();
    let paths = DOCUMENT["paths"].as_object()?;
    let matches = |template: &str| {
        let wanted: Vec<&str> = template.split('/').collect();
        let is_match = wanted.len() == segments.len()
            && wanted
                .iter()
                .zip(&segments)
                .all(|(wanted, own)| wanted.starts_with('{') || wanted == own);
        is_match.then(|| {
            wanted
                .iter()
                .filter(|wanted| wanted.starts_with('{'))
                .count()
        })
    };
    let (_, operations) = paths
        .iter()
        .filter_map(|(template, operations)| Some((matches(template)?, operations)))
        .min_by_key(|(parameters, _)| *parameters)?;
    operations
        .get(method)
        .map(|operation| &operation["responses"])
}
