//! `/openapi.json` and `/docs`: the description of the API, for programs and for people.
//!
//! Come here to change the text at the top of the document, or the page. The document itself is made in
//! `infrastructure::openapi`; the page is one file with its style and its script in it, so that it needs no other request
//! than that for the document, and no network beyond this service.

use std::sync::LazyLock;

use actix_web::body::BoxBody;
use actix_web::{HttpRequest, HttpResponse, Responder};
use serde_json::Value;

use crate::infrastructure::http::{Embedded, EmbeddedPage};
use crate::infrastructure::openapi::{About, document};
use crate::infrastructure::resource::{
    AnswerDescription, HandlerOutput, OutputDescription, Resources, resource,
};

const ABOUT: About = About {
    title: env!("CARGO_PKG_NAME"),
    version: env!("CARGO_PKG_VERSION"),
    description: "Errors are problem documents (RFC 9457). A trailing slash is accepted everywhere, and HEAD wherever GET is. \
                  `x-cache` says under which key a route is cached, and what a write ends.",
    license: env!("CARGO_PKG_LICENSE"),
    sign_in: "The `access_token` of `POST /api/v1/auth/login`. Where an operation lists the role `superuser`, that of a superuser: \
              others get 403.",
};

/// Declares `/openapi.json` and `/docs`.
pub(super) fn configure(root: &mut Resources) {
    root.add(resource("/openapi.json").get(openapi))
        .add(resource("/docs").get(docs));
}

/// The description of all declared routes.
#[must_use]
pub fn openapi_document() -> Value {
    let resources = super::resources();
    document(&ABOUT, resources.iter().flat_map(Resources::operations))
}

static DOCUMENT: LazyLock<Embedded> = LazyLock::new(|| {
    let text = openapi_document().to_string();
    Embedded::new("application/json", text.into_bytes())
});

static PAGE: LazyLock<EmbeddedPage> = LazyLock::new(|| {
    EmbeddedPage::new(
        include_str!("page.html"),
        include_str!("page.css"),
        include_str!("page.js"),
    )
});

async fn openapi() -> Document {
    Document
}

async fn docs() -> &'static EmbeddedPage {
    &PAGE
}

/// The answer of `/openapi.json`.
struct Document;

impl Responder for Document {
    type Body = BoxBody;

    fn respond_to(self, request: &HttpRequest) -> HttpResponse {
        DOCUMENT.answer(request)
    }
}

impl HandlerOutput for Document {
    fn describe(output: &mut OutputDescription) {
        output.answers.push(AnswerDescription::json::<Value>(200));
        output.answers.push(AnswerDescription::empty(304));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_document_has_exactly_the_declared_routes() {
        let document = openapi_document();
        let described: BTreeSet<String> = document["paths"]
            .as_object()
            .unwrap()
            .iter()
            .flat_map(|(path, methods)| {
                let methods = methods.as_object().unwrap().keys();
                methods.map(move |method| format!("{} {path}", method.to_uppercase()))
            })
            .collect();
        let declared: BTreeSet<String> = crate::interfaces::map()
            .rows()
            .into_iter()
            .map(|row| format!("{} {}", row.method, row.path))
            .collect();
        assert!(declared.len() > 15, "the routes were found");
        assert_eq!(described, declared);
    }

    #[test]
    fn every_answer_of_the_template_is_described_by_its_type() {
        let document = openapi_document();
        for (path, methods) in document["paths"].as_object().unwrap() {
            for (method, operation) in methods.as_object().unwrap() {
                let responses = operation["responses"].as_object().unwrap();
                assert!(!responses.contains_key("2XX"), "{method} {path}");
            }
        }
    }

    #[test]
    fn every_reference_of_the_document_leads_somewhere() {
        fn check(value: &Value, document: &Value) {
            match value {
                Value::Object(object) => {
                    if let Some(reference) = object.get("$ref").and_then(Value::as_str) {
                        let target = document.pointer(reference.trim_start_matches('#'));
                        assert!(target.is_some(), "{reference}");
                    }
                    object.values().for_each(|inner| check(inner, document));
                }
                Value::Array(list) => list.iter().for_each(|inner| check(inner, document)),
                _ => {}
            }
        }
        let document = openapi_document();
        check(&document, &document);
    }
}
