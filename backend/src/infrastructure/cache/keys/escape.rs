//! Escaping of values in a key, so that a value cannot change the key's structure (C4), and shortening
//! of long keys (C5).
//!
//! Come here to change which characters stay as they are. Nothing here knows templates or requests.

use std::fmt::Write as _;
use std::ops::Deref;

/// The escaped form of a value in a key: ASCII letters, digits and `_ - . ~ @ +` stay, the rest is
/// percent-encoded (C4). For services that build keys of their own.
///
/// ```
/// use response_cache::escape;
///
/// assert_eq!(format!("report:{}", escape("a/b:c")), "report:a%2Fb%3Ac");
/// ```
#[must_use]
pub fn escape(value: &str) -> String {
    let mut escaped = String::with_capacity(value.len());
    push_escaped(&mut escaped, value);
    escaped
}

/// Appends a value with percent-encoding for every byte that is not plain, so that it cannot change the
/// key's structure (C4).
///
/// The mapping is injective, and its output holds no `:`, `=`, glob character or white space.
pub(crate) fn push_escaped(key: &mut String, value: &str) {
    let plain = value.bytes().take_while(|byte| is_plain(*byte)).count();
    // Most values consist of plain bytes only.
    let (plain, rest) = value.split_at(plain);
    key.push_str(plain);
    for byte in rest.bytes() {
        if is_plain(byte) {
            key.push(char::from(byte));
        } else {
            // Writing to a `String` cannot fail.
            let _ = write!(key, "%{byte:02X}");
        }
    }
}

/// A strong hash of a text, BLAKE3, as hexadecimal digits.
pub(super) fn strong_hash(text: &str) -> impl Deref<Target = str> {
    blake3::hash(text.as_bytes()).to_hex()
}

/// The number of hexadecimal digits of a strong hash.
const HASH_DIGITS: usize = 64;

/// The character between the head of a shortened key and the hash. Escaping removes it from values, so
/// no argument can produce a shortened key.
const BEFORE_HASH: u8 = b'#';

/// The short form of a key that is longer than `max_bytes`: a readable head, then a strong hash of the
/// whole key (C5). `None` where the key can stay as it is. A key that looks like a shortened one, which
/// a literal of a template may produce, gets a hash of its own.
pub(crate) fn fit(key: &str, max_bytes: usize) -> Option<String> {
    if key.len() <= max_bytes && !looks_shortened(key) {
        return None;
    }
    let hash = strong_hash(key);
    let mut head = max_bytes.saturating_sub(HASH_DIGITS + 1).min(key.len());
    while !key.is_char_boundary(head) {
        head -= 1;
    }
    Some(format!(
        "{}{}{}",
        &key[..head],
        char::from(BEFORE_HASH),
        &*hash
    ))
}

fn looks_shortened(key: &str) -> bool {
    let key = key.as_bytes();
    let Some((head, hash)) = key
        .len()
        .checked_sub(HASH_DIGITS)
        .map(|at| key.split_at(at))
    else {
        return false;
    };
    head.last() == Some(&BEFORE_HASH) && hash.iter().all(u8::is_ascii_hexdigit)
}

/// Whether escaping (C4) leaves this byte as it is.
pub(crate) const fn is_plain(byte: u8) -> bool {
    matches!(byte, b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' | b'.' | b'~' | b'@' | b'+')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn escaped(value: &str) -> String {
        let mut text = String::new();
        push_escaped(&mut text, value);
        text
    }

    #[test]
    fn c04_plain_ids_and_names_stay_as_they_are() {
        for value in [
            "42",
            "johndoe",
            "john.doe@example.com",
            "a_b-c~d+e",
            "01890a5d-ac96-774b-bcce-b302099a8057",
        ] {
            assert_eq!(escaped(value), value);
        }
    }

    #[test]
    fn c04_separators_and_glob_characters_are_encoded() {
        assert_eq!(
            escaped("a:b*c?[d]\\ e%=é"),
            "a%3Ab%2Ac%3F%5Bd%5D%5C%20e%25%3D%C3%A9"
        );
    }

    fn fitted(key: &str, max: usize) -> String {
        fit(key, max).unwrap_or_else(|| key.to_owned())
    }

    #[test]
    fn c05_a_long_key_keeps_its_head_and_ends_in_a_hash_of_the_whole() {
        let first = fitted(&format!("search:{}1", "x".repeat(400)), 250);
        let second = fitted(&format!("search:{}2", "x".repeat(400)), 250);
        assert_eq!(first.len(), 250);
        assert!(first.starts_with("search:xxx"));
        assert_ne!(first, second);
        assert_eq!(fit("widget:42", 250), None);
    }

    #[test]
    fn c05_no_argument_can_be_chosen_to_equal_a_shortened_key() {
        let long = format!("search:{}", "x".repeat(400));
        let shortened = fitted(&long, 250);
        let argument = shortened.strip_prefix("search:").unwrap();
        assert_ne!(escaped(argument), argument);
        // A template or a key of the provider may contain such a text.
        assert_ne!(fitted(&shortened, 250), shortened);
        assert_ne!(fitted(&shortened, 1024), shortened);
        assert!(fitted(&shortened, 250).len() <= 250);
    }

    proptest! {
        #[test]
        fn c04_different_values_never_give_the_same_text(a in any::<String>(), b in any::<String>()) {
            prop_assert_eq!(a == b, escaped(&a) == escaped(&b));
        }

        #[test]
        fn c04_no_value_leaves_its_place(value in any::<String>()) {
            prop_assert!(escaped(&value).bytes().all(|byte| is_plain(byte) || byte == b'%'));
        }

        #[test]
        fn c05_a_fitted_key_is_never_too_long_and_never_shared(
            a in "\\PC{0,400}", b in "\\PC{0,400}", max in 100_usize..300,
        ) {
            prop_assert!(fitted(&a, max).len() <= max);
            prop_assert_eq!(a == b, fitted(&a, max) == fitted(&b, max));
            prop_assert_ne!(fitted(&fitted(&a, 90), 90), fitted(&format!("{a}{}", "x".repeat(90)), 90));
        }
    }
}
