//! A route's declared query (C2, C14): its normalised text, and the names of its fields.
//!
//! Come here to change the part of a query in a key. Where the values are placed in a key is decided in
//! `policy::read_key`, not here.

use std::fmt;

use serde::de::{DeserializeOwned, Deserializer, Visitor};
use serde::{Serialize, forward_to_deserialize_any};

/// The fields of a declared query, in the order of the struct.
pub(crate) type QueryFields = Vec<(String, String)>;

/// A declared query type, with its type erased.
#[derive(Clone, Copy, Debug)]
pub(crate) struct QueryType {
    /// Normalises the raw text of a query.
    pub(crate) read: fn(&str) -> Result<QueryFields, QueryError>,
    /// The names that the type deserialises; `None` where it takes any name: a map, or a struct with
    /// `#[serde(flatten)]`.
    pub(crate) names: fn() -> Option<&'static [&'static str]>,
    /// The name of the type, for the log.
    pub(crate) type_name: fn() -> &'static str,
}

/// The reason that a key cannot be built from a query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum QueryError {
    /// The client's text does not match the type. The handler answers with an error of its own.
    Invalid,
    /// The type cannot be serialised as a query, for this reason. No request of the route is ever
    /// cached.
    NotWritable(String),
}

impl QueryType {
    pub(crate) const fn of<Q: Serialize + DeserializeOwned>() -> Self {
        Self {
            read: read_query::<Q>,
            names: field_names::<Q>,
            type_name: std::any::type_name::<Q>,
        }
    }
}

/// Deserialises the query, so that defaults apply and undeclared parameters are dropped, and lists its
/// fields as text. A field that is `None` is left out. A declared field that is not serialised
/// (`#[serde(skip_serializing)]`) is listed as the client sent it: the answer may depend on it.
fn read_query<Q: Serialize + DeserializeOwned>(raw: &str) -> Result<QueryFields, QueryError> {
    let query: Q = serde_urlencoded::from_str(raw).map_err(|_| QueryError::Invalid)?;
    let not_writable =
        |error: serde_urlencoded::ser::Error| QueryError::NotWritable(error.to_string());
    let normalised = serde_urlencoded::to_string(query).map_err(not_writable)?;
    let mut fields: QueryFields = form_urlencoded::parse(normalised.as_bytes())
        .into_owned()
        .collect();
    let names = field_names::<Q>();
    let is_declared = |name: &str| names.is_none_or(|names| names.contains(&name));
    if let Some((name, _)) = fields.iter().find(|(name, _)| !is_declared(name)) {
        return Err(QueryError::NotWritable(format!(
            "the field `{name}` is written under a name that it is not read by"
        )));
    }
    let written = fields.len();
    for (name, value) in form_urlencoded::parse(raw.as_bytes()) {
        if is_declared(&name) && !fields[..written].iter().any(|(known, _)| *known == name) {
            fields.push((name.into_owned(), value.into_owned()));
        }
    }
    Ok(fields)
}

/// The names that a type deserialises, found without a value of the type.
fn field_names<Q: DeserializeOwned>() -> Option<&'static [&'static str]> {
    let mut names = None;
    // Always an error: the deserializer only records the names.
    let _ = Q::deserialize(NameRecorder(&mut names));
    names
}

/// A deserializer that records the names of a struct's fields and gives no values.
struct NameRecorder<'a>(&'a mut Option<&'static [&'static str]>);

/// The recorder's error for every request of a value.
#[derive(Debug)]
struct NoValue;

impl fmt::Display for NoValue {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("only the names of the fields were asked for")
    }
}

impl std::error::Error for NoValue {}

impl serde::de::Error for NoValue {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self
    }
}

impl<'de> Deserializer<'de> for NameRecorder<'_> {
    type Error = NoValue;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, NoValue> {
        Err(NoValue)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, NoValue> {
        *self.0 = Some(fields);
        Err(NoValue)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, NoValue> {
        visitor.visit_newtype_struct(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit
        unit_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize, Serialize)]
    struct Filter {
        #[serde(default)]
        page: u32,
        #[serde(rename = "q")]
        text: Option<String>,
        #[serde(default, skip_serializing)]
        #[expect(dead_code, reason = "only its name counts")]
        secret: String,
    }

    fn fields(pairs: &[(&str, &str)]) -> QueryFields {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        pairs.iter().map(owned).collect()
    }

    #[test]
    fn c14_the_names_of_the_fields_are_known_without_a_value() {
        #[derive(Deserialize, Serialize)]
        #[serde(transparent)]
        struct Wrapped(Filter);
        #[derive(Deserialize, Serialize)]
        struct Open {
            #[serde(flatten)]
            rest: std::collections::BTreeMap<String, String>,
        }
        let names = Some(&["page", "q", "secret"][..]);
        assert_eq!((QueryType::of::<Filter>().names)(), names);
        assert_eq!((QueryType::of::<Wrapped>().names)(), names);
        assert_eq!((QueryType::of::<Open>().names)(), None);
    }

    #[test]
    fn c14_a_declared_field_that_is_not_written_is_listed_as_it_was_sent() {
        let read = QueryType::of::<Filter>().read;
        assert_eq!(read("page=01&other=1"), Ok(fields(&[("page", "1")])));
        assert_eq!(
            read("secret=a%20b&q=x"),
            Ok(fields(&[("page", "0"), ("q", "x"), ("secret", "a b")]))
        );
        assert_eq!(read("page=x"), Err(QueryError::Invalid));
    }

    #[test]
    fn c14_a_type_that_cannot_be_written_as_a_query_says_why() {
        #[derive(Deserialize, Serialize)]
        struct Nested {
            #[serde(default)]
            list: Vec<u32>,
        }
        #[derive(Deserialize, Serialize)]
        struct Renamed {
            #[serde(default, rename(serialize = "other"))]
            page: u32,
        }
        for error in [
            (QueryType::of::<Nested>().read)("").unwrap_err(),
            (QueryType::of::<Renamed>().read)("").unwrap_err(),
        ] {
            assert!(matches!(error, QueryError::NotWritable(reason) if !reason.is_empty()));
        }
    }
}
