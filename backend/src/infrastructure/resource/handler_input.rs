//! The inputs of a handler, from the types of its parameters.
//!
//! Come here to allow a new kind of parameter in declared handlers, or to describe more of the existing
//! ones: the map and the description of the API are made from this. Values are not extracted here: that is
//! each type's `FromRequest`.

use std::any::type_name;

use actix_web::{HttpRequest, web};
use schemars::{JsonSchema, Schema, SchemaGenerator};

use crate::auth::{Caller, Origin, Username};
use crate::cache::CacheArguments;
use crate::client_address::ClientAddress;
use crate::database::Database;
use crate::http::{IfMatch, Json, PageQuery, PathId, PathText, Query};
use crate::security_log::SecurityContext;

/// The JSON schema of a type, for a generator that collects the types that it refers to.
pub type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

/// The facts about a handler that the types of its parameters give.
#[derive(Clone, Debug, Default)]
pub struct InputDescription {
    /// The handler has a parameter that authenticates, such as [`Caller`]. A hit of the cache would skip it, so a cached route
    /// with such a handler needs `signed_in()` (C45).
    pub authenticates: bool,
    /// The name of the type as which the handler reads the query. A cached route's policy must declare
    /// the same type (C14).
    pub query: Option<&'static str>,
    /// The schema of that type: an object with a property for each parameter of the query.
    pub query_schema: Option<SchemaOf>,
    /// The schema of the JSON body.
    pub body: Option<SchemaOf>,
    /// The parameters of the path that the handler reads.
    pub path: Vec<PathInput>,
    /// The header fields that the handler reads.
    pub headers: Vec<HeaderInput>,
    /// The statuses with which the parameters refuse a request.
    pub refusals: Vec<u16>,
}

/// A parameter of the path.
#[derive(Clone, Copy, Debug)]
pub struct PathInput {
    /// The place of the parameter in the path.
    pub place: PathPlace,
    /// The schema of its values.
    pub schema: SchemaOf,
}

/// The parameter of a path that a handler reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathPlace {
    /// The last parameter that is named `id` or ends in `_id`, otherwise the first one.
    Id,
    /// The last parameter that is not named like an id, otherwise the first one.
    Text,
    /// The parameter of this name.
    Named(&'static str),
}

/// A header field of the request that is no part of the policy or of authentication.
#[derive(Clone, Copy, Debug)]
pub struct HeaderInput {
    /// The name of the field.
    pub name: &'static str,
    /// The effect of the field, as a sentence for clients.
    pub description: &'static str,
    /// A regular expression for its values.
    pub pattern: &'static str,
    /// An example of a value.
    pub example: &'static str,
}

/// A parameter of a declared handler.
///
/// The default adds nothing, so a type of your own needs one line: `impl HandlerInput for Tenant {}`. A
/// type that authenticates must set [`InputDescription::authenticates`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no parameter of a declared handler",
    note = "implement it for your extractor: `impl HandlerInput for YourType {{}}`",
    note = "the type of a body or a query also derives `schemars::JsonSchema`"
)]
pub trait HandlerInput {
    /// Adds the parameter to the description.
    fn describe(input: &mut InputDescription) {
        let _ = input;
    }
}

/// The description of a handler with these parameters. Declarations learn about a handler's type only
/// here.
pub(super) fn describe<Input: HandlerInput>() -> InputDescription {
    let mut description = InputDescription::default();
    Input::describe(&mut description);
    description
}

/// The schema of a type, as the generator refers to it.
pub(super) fn schema_of<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

impl HandlerInput for Caller {
    fn describe(input: &mut InputDescription) {
        input.authenticates = true;
    }
}

impl<T: JsonSchema> HandlerInput for Query<T> {
    fn describe(input: &mut InputDescription) {
        input.query = Some(type_name::<T>());
        input.query_schema = Some(schema_of::<T>);
        input.refusals.push(422);
    }
}

impl HandlerInput for PageQuery {
    fn describe(input: &mut InputDescription) {
        Query::<Self>::describe(input);
    }
}

impl<T: JsonSchema> HandlerInput for web::Query<T> {
    fn describe(input: &mut InputDescription) {
        input.query = Some(type_name::<T>());
        input.query_schema = Some(schema_of::<T>);
        input.refusals.push(400);
    }
}

impl<T: JsonSchema> HandlerInput for Json<T> {
    fn describe(input: &mut InputDescription) {
        input.body = Some(schema_of::<T>);
        input.refusals.extend([400, 408, 413, 415, 422]);
    }
}

impl<T: JsonSchema> HandlerInput for web::Json<T> {
    fn describe(input: &mut InputDescription) {
        input.body = Some(schema_of::<T>);
        input.refusals.extend([400, 413, 415]);
    }
}

impl HandlerInput for PathId {
    fn describe(input: &mut InputDescription) {
        input.path.push(PathInput {
            place: PathPlace::Id,
            schema: schema_of::<Self>,
        });
        input.refusals.extend([400, 404]);
    }
}

impl HandlerInput for PathText {
    fn describe(input: &mut InputDescription) {
        input.path.push(PathInput {
            place: PathPlace::Text,
            schema: schema_of::<Self>,
        });
        input.refusals.push(404);
    }
}

impl HandlerInput for Username {
    fn describe(input: &mut InputDescription) {
        input.path.push(PathInput {
            place: PathPlace::Named("username"),
            schema: schema_of::<Self>,
        });
        input.refusals.push(404);
    }
}

impl HandlerInput for IfMatch {
    fn describe(input: &mut InputDescription) {
        input.headers.push(HeaderInput {
            name: "If-Match",
            description: "The write is done only if the resource still has one of these entity tags; `*` matches every \
                          resource that exists.",
            pattern: Self::PATTERN,
            example: "*",
        });
        input.refusals.extend([400, 412]);
    }
}

impl<T: HandlerInput> HandlerInput for Option<T> {
    fn describe(input: &mut InputDescription) {
        T::describe(input);
    }
}

impl<T: HandlerInput, E> HandlerInput for Result<T, E> {
    fn describe(input: &mut InputDescription) {
        T::describe(input);
    }
}

impl HandlerInput for CacheArguments {}
impl HandlerInput for ClientAddress {}
impl HandlerInput for Database {}
impl HandlerInput for HttpRequest {}
impl HandlerInput for Origin {}
impl HandlerInput for SecurityContext {}
impl HandlerInput for web::Bytes {}
impl HandlerInput for web::Payload {}
impl<T: ?Sized> HandlerInput for web::Data<T> {}
impl<T> HandlerInput for web::Path<T> {}

/// Handlers have up to twelve parameters, as in actix.
macro_rules! tuples {
    ($($name:ident)*) => {
        impl<$($name: HandlerInput),*> HandlerInput for ($($name,)*) {
            fn describe(input: &mut InputDescription) {
                let _ = &input;
                $($name::describe(input);)*
            }
        }
    };
}

tuples!();
tuples!(A);
tuples!(A B);
tuples!(A B C);
tuples!(A B C D);
tuples!(A B C D E);
tuples!(A B C D E F);
tuples!(A B C D E F G);
tuples!(A B C D E F G H);
tuples!(A B C D E F G H I);
tuples!(A B C D E F G H I J);
tuples!(A B C D E F G H I J K);
tuples!(A B C D E F G H I J K L);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c45_a_caller_authenticates_wherever_it_stands_and_also_if_it_is_optional() {
        assert!(describe::<(Caller,)>().authenticates);
        assert!(describe::<(PathId, HttpRequest, Option<Caller>)>().authenticates);
        assert!(!describe::<(PathId, CacheArguments)>().authenticates);
    }

    #[test]
    fn c14_the_type_of_the_query_is_named() {
        assert_eq!(
            describe::<PageQuery>().query,
            Some(type_name::<PageQuery>())
        );
        assert_eq!(
            describe::<(HttpRequest, Query<u8>)>().query,
            Some(type_name::<u8>())
        );
        assert_eq!(describe::<()>().query, None);
    }

    #[test]
    fn a_handler_has_the_refusals_of_all_its_parameters() {
        let input = describe::<(PathId, IfMatch, Json<u8>)>();
        assert_eq!(
            input.refusals,
            [400, 404, 400, 412, 400, 408, 413, 415, 422]
        );
        assert_eq!(input.path[0].place, PathPlace::Id);
        assert!(input.body.is_some());
    }
}
