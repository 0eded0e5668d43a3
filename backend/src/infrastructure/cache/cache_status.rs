//! `Cache-Status` (RFC 9211): what the cache did for a request (C31).

use std::fmt;

/// What the cache did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Answered from the cache; seconds of freshness left, negative for an old answer.
    Hit { ttl: i64 },
    /// The handler ran, and its answer was stored or not.
    Miss { stored: bool },
    /// Another request's run of the handler gave the answer.
    Collapsed,
    /// The handler failed and the old answer covers it.
    StaleIfError,
    /// The cache was not asked.
    Bypass(Bypass),
    /// A method that is not answered from the cache.
    Method,
}

/// Why the cache was not asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bypass {
    /// `CACHE_ENABLED=false`.
    Disabled,
    /// The backend is away.
    Unavailable,
    /// Credentials, and nothing says that the answer is the same for everybody.
    Credentials,
    /// A query that the policy does not declare.
    UndeclaredQuery,
    /// A query that is not of the declared type.
    InvalidQuery,
    /// No resource id could be found.
    NoId,
    /// A template's argument is missing.
    MissingArgument,
    /// No caller, where each has an entry of its own.
    NoCaller,
    /// The caller became known only while the handler ran (C45). Also where the look-up had come first: the cache may not
    /// handle such a request at all, which is what `bypass` means in RFC 9211.
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
            Self::NoId => "no-id",
            Self::MissingArgument => "missing-argument",
            Self::NoCaller => "no-caller",
            Self::CallerInside => "caller-inside",
        }
    }
}

impl Outcome {
    /// Appends the outcome, as `Cache-Status` and the log have it.
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
            Self::Method => text.push_str("backend; fwd=method"),
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&header_value(*self, None))
    }
}

/// The whole header: the outcome, and the key where it is shown.
pub(super) fn header_value(outcome: Outcome, key: Option<&str>) -> String {
    let mut text = String::with_capacity(64);
    outcome.push(&mut text);
    // A quoted string of RFC 8941 holds printable ASCII, with `"` and `\` escaped.
    if let Some(key) = key
        && key.bytes().all(|byte| (0x20..0x7f).contains(&byte))
    {
        text.push_str("; key=\"");
        for character in key.chars() {
            if matches!(character, '"' | '\\') {
                text.push('\\');
            }
            text.push(character);
        }
        text.push('"');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

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
