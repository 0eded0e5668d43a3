//! Redis globs: `*`, `?`, `[abc]`, `[a-z]`, `[^a]` and `\` (C17), for the memory backend.
//!
//! Come here when a pattern matches a wrong key in memory. Redis matches patterns itself; the tests compare the two.

/// Whether the text matches the glob, byte for byte as in Redis.
///
/// ```
/// use response_cache::backends::glob::matches;
///
/// assert!(matches("user_*_widgets:*", "user_5_widgets:page_1"));
/// assert!(!matches("user_?_widgets", "user_55_widgets"));
/// ```
#[must_use]
pub fn matches(glob: &str, text: &str) -> bool {
    let (glob, text) = (glob.as_bytes(), text.as_bytes());
    let (mut at, mut position) = (0, 0);
    // The position of the last `*`, and the number of bytes of the text that it has taken so far.
    let mut star: Option<(usize, usize)> = None;
    while position < text.len() {
        if glob.get(at) == Some(&b'*') {
            star = Some((at, position));
            at += 1;
            continue;
        }
        match match_one(&glob[at..], text[position]) {
            Some(length) => {
                at += length;
                position += 1;
            }
            // Only the last star may have to take more: the part before it has its match.
            None => match star {
                Some((star_at, taken)) => {
                    star = Some((star_at, taken + 1));
                    at = star_at + 1;
                    position = taken + 1;
                }
                None => return false,
            },
        }
    }
    glob[at..].iter().all(|byte| *byte == b'*')
}

/// The number of the glob's bytes that match this one byte; `None` where they do not.
fn match_one(glob: &[u8], byte: u8) -> Option<usize> {
    match glob {
        [] => None,
        [b'?', ..] => Some(1),
        [b'[', class @ ..] => match_class(class, byte).map(|length| length + 1),
        [b'\\', escaped, ..] => (*escaped == byte).then_some(2),
        [literal, ..] => (*literal == byte).then_some(1),
    }
}

/// The length of the class behind its `[`, if it contains the byte. A class without its `]` ends with
/// the glob.
fn match_class(class: &[u8], byte: u8) -> Option<usize> {
    let negated = class.first() == Some(&b'^');
    let mut at = usize::from(negated);
    let mut found = false;
    loop {
        match class.get(at..).unwrap_or_default() {
            [] => break,
            [b'\\', escaped, ..] => {
                found |= *escaped == byte;
                at += 2;
            }
            [b']', ..] => {
                at += 1;
                break;
            }
            [first, b'-', last, ..] => {
                found |= (*first.min(last)..=*first.max(last)).contains(&byte);
                at += 3;
            }
            [literal, ..] => {
                found |= *literal == byte;
                at += 1;
            }
        }
    }
    (found != negated).then_some(at)
}

/// The text with every character escaped that has a meaning in a glob.
#[must_use]
pub fn escape(text: &str) -> String {
    text.chars()
        .flat_map(|character| {
            let special = matches!(character, '*' | '?' | '[' | ']' | '\\' | '^');
            special.then_some('\\').into_iter().chain(Some(character))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn c17_globs_have_the_meaning_that_they_have_in_redis() {
        for (glob, text, expected) in [
            ("widget_search:*", "widget_search:abc", true),
            ("widget_search:*", "widget_searches:abc", false),
            ("*", "", true),
            ("a**b", "axxb", true),
            ("*a*b", "xaxaxb", true),
            ("h[ae]llo", "hallo", true),
            ("h[^e]llo", "hello", false),
            ("h[a-c]llo", "hbllo", true),
            ("h[c-a]llo", "hbllo", true),
            ("a\\*b", "a*b", true),
            ("a\\*b", "axb", false),
            ("h[\\]]i", "h]i", true),
            ("", "a", false),
            ("abc", "ab", false),
        ] {
            assert_eq!(matches(glob, text), expected, "{glob} {text}");
        }
    }

    proptest! {
        #[test]
        fn c17_an_escaped_text_matches_itself_and_nothing_else(a in any::<String>(), b in any::<String>()) {
            prop_assert!(matches(&escape(&a), &a));
            prop_assert_eq!(matches(&escape(&a), &b), a == b);
        }

        #[test]
        fn c17_matching_any_glob_ends(glob in "[ab*?\\[\\]^\\\\-]{0,20}", text in "[ab]{0,20}") {
            let _ = matches(&glob, &text);
        }
    }
}
