//! Arguments: the named values known for a request, from which keys are built (C2).

use std::borrow::Cow;
use std::fmt::Write as _;
use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::{Error, FromRequest, HttpMessage, HttpRequest};
use percent_encoding::percent_decode_str;

use super::escape::strong_hash;

/// Values bound on a request by a handler or an outer middleware.
#[derive(Debug, Default)]
pub(super) struct BoundArguments(pub(in crate::infrastructure::cache) Vec<(&'static str, String)>);

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

/// The argument that names the caller. Only an authenticating middleware or the handler can give
/// it: no path and no query does.
pub(in crate::infrastructure::cache) const CALLER: &str = "caller";

/// The caller that authentication has bound on the request so far; of several, the last one.
pub(in crate::infrastructure::cache) fn bound_caller(request: &HttpRequest) -> Option<String> {
    let extensions = request.extensions();
    let bound = &extensions.get::<BoundArguments>()?.0;
    bound
        .iter()
        .rev()
        .find(|(name, _)| *name == CALLER)
        .map(|(_, value)| value.clone())
}

/// The hash of the declared query.
pub(in crate::infrastructure::cache) const QUERY_HASH: &str = "query_hash";

/// Every argument of one request.
pub(in crate::infrastructure::cache) struct Arguments<'a> {
    bound: Vec<(&'static str, String)>,
    path: Vec<(&'a str, Cow<'a, str>)>,
    query: &'a [(String, String)],
    query_hash: Option<String>,
    resource_id_type: ResourceIdType,
}

impl<'a> Arguments<'a> {
    /// Collects what is known for the request: bound values, path parameters and the fields of the
    /// declared query.
    pub(in crate::infrastructure::cache) fn collect(
        request: &'a HttpRequest,
        query: &'a [(String, String)],
        resource_id_type: ResourceIdType,
    ) -> Self {
        let bound = request
            .extensions()
            .get::<BoundArguments>()
            .map_or_else(Vec::new, |bound| bound.0.clone());
        let path = request
            .match_info()
            .iter()
            .filter_map(|(name, value)| Some((name, decoded(value)?)))
            .collect();
        Self {
            bound,
            path,
            query,
            query_hash: None,
            resource_id_type,
        }
    }

    /// Adds the hash of the declared query (C2).
    pub(in crate::infrastructure::cache) fn with_query_hash(mut self) -> Self {
        let mut normalised = String::new();
        for (name, value) in self.query {
            // With their lengths, so that no value reads like another field.
            let _ = write!(normalised, "{}:{name}={}:{value};", name.len(), value.len());
        }
        self.query_hash = Some(strong_hash(&normalised).to_owned());
        self
    }

    /// The value of an argument. What was bound goes before what the client sent.
    pub(in crate::infrastructure::cache) fn value(&self, name: &str) -> Option<Cow<'_, str>> {
        let bound = self
            .bound
            .iter()
            .rev()
            .find(|(known, _)| *known == name)
            .map(|(_, value)| value.as_str());
        if bound.is_some() || name == CALLER {
            return bound.map(Cow::Borrowed);
        }
        if let Some((_, value)) = self.path.iter().find(|(known, _)| *known == name) {
            return Some(Cow::Borrowed(value));
        }
        if name == QUERY_HASH {
            return self.query_hash.as_deref().map(Cow::Borrowed);
        }
        self.query
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| Cow::Borrowed(value.as_str()))
    }

    /// Every value of an argument, for invalidation: all that was bound and the one that was sent.
    /// An integer that was sent as `042` stands for `42` too, since the handler took it for that.
    pub(in crate::infrastructure::cache) fn values(&self, name: &str) -> Vec<Cow<'_, str>> {
        let mut values: Vec<Cow<'_, str>> = self
            .bound
            .iter()
            .filter(|(known, _)| *known == name)
            .map(|(_, value)| Cow::Borrowed(value.as_str()))
            .collect();
        if name != CALLER
            && let Some((_, value)) = self.path.iter().find(|(known, _)| *known == name)
        {
            if let Some(canonical) = usual_form(value, self.resource_id_type) {
                values.push(Cow::Owned(canonical));
            }
            values.push(Cow::Borrowed(value));
        }
        if values.is_empty() {
            values.extend(self.value(name));
        }
        values.dedup();
        values
    }

    /// Whether a path parameter is an id in an unusual form (`042`, `+42`, a UUID in capitals): its
    /// entry would have another key than the one that writes invalidate.
    pub(in crate::infrastructure::cache) fn has_unusual_id(&self) -> bool {
        self.path
            .iter()
            .any(|(_, value)| usual_form(value, self.resource_id_type).is_some())
    }

    /// The usual forms of ids that were sent in an unusual one.
    pub(in crate::infrastructure::cache) fn usual_forms(
        &self,
    ) -> impl Iterator<Item = Cow<'_, str>> {
        self.path
            .iter()
            .filter_map(|(_, value)| usual_form(value, self.resource_id_type).map(Cow::Owned))
    }

    /// The resource id, where the policy names none (C7).
    pub(in crate::infrastructure::cache) fn infer_resource_id(
        &self,
        resource_id_type: ResourceIdType,
    ) -> Option<Cow<'_, str>> {
        let fits = |value: &str| match resource_id_type {
            ResourceIdType::Integer => value.parse::<i64>().is_ok(),
            ResourceIdType::String => !value.is_empty(),
            ResourceIdType::Uuid => uuid::Uuid::try_parse(value).is_ok(),
        };
        let is_id = |name: &str| name == "id" || name.ends_with("_id");
        let path = || self.path.iter().filter(|(_, value)| fits(value));
        path()
            .find(|(name, _)| is_id(name))
            .or_else(|| path().next())
            .map(|(_, value)| Cow::Borrowed(value.as_ref()))
            .or_else(|| {
                self.query
                    .iter()
                    .find(|(name, value)| is_id(name) && fits(value))
                    .map(|(_, value)| Cow::Borrowed(value.as_str()))
            })
    }
}

/// A part of the path as it was meant, if that is text. Most have nothing to decode.
fn decoded(value: &str) -> Option<Cow<'_, str>> {
    if value.contains('%') {
        percent_decode_str(value).decode_utf8().ok()
    } else {
        Some(Cow::Borrowed(value))
    }
}

/// The usual form of an id that is written otherwise.
fn usual_form(value: &str, resource_id_type: ResourceIdType) -> Option<String> {
    // Most are integers that need no second look: up to 18 digits are in the range of `i64`.
    if matches!(value.len(), 1..=18)
        && value.bytes().all(|byte| byte.is_ascii_digit())
        && !value.starts_with('0')
    {
        return None;
    }
    let (mut digits, mut hyphenated) = (itoa::Buffer::new(), uuid::Uuid::encode_buffer());
    let usual = match resource_id_type {
        ResourceIdType::Integer => digits.format(value.parse::<i64>().ok()?),
        ResourceIdType::Uuid => uuid::Uuid::try_parse(value)
            .ok()?
            .as_hyphenated()
            .encode_lower(&mut hyphenated),
        ResourceIdType::String => return None,
    };
    (usual != value).then(|| usual.to_owned())
}

/// What kind of value may be inferred as the resource id (C7).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ResourceIdType {
    /// A 64-bit integer; the default.
    #[default]
    Integer,
    /// Any text.
    String,
    /// A UUID.
    Uuid,
}
