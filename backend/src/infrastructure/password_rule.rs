//! The rule that a new password must meet, for settings and for requests.
//!
//! Come here to change the rule. Hashing and checking passwords is in `auth`. No message of the rule shows the password.

use std::borrow::Cow;
use std::sync::LazyLock;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use secrecy::{ExposeSecret, SecretString};

/// The common passwords that are long enough to be chosen, sorted.
static COMMON: LazyLock<Vec<&str>> = LazyLock::new(|| {
    include_str!("password_rule/common_passwords.txt")
        .lines()
        .filter(|line| !line.starts_with("# "))
        .collect()
});

const MIN_CHARACTERS: usize = 8;
const MAX_CHARACTERS: usize = 128;
/// Shorter parts of a name are in too many good passwords.
const SHORTEST_PART: usize = 4;

/// Checks a new password: 8 to 128 characters, not one of the most common ones, and without any of the owner's names: a
/// username, an e-mail address of which the part before the `@` counts, a name that is shown. A name counts as a whole and
/// by its words, from 4 characters on. Capitals make no difference.
///
/// # Errors
/// What the password must be instead, to stand after the name of its field.
pub fn check_password(password: &SecretString, names: &[&str]) -> Result<(), &'static str> {
    let password = password.expose_secret();
    if !(MIN_CHARACTERS..=MAX_CHARACTERS).contains(&password.chars().count()) {
        return Err("must have 8 to 128 characters");
    }
    let password = password.to_lowercase();
    if COMMON.binary_search(&password.as_str()).is_ok() {
        return Err("must not be one of the most common passwords");
    }
    if names.iter().any(|name| contains_part(&password, name)) {
        return Err("must not contain one's own name or address");
    }
    Ok(())
}

/// Whether a password in lower case contains a name or a word of it.
fn contains_part(password: &str, name: &str) -> bool {
    let name = name.to_lowercase();
    let name = name.split('@').next().unwrap_or_default();
    let words = name.split(|character: char| !character.is_alphanumeric());
    words
        .chain([name])
        .any(|part| part.chars().count() >= SHORTEST_PART && password.contains(part))
}

/// The rule for the description of the API: `#[schemars(with = "AcceptablePassword")]`.
#[derive(Debug)]
pub struct AcceptablePassword;

impl JsonSchema for AcceptablePassword {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "AcceptablePassword".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "format": "password",
            "minLength": MIN_CHARACTERS,
            "maxLength": MAX_CHARACTERS,
            "writeOnly": true,
            "examples": ["correct horse battery staple"],
        })
    }
}

/// A present password, which is only compared, for the description of the API: `#[schemars(with = "Password")]`.
#[derive(Debug)]
pub struct Password;

impl JsonSchema for Password {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Password".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "format": "password",
            "writeOnly": true,
            "examples": ["correct horse battery staple"],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(password: &str, names: &[&str]) -> Result<(), &'static str> {
        check_password(&password.into(), names)
    }

    #[test]
    fn the_list_can_be_searched_and_holds_only_what_could_be_chosen() {
        assert!(COMMON.len() > 3000, "{}", COMMON.len());
        assert!(COMMON.is_sorted());
        for common in COMMON.iter() {
            assert!(common.chars().count() >= 8, "{common}");
            assert_eq!(common.to_lowercase(), *common);
        }
    }

    #[test]
    fn a_common_password_is_refused_in_capitals_too() {
        for common in ["password1", "PassWord1", "1q2w3e4r5t", "iloveyou1"] {
            let refusal = check(common, &[]).unwrap_err();
            assert!(refusal.contains("common") && !refusal.contains(common));
        }
        assert_eq!(check("password one", &[]), Ok(()));
        assert!(check("1234567", &[]).unwrap_err().contains("8 to 128"));
    }

    #[test]
    fn a_password_with_ones_own_name_or_address_is_refused() {
        let names = ["ada_l", "countess.king@example.com", "Ada Lovelace-Byron"];
        for own in [
            "x Lovelace x",
            "BYRON1234",
            "countess9",
            "my-king-and-i",
            "ADA_L1234",
            "ada lovelace",
        ] {
            assert!(
                check(own, &names).unwrap_err().contains("own name"),
                "{own}"
            );
        }
        // Neither the host of the address nor a short word counts.
        for good in ["example dot com", "adamant heart", "correct horse"] {
            assert_eq!(check(good, &names), Ok(()), "{good}");
        }
        assert!(check("überraschung", &["ÜBERRA"]).is_err());
    }
}
