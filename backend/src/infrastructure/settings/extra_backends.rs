//! `CACHE_EXTRA_BACKENDS`: names of backends with their kinds.
//!
//! Come here to change its form. The variable itself stands in `cache`.

use super::cache::CacheBackendKind;

/// The further backends by their names; `None` where the text is not valid for `CACHE_EXTRA_BACKENDS`.
pub(super) fn extra_backends(text: &str) -> Option<Vec<(String, CacheBackendKind)>> {
    let mut backends: Vec<(String, CacheBackendKind)> = Vec::new();
    for part in text
        .split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty())
    {
        let (name, kind) = part.split_once(':')?;
        let kind = match kind.trim() {
            "redis" => CacheBackendKind::Redis,
            "memcached" => CacheBackendKind::Memcached,
            "memory" => CacheBackendKind::Memory,
            _ => return None,
        };
        let name = name.trim();
        let is_word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        let is_known = name == "default" || backends.iter().any(|(known, _)| known == name);
        if name.is_empty() || !name.bytes().all(is_word) || is_known {
            return None;
        }
        backends.push((name.to_owned(), kind));
    }
    Some(backends)
}

/// The check of `CACHE_EXTRA_BACKENDS`.
pub(super) fn names_and_kinds<C>(text: &str, _: &C) -> garde::Result {
    match extra_backends(text) {
        Some(_) => Ok(()),
        None => Err(garde::Error::new(
            "name:kind separated by commas, each name once and of a-z, 0-9 and _, each kind redis, memcached or memory",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn further_backends_have_names_of_their_own_and_a_known_kind() {
        assert_eq!(extra_backends(""), Some(Vec::new()));
        let two = extra_backends("hot:memory, shared : memcached").unwrap();
        let names: Vec<_> = two.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["hot", "shared"]);
        for wrong in [
            "hot",
            "hot:disk",
            ":memory",
            "a:memory,a:redis",
            "default:memory",
            "A b:memory",
        ] {
            assert_eq!(extra_backends(wrong), None, "{wrong}");
        }
    }
}
