//! The inputs of a handler, from the types of its parameters.
//!
//! Come here to allow a new kind of parameter in declared handlers, or to describe more of the existing
//! ones (the description of the API will be made from this). Values are not extracted here: that is each
//! type's `FromRequest`.

use std::any::type_name;

use actix_web::{HttpRequest, web};

use crate::infrastructure::auth::{Caller, Username};
use crate::infrastructure::cache::CacheArguments;
use crate::infrastructure::client_address::ClientAddress;
use crate::infrastructure::database::Database;
use crate::infrastructure::http::{IfMatch, Json, PathId, PathText, Query};

/// The facts about a handler that the types of its parameters give.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InputDescription {
    /// The handler has a parameter that authenticates, such as [`Caller`]. A hit of the cache would skip it, so a cached route
    /// with such a handler needs `signed_in()` (C45).
    pub authenticates: bool,
    /// The name of the type as which the handler reads the query. A cached route's policy must declare
    /// the same type (C14).
    pub query: Option<&'static str>,
}

/// A parameter of a declared handler.
///
/// The default adds nothing, so a type of your own needs one line: `impl HandlerInput for Tenant {}`. A
/// type that authenticates must set [`InputDescription::authenticates`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no parameter of a declared handler",
    note = "implement it for your extractor: `impl HandlerInput for YourType {{}}`"
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

impl HandlerInput for Caller {
    fn describe(input: &mut InputDescription) {
        input.authenticates = true;
    }
}

impl<T> HandlerInput for Query<T> {
    fn describe(input: &mut InputDescription) {
        input.query = Some(type_name::<T>());
    }
}

impl<T> HandlerInput for web::Query<T> {
    fn describe(input: &mut InputDescription) {
        input.query = Some(type_name::<T>());
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
impl HandlerInput for IfMatch {}
impl HandlerInput for PathId {}
impl HandlerInput for PathText {}
impl HandlerInput for Username {}
impl HandlerInput for web::Bytes {}
impl HandlerInput for web::Payload {}
impl<T> HandlerInput for Json<T> {}
impl<T: ?Sized> HandlerInput for web::Data<T> {}
impl<T> HandlerInput for web::Json<T> {}
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
            describe::<(HttpRequest, Query<u8>)>().query,
            Some(type_name::<u8>())
        );
        assert_eq!(describe::<()>(), InputDescription::default());
    }
}
