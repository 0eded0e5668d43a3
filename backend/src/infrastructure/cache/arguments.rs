//! Arguments: the named values known for a request, from which keys are built (C2).

use std::future::{Ready, ready};

use actix_web::{Error, FromRequest, HttpMessage, HttpRequest, dev::Payload};

/// Values bound on a request by a handler or an outer middleware.
#[derive(Debug, Default)]
pub(super) struct BoundArguments(pub(super) Vec<(&'static str, String)>);

/// Binds a value on the request. A name bound more than once keeps every value, and each of them
/// is invalidated.
pub fn bind_argument(request: &impl HttpMessage, name: &'static str, value: impl ToString) {
    let mut extensions = request.extensions_mut();
    if extensions.get::<BoundArguments>().is_none() {
        extensions.insert(BoundArguments::default());
    }
    if let Some(bound) = extensions.get_mut::<BoundArguments>() {
        bound.0.push((name, value.to_string()));
    }
}

/// Lets a handler bind what only it knows, such as the owner of what it has just deleted.
///
/// ```
/// use actix_web::HttpResponse;
/// use backend::infrastructure::cache::CacheArguments;
///
/// async fn delete(arguments: CacheArguments) -> HttpResponse {
///     arguments.bind("owner", "johndoe");
///     HttpResponse::NoContent().finish()
/// }
/// ```
#[derive(Debug)]
pub struct CacheArguments(HttpRequest);

impl CacheArguments {
    /// Binds a value under a name; see [`bind_argument`].
    pub fn bind(&self, name: &'static str, value: impl ToString) {
        bind_argument(&self.0, name, value);
    }
}

impl FromRequest for CacheArguments {
    type Error = Error;
    type Future = Ready<Result<Self, Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Ok(Self(request.clone())))
    }
}
