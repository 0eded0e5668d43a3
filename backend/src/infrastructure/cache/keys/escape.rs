//! How a value is written into a key so that it cannot leave its place (C4), and how a long key is shortened (C5).
//!
//! Come here to change which characters stay as they are. Nothing here knows templates or requests.

use std::fmt::Write as _;
use std::ops::Deref;

/// Appends a value so that it cannot leave its place: what is not plain is percent-encoded (C4).
///
/// The mapping is injective, and its output holds no `:`, `=`, glob character or white space.
pub(in crate::infrastructure::cache) fn push_escaped(key: &mut String, value: &str) {
    let plain = value.bytes().take_while(|byte| is_plain(*byte)).count();
    // Most values are plain as a whole.
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

/// Shortens a key that is too long for the backend: a readable head, then a strong hash of the
/// whole (C5).
pub(in crate::infrastructure::cache) fn fit(key: String, max_bytes: usize) -> String {
    if key.len() <= max_bytes {
        return key;
    }
    let hash = strong_hash(&key);
    // `~` and the 64 digits of the hash follow the head.
    let mut head = max_bytes.saturating_sub(hash.len() + 1);
    while !key.is_char_boundary(head) {
        head -= 1;
    }
    format!("{}~{}", &key[..head], &*hash)
}

/// Whether escaping (C4) leaves this byte as it is.
pub(super) const fn is_plain(byte: u8) -> bool {
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

    #[test]
    fn c05_a_long_key_keeps_its_head_and_ends_in_a_hash_of_the_whole() {
        let first = fit(format!("search:{}1", "x".repeat(400)), 250);
        let second = fit(format!("search:{}2", "x".repeat(400)), 250);
        assert_eq!(first.len(), 250);
        assert!(first.starts_with("search:xxx"));
        assert_ne!(first, second);
        assert_eq!(fit("widget:42".to_owned(), 250), "widget:42");
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
            prop_assert!(fit(a.clone(), max).len() <= max);
            prop_assert_eq!(a == b, fit(a, max) == fit(b, max));
        }
    }
}
