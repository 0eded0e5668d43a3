//! The answers of a handler, from its return type.
//!
//! Come here to allow a new type of answer in declared handlers, or to describe more of the existing ones.
//! Answers are not written here: that is each type's `Responder`.

use actix_web::{CustomizeResponder, HttpResponse};
use schemars::JsonSchema;

use super::handler_input::{SchemaOf, schema_of};
use crate::http::{Created, EmbeddedPage, Json, NoContent};

/// The successful answers of a handler. Its errors are described by the parameters and by
/// [`refuses`](super::Resource::refuses).
#[derive(Clone, Debug, Default)]
pub struct OutputDescription {
    /// One description for each status; none where the type says nothing, as with `HttpResponse`.
    pub answers: Vec<AnswerDescription>,
}

/// The description of one answer.
#[derive(Clone, Copy, Debug)]
pub struct AnswerDescription {
    /// The status.
    pub status: u16,
    /// The body.
    pub content: Option<ContentDescription>,
    /// The answer has the `Location` of what was created.
    pub has_location: bool,
}

/// The body of an answer.
#[derive(Clone, Copy, Debug)]
pub struct ContentDescription {
    /// The media type.
    pub media_type: &'static str,
    /// The schema.
    pub schema: SchemaOf,
}

impl AnswerDescription {
    /// An answer with a JSON body of a type.
    #[must_use]
    pub fn json<T: JsonSchema>(status: u16) -> Self {
        Self::with_body::<T>(status, "application/json")
    }

    /// An answer without a body.
    #[must_use]
    pub const fn empty(status: u16) -> Self {
        Self {
            status,
            content: None,
            has_location: false,
        }
    }

    /// An answer with a body of another media type; `T` is `String` for text.
    #[must_use]
    pub fn with_body<T: JsonSchema>(status: u16, media_type: &'static str) -> Self {
        Self {
            status,
            content: Some(ContentDescription {
                media_type,
                schema: schema_of::<T>,
            }),
            has_location: false,
        }
    }
}

/// The return type of a declared handler.
///
/// The default describes nothing. A type of your own that describes itself pushes its answers:
/// `output.answers.push(AnswerDescription::json::<Report>(200))`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no answer of a declared handler",
    note = "answer with `ok`, `created` or `no_content` of `infrastructure::http`, or implement `HandlerOutput`",
    note = "the type of a JSON body also derives `schemars::JsonSchema`"
)]
pub trait HandlerOutput {
    /// Adds the answers to the description.
    fn describe(output: &mut OutputDescription) {
        let _ = output;
    }
}

/// The description of a handler with this return type.
pub(super) fn describe<Output: HandlerOutput>() -> OutputDescription {
    let mut description = OutputDescription::default();
    Output::describe(&mut description);
    description
}

impl<T: JsonSchema> HandlerOutput for Json<T> {
    fn describe(output: &mut OutputDescription) {
        output.answers.push(AnswerDescription::json::<T>(200));
    }
}

impl<T: JsonSchema> HandlerOutput for Created<T> {
    fn describe(output: &mut OutputDescription) {
        output.answers.push(AnswerDescription {
            has_location: true,
            ..AnswerDescription::json::<T>(201)
        });
    }
}

impl HandlerOutput for NoContent {
    fn describe(output: &mut OutputDescription) {
        output.answers.push(AnswerDescription::empty(204));
    }
}

impl<T: HandlerOutput, E> HandlerOutput for Result<T, E> {
    fn describe(output: &mut OutputDescription) {
        T::describe(output);
    }
}

impl<T: HandlerOutput> HandlerOutput for CustomizeResponder<T> {
    fn describe(output: &mut OutputDescription) {
        T::describe(output);
    }
}

impl HandlerOutput for &'static EmbeddedPage {
    fn describe(output: &mut OutputDescription) {
        output
            .answers
            .push(AnswerDescription::with_body::<String>(200, "text/html"));
        output.answers.push(AnswerDescription::empty(304));
    }
}

impl HandlerOutput for HttpResponse {}
impl HandlerOutput for &'static str {}
impl HandlerOutput for String {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_return_type_says_status_and_body() {
        let created = describe::<Result<Created<u8>, actix_web::Error>>();
        assert_eq!(created.answers[0].status, 201);
        assert!(created.answers[0].has_location);
        assert!(created.answers[0].content.is_some());
        assert_eq!(
            describe::<CustomizeResponder<Json<u8>>>().answers[0].status,
            200
        );
        assert!(describe::<NoContent>().answers[0].content.is_none());
        assert!(describe::<HttpResponse>().answers.is_empty());
    }
}
