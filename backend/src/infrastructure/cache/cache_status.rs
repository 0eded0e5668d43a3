//! `Cache-Status` (RFC 9211): the cache's handling of a request (C31).
//!
//! Come here to change the header. Nothing is decided here.

use std::fmt;

use percent_encoding::percent_encode_byte;

/// The cache's handling of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Answered from the cache; `ttl` is the rest of freshness in seconds, negative for an old answer.
    Hit { ttl: i64 },
    /// The handler ran, and its answer was stored or not.
    Miss { stored: bool },
    /// Another request's run of the handler gave the answer.
    Collapsed,
    /// The handler failed, and the old answer was given.
    StaleIfError,
    /// The cache was not asked.
    Bypass(Bypass),
    /// A method that is not answered from the cache.
    Method {
        /// An argument that the policy needs was not bound by the handler (C48).
        missing_argument: bool,
    },
}

/// The reason that the cache was not asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bypass {
    /// `CACHE_ENABLED=false`.
    Disabled,
    /// The backend is unavailable.
    Unavailable,
    /// The request has credentials, and the policy does not declare its answers as shared.
    Credentials,
    /// A query that the policy does not declare.
    UndeclaredQuery,
    /// A query that does not match the declared type.
    InvalidQuery,
    /// A query type that cannot be serialised into a key.
    QueryType,
    /// The resource id was not found.
    NoId,
    /// A template's argument is missing.
    MissingArgument,
    /// The caller is unknown, but each caller has an entry of its own.
    NoCaller,
    /// The caller was bound only while the handler ran (C45). This is a bypass even after a look-up: RFC 9211 says
    /// `bypass` where the cache was configured not to handle the request.
    CallerInside,
}

impl Bypass {
    const fn detail(self) -> &'static str {
        match self {
            Self::Disabled => "disabled",
            Self::Unavailable => "unavailable",
            Self::Credentials => "credentials",
            Self::UndeclaredQuery => "undeclared-query",
            Self::InvalidQuery => "invalid-query",
            Self::QueryType => "query-type",
            Self::NoId => "no-id",
            Self::MissingArgument => "missing-argument",
            Self::NoCaller => "no-caller",
            Self::CallerInside => "caller-inside",
        }
    }
}

impl Outcome {
    /// Outcome and detail of a look-up, as labels of metrics and fields of the log. Bypasses stand at the end, in the order
    /// of [`Bypass`].
    pub(super) const LABELS: [(&'static str, &'static str); 16] = [
        ("hit", "fresh"),
        ("hit", "stale"),
        ("hit", "stale-if-error"),
        ("miss", "stored"),
        ("miss", "not-stored"),
        ("miss", "collapsed"),
        ("bypass", Bypass::Disabled.detail()),
        ("bypass", Bypass::Unavailable.detail()),
        ("bypass", Bypass::Credentials.detail()),
        ("bypass", Bypass::UndeclaredQuery.detail()),
        ("bypass", Bypass::InvalidQuery.detail()),
        ("bypass", Bypass::QueryType.detail()),
        ("bypass", Bypass::NoId.detail()),
        ("bypass", Bypass::MissingArgument.detail()),
        ("bypass", Bypass::NoCaller.detail()),
        ("bypass", Bypass::CallerInside.detail()),
    ];

    /// The place in [`Self::LABELS`]; `None` for a write, which looks nothing up.
    pub(super) const fn label_index(self) -> Option<usize> {
        Some(match self {
            Self::Hit { ttl } => (ttl < 0) as usize,
            Self::StaleIfError => 2,
            Self::Miss { stored: true } => 3,
            Self::Miss { stored: false } => 4,
            Self::Collapsed => 5,
            Self::Bypass(bypass) => 6 + bypass as usize,
            Self::Method { .. } => return None,
        })
    }

    /// Appends the outcome in the form of `Cache-Status` and the log.
    fn push(self, text: &mut String) {
        match self {
            // A hit is written without the formatter, which takes several times as long.
            Self::Hit { ttl } => {
                text.push_str("backend; hit; ttl=");
                text.push_str(itoa::Buffer::new().format(ttl));
            }
            Self::Miss { stored: true } => text.push_str("backend; fwd=uri-miss; stored"),
            Self::Miss { stored: false } => text.push_str("backend; fwd=uri-miss"),
            Self::Collapsed => text.push_str("backend; fwd=uri-miss; collapsed"),
            Self::StaleIfError => text.push_str("backend; fwd=stale; detail=stale-if-error"),
            Self::Bypass(bypass) => {
                text.push_str("backend; fwd=bypass; detail=");
                text.push_str(bypass.detail());
            }
            Self::Method { missing_argument } => {
                text.push_str("backend; fwd=method");
                if missing_argument {
                    text.push_str("; detail=missing-argument");
                }
            }
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&header_value(*self, None))
    }
}

/// The whole header: the outcome, and the key if it is shown.
pub(super) fn header_value(outcome: Outcome, key: Option<&str>) -> String {
    let mut text = String::with_capacity(64);
    outcome.push(&mut text);
    if let Some(key) = key {
        text.push_str("; key=\"");
        push_quoted(&mut text, key);
        text.push('"');
    }
    text
}

/// The most keys, groups and patterns of a write that are named.
const NAMED: usize = 20;
/// The most bytes of their names together.
const NAMED_BYTES: usize = 2048;

/// The parameters of `Cache-Status` that show the effect of a write: the number of invalidated names,
/// and the first of them by their kind, as in `invalidated=2; keys="widget:42 widget_count:global"`. At
/// most [`NAMED`] names and about [`NAMED_BYTES`] bytes. `everything` stands for the whole namespace.
pub(super) fn invalidated(kinds: [(&str, &[String]); 4], everything: bool) -> String {
    let count: usize = kinds.iter().map(|(_, names)| names.len()).sum();
    let mut text = format!("invalidated={count}");
    let (mut named, mut bytes) = (0, 0);
    for (kind, names) in kinds {
        let mut separator = format!("; {kind}=\"");
        let mut is_open = false;
        for name in names {
            named += 1;
            bytes += name.len();
            if named > NAMED || bytes > NAMED_BYTES {
                break;
            }
            text.push_str(&separator);
            push_quoted(&mut text, name);
            " ".clone_into(&mut separator);
            is_open = true;
        }
        if is_open {
            text.push('"');
        }
    }
    if everything {
        text.push_str("; everything");
    }
    text
}

/// Appends text to a quoted string of RFC 8941, which consists of printable ASCII with `"` and `\`
/// escaped. Other bytes are percent-encoded.
fn push_quoted(text: &mut String, value: &str) {
    for byte in value.bytes() {
        match byte {
            b'"' | b'\\' => text.extend(['\\', char::from(byte)]),
            0x20..0x7f => text.push(char::from(byte)),
            _ => text.push_str(percent_encode_byte(byte)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c62_each_outcome_has_labels_of_its_own() {
        let bypasses = [
            Bypass::Disabled,
            Bypass::Unavailable,
            Bypass::Credentials,
            Bypass::UndeclaredQuery,
            Bypass::InvalidQuery,
            Bypass::QueryType,
            Bypass::NoId,
            Bypass::MissingArgument,
            Bypass::NoCaller,
            Bypass::CallerInside,
        ];
        for bypass in bypasses {
            let index = Outcome::Bypass(bypass).label_index().unwrap();
            assert_eq!(Outcome::LABELS[index], ("bypass", bypass.detail()));
        }
        for (outcome, labels) in [
            (Outcome::Hit { ttl: 0 }, ("hit", "fresh")),
            (Outcome::Hit { ttl: -1 }, ("hit", "stale")),
            (Outcome::StaleIfError, ("hit", "stale-if-error")),
            (Outcome::Miss { stored: true }, ("miss", "stored")),
            (Outcome::Miss { stored: false }, ("miss", "not-stored")),
            (Outcome::Collapsed, ("miss", "collapsed")),
        ] {
            assert_eq!(Outcome::LABELS[outcome.label_index().unwrap()], labels);
        }
    }

    #[test]
    fn c31_the_header_is_that_of_rfc_9211() {
        assert_eq!(
            header_value(Outcome::Hit { ttl: 583 }, None),
            "backend; hit; ttl=583"
        );
        assert_eq!(
            header_value(Outcome::Miss { stored: true }, Some("widget:42")),
            "backend; fwd=uri-miss; stored; key=\"widget:42\""
        );
        assert_eq!(
            header_value(Outcome::Bypass(Bypass::UndeclaredQuery), None),
            "backend; fwd=bypass; detail=undeclared-query"
        );
        assert_eq!(
            header_value(Outcome::Collapsed, Some("a\"b")),
            "backend; fwd=uri-miss; collapsed; key=\"a\\\"b\""
        );
    }
}
