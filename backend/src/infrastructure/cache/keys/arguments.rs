//! Arguments: the named values of a request, from which keys are built (C2).
//!
//! Come here to change which values a key can contain. How a value is escaped is in `escape`; nothing
//! here knows policies.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::{Error, FromRequest, HttpMessage, HttpRequest};
use percent_encoding::percent_decode_str;

use super::escape::strong_hash;
use super::resource_id_type::{ResourceIdType, usual_form};

/// Values that a handler or an outer middleware has bound on the request.
#[derive(Clone, Debug, Default)]
pub(super) struct BoundArguments {
    values: Vec<(&'static str, String)>,
    /// The version of the caller's rights.
    rights: u64,
    /// Names that were bound without any value.
    empty: Vec<&'static str>,
}

/// Binds a value on the request: an argument of its cache keys, in place of a path parameter or a query
/// field of that name.
///
/// A name may be bound more than once. A read takes the value that was bound last. A write invalidates
/// the key of each value that was bound, and of the value in the path too: bind the id of every row that
/// a handler changed, or the old and the new owner of one. A key with several such names is invalidated
/// in every combination of their values.
///
/// A middleware that authenticates uses [`bind_caller`] instead, which binds the caller's rights too.
pub fn bind_argument(request: &impl HttpMessage, name: &'static str, value: impl ToString) {
    change_bound(request, |bound| {
        bound.values.push((name, value.to_string()));
    });
}

/// Binds the caller of a request: the argument `caller`, and the version of the caller's rights (C44).
///
/// Entries and claims of a policy with the caller in its key belong to the rights that they were made
/// under: a caller with another version finds no entry, on every instance and at once, without any
/// deletion. The version is read together with the caller, in the statement that checks the credentials,
/// and changes whenever the caller may do more or less than before: another role, a password set by
/// another user, a deletion. A caller whose rights never change may be bound with 0, as
/// `bind_argument(request, "caller", id)` does.
pub fn bind_caller(request: &impl HttpMessage, id: impl ToString, rights: u64) {
    change_bound(request, |bound| {
        bound.values.push((CALLER, id.to_string()));
        bound.rights = rights;
    });
}

fn change_bound(request: &impl HttpMessage, change: impl FnOnce(&mut BoundArguments)) {
    let mut extensions = request.extensions_mut();
    if extensions.get::<BoundArguments>().is_none() {
        extensions.insert(BoundArguments::default());
    }
    if let Some(bound) = extensions.get_mut::<BoundArguments>() {
        change(bound);
    }
}

/// Lets a handler bind values that only the handler knows, such as the owner of a row that it has just
/// deleted.
///
/// ```
/// use actix_web::HttpResponse;
/// use response_cache::CacheArguments;
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

    /// Binds each of the values under a name. Without values the name counts as bound too, and its keys
    /// are not invalidated: for example the widgets of a deleted user without widgets.
    pub fn bind_all<V: ToString>(&self, name: &'static str, values: impl IntoIterator<Item = V>) {
        let mut values = values.into_iter().peekable();
        if values.peek().is_none() {
            change_bound(&self.0, |bound| bound.empty.push(name));
        }
        for value in values {
            bind_argument(&self.0, name, value);
        }
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
pub(crate) const CALLER: &str = "caller";

/// The caller that authentication has bound on the request so far. Of several, the last one.
pub(crate) fn bound_caller(request: &HttpRequest) -> Option<String> {
    let extensions = request.extensions();
    let bound = extensions.get::<BoundArguments>()?;
    let mut callers = bound.values.iter().rev();
    callers
        .find(|(name, _)| *name == CALLER)
        .map(|(_, value)| value.clone())
}

/// The name of the argument that holds the hash of the declared query.
pub(crate) const QUERY_HASH: &str = "query_hash";

/// All arguments of one request.
pub(crate) struct Arguments<'a> {
    bound: BoundArguments,
    path: PathArguments<'a>,
    query: &'a [(String, String)],
    query_hash: Option<String>,
}

/// The arguments in the path, or those that stand for it. They are not copied into a list, which would be an allocation for
/// each hit.
enum PathArguments<'a> {
    Request(&'a HttpRequest),
    Named(&'a [(&'static str, &'a str)]),
}

impl<'a> PathArguments<'a> {
    /// The value of an argument, if it is text.
    fn value(&self, name: &str) -> Option<Cow<'a, str>> {
        match *self {
            Self::Request(request) => decoded(request.match_info().get(name)?),
            Self::Named(named) => {
                let found = named.iter().find(|(known, _)| *known == name);
                found.map(|(_, value)| Cow::Borrowed(*value))
            }
        }
    }

    /// Their names and values, in the order of the path. Values that are no text are left out.
    fn all(&self) -> Vec<(&'a str, Cow<'a, str>)> {
        match *self {
            Self::Request(request) => {
                let parts = request.match_info().iter();
                parts
                    .filter_map(|(name, value)| Some((name, decoded(value)?)))
                    .collect()
            }
            Self::Named(named) => {
                let pairs = named.iter();
                pairs
                    .map(|(name, value)| (*name, Cow::Borrowed(*value)))
                    .collect()
            }
        }
    }
}

impl<'a> Arguments<'a> {
    /// Collects the arguments of the request: bound values, path parameters and the fields of the
    /// declared query.
    pub(crate) fn collect(request: &'a HttpRequest, query: &'a [(String, String)]) -> Self {
        let bound = request.extensions().get::<BoundArguments>().cloned();
        Self {
            bound: bound.unwrap_or_default(),
            path: PathArguments::Request(request),
            query,
            query_hash: None,
        }
    }

    /// The arguments of a write without a request, by a job or a service. A name may occur more than
    /// once.
    pub(crate) fn named(named: &'a [(&'static str, &'a str)]) -> Self {
        let bound = BoundArguments {
            values: named
                .iter()
                .map(|(name, value)| (*name, (*value).to_owned()))
                .collect(),
            ..BoundArguments::default()
        };
        Self {
            bound,
            // The resource id is inferred from these names.
            path: PathArguments::Named(named),
            query: &[],
            query_hash: None,
        }
    }

    /// The version of the caller's rights; 0 where the caller was bound without one.
    pub(crate) fn rights(&self) -> u64 {
        self.bound.rights
    }

    /// Whether an argument's value comes from the query: it is neither bound nor in the path.
    pub(crate) fn is_from_query(&self, name: &str) -> bool {
        let is_bound = self.bound.values.iter().any(|(known, _)| *known == name);
        !is_bound && self.path.value(name).is_none()
    }

    /// Adds the hash of the declared query (C2).
    pub(crate) fn with_query_hash(mut self) -> Self {
        let mut normalised = String::new();
        for (name, value) in self.query {
            // Each name and value comes with its length, so that no value looks like another field.
            let _ = write!(normalised, "{}:{name}={}:{value};", name.len(), value.len());
        }
        self.query_hash = Some(strong_hash(&normalised).to_owned());
        self
    }

    /// The value of an argument. A bound value takes precedence over the client's.
    pub(crate) fn value(&self, name: &str) -> Option<Cow<'_, str>> {
        let bound = self
            .bound
            .values
            .iter()
            .rev()
            .find(|(known, _)| *known == name)
            .map(|(_, value)| value.as_str());
        if bound.is_some() || name == CALLER {
            return bound.map(Cow::Borrowed);
        }
        if let Some(value) = self.path.value(name) {
            return Some(value);
        }
        if name == QUERY_HASH {
            return self.query_hash.as_deref().map(Cow::Borrowed);
        }
        self.query
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| Cow::Borrowed(value.as_str()))
    }

    /// Every value of an argument, for invalidation: all bound values and the client's. `None` for an
    /// unknown argument; no values for one that was bound without values. An integer that was sent as
    /// `042` counts as `42` too, since the handler parsed it so.
    pub(crate) fn values(&self, name: &str) -> Option<Vec<Cow<'_, str>>> {
        let mut values: Vec<Cow<'_, str>> = self
            .bound
            .values
            .iter()
            .filter(|(known, _)| *known == name)
            .map(|(_, value)| Cow::Borrowed(value.as_str()))
            .collect();
        if name != CALLER
            && let Some(value) = self.path.value(name)
        {
            values.extend(usual_form(&value).map(Cow::Owned));
            values.push(value);
        }
        if values.is_empty() {
            values.extend(self.value(name));
        }
        values.dedup();
        if values.is_empty() && !self.bound.empty.contains(&name) {
            return None;
        }
        Some(values)
    }

    /// Whether a path parameter is an id of one of these types in an unusual form (`042`, `+42`, a UUID
    /// in capitals): its entry would have another key than the key that writes invalidate.
    pub(crate) fn is_unusual(&self, name: &str, types: &[ResourceIdType]) -> bool {
        self.path
            .value(name)
            .is_some_and(|value| types.iter().any(|kind| kind.usual_form(&value).is_some()))
    }

    /// The resource id with the name of its argument, for a policy that names no id (C7).
    pub(crate) fn infer_resource_id(
        &self,
        types: &[ResourceIdType],
    ) -> Option<(&'a str, Cow<'a, str>)> {
        let fits = |value: &str| types.iter().any(|kind| kind.fits(value));
        let mut path = self.path.all();
        path.retain(|(_, value)| fits(value));
        if !path.is_empty() {
            let id = path.iter().position(|(name, _)| is_id(name));
            return Some(path.swap_remove(id.unwrap_or(0)));
        }
        let mut query = self.query.iter();
        query
            .find(|(name, value)| is_id(name) && fits(value))
            .map(|(name, value)| (name.as_str(), Cow::Borrowed(value.as_str())))
    }
}

/// Whether an argument of this name is an id (C7).
pub(crate) fn is_id(name: &str) -> bool {
    name == "id" || name.ends_with("_id")
}

/// A part of the path, percent-decoded, if it is text. Most parts contain nothing to decode.
fn decoded(value: &str) -> Option<Cow<'_, str>> {
    if value.contains('%') {
        percent_decode_str(value).decode_utf8().ok()
    } else {
        Some(Cow::Borrowed(value))
    }
}
