//! The kinds of ids: which values they have, and the usual form of a value that was written in another
//! one (C7).
//!
//! Come here to change what counts as an id. Which argument is the resource id is decided in `arguments`.

/// The usual form of an integer or a UUID in an unusual form; `None` for any other value.
pub(crate) fn usual_form(value: &str) -> Option<String> {
    if is_short_number(value) {
        return None;
    }
    ResourceIdType::Integer
        .usual_form(value)
        .or_else(|| ResourceIdType::Uuid.usual_form(value))
}

/// Whether a value is an integer in its usual form, without a sign and in the range of `i64`, as most ids
/// are.
fn is_short_number(value: &str) -> bool {
    matches!(value.len(), 1..=18)
        && value.bytes().all(|byte| byte.is_ascii_digit())
        && !value.starts_with('0')
}

/// The kind of value that may be inferred as the resource id (C7).
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

impl ResourceIdType {
    pub(super) fn fits(self, value: &str) -> bool {
        match self {
            Self::Integer => value.parse::<i64>().is_ok(),
            Self::String => !value.is_empty(),
            Self::Uuid => uuid::Uuid::try_parse(value).is_ok(),
        }
    }

    /// The usual form of an id of this type in an unusual form; `None` for any other value.
    pub(super) fn usual_form(self, value: &str) -> Option<String> {
        if is_short_number(value) {
            return None;
        }
        let (mut digits, mut hyphenated) = (itoa::Buffer::new(), uuid::Uuid::encode_buffer());
        let usual = match self {
            Self::Integer => digits.format(value.parse::<i64>().ok()?),
            Self::Uuid => uuid::Uuid::try_parse(value)
                .ok()?
                .as_hyphenated()
                .encode_lower(&mut hyphenated),
            Self::String => return None,
        };
        (usual != value).then(|| usual.to_owned())
    }
}
