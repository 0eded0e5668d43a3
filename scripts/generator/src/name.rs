//! The names of a module and of its fields: what may be a name, and the forms in which one is written.
//!
//! Come here to refuse another name, or to write one in another form. A name that the project has already is refused in
//! `project`.

use crate::refusal::{Result, refuse};

/// Words that Rust reserves. A table, a column, a module and a field have the same name, so none of them may be one.
const RUST: &str = "abstract as async await become box break const continue crate do dyn else enum extern false final fn for gen if \
    impl in let loop macro match mod move mut override priv pub ref return self static struct super trait true try type typeof \
    unsafe unsized use virtual where while yield";

/// Words that PostgreSQL reserves: `SELECT word FROM pg_get_keywords() WHERE catcode IN ('R', 'T')`.
const SQL: &str = "all analyse analyze and any array as asc asymmetric authorization binary both case cast check collate \
    collation column concurrently constraint create cross current_catalog current_date current_role current_schema \
    current_time current_timestamp current_user default deferrable desc distinct do else end except false fetch for foreign \
    freeze from full grant group having ilike in initially inner intersect into is isnull join lateral leading left like limit \
    localtime localtimestamp natural not notnull null offset on only or order outer overlaps placing primary references \
    returning right select session_user similar some symmetric system_user table tablesample then to trailing true union unique \
    user using variadic verbose when where window with";

/// Crates: a module of the same name would hide one.
const CRATES: &[&str] = &[
    "alloc",
    "backend",
    "core",
    "generator",
    "sqlx",
    "std",
    "support",
];

/// The longest name of a module or a field. With the longest ending that a module needs it is a name in PostgreSQL, which has at most 63 bytes.
const MAX_LENGTH: usize = 40;

/// The names of a module: `order_lines`, and `order_line` for one of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModuleName {
    /// The name of the module, its table and its path.
    pub plural: String,
    /// The name of one of them.
    pub singular: String,
}

impl ModuleName {
    /// The names of a module. Without `singular` it is derived, where English has a rule for it.
    pub fn new(plural: &str, singular: Option<&str>) -> Result<Self> {
        check("module", plural)?;
        let Some(singular) = singular.map(str::to_owned).or_else(|| singular_of(plural)) else {
            return refuse(format!(
                "`{plural}` is not a plural that is understood: say what one of them is called, such as \
                 `./scripts/module add people --singular person …`"
            ));
        };
        check_form("singular", &singular)?;
        if singular == plural {
            return refuse(format!(
                "`{plural}` is the name of many, so one of them needs another name"
            ));
        }
        if plural == "changes" || CRATES.contains(&plural) {
            return refuse(format!(
                "`{plural}` has a meaning in every module: choose another name"
            ));
        }
        Ok(Self {
            plural: plural.to_owned(),
            singular,
        })
    }

    /// Whether the singular was derived from the plural.
    pub fn is_regular(&self) -> bool {
        singular_of(&self.plural).as_ref() == Some(&self.singular)
    }

    /// The name as that of a type: `OrderLine`.
    pub fn type_name(&self) -> String {
        camel_case(&self.singular)
    }
}

/// Checks that a text can be the name of a module, a table or a field.
pub fn check(what: &str, name: &str) -> Result<()> {
    check_form(what, name)?;
    for (language, words) in [("Rust", RUST), ("PostgreSQL", SQL)] {
        if words.split_whitespace().any(|word| word == name) {
            return refuse(format!(
                "the {what} `{name}` is a word that {language} reserves: choose another name"
            ));
        }
    }
    Ok(())
}

/// Checks the characters and the length of a name: enough for one that stands in Rust as a type, a variant or a constant only.
pub fn check_form(what: &str, name: &str) -> Result<()> {
    let begins_with_a_letter = name.starts_with(|first: char| first.is_ascii_lowercase());
    let is_plain = name
        .bytes()
        .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    if !begins_with_a_letter || !is_plain || name.ends_with('_') || name.contains("__") {
        return refuse(format!(
            "the {what} `{name}` must be of a-z, 0-9 and single `_`, and begin with a letter"
        ));
    }
    if name.len() > MAX_LENGTH {
        return refuse(format!(
            "the {what} `{name}` has more than {MAX_LENGTH} characters"
        ));
    }
    if name == "self" {
        return refuse(format!(
            "the {what} `self` is a word that Rust reserves: choose another name"
        ));
    }
    Ok(())
}

/// The name in the form of a type or of a variant: `OrderLine` for `order_line`.
pub fn camel_case(name: &str) -> String {
    let capitalised = |part: &str| {
        let mut characters = part.chars();
        let first = characters.next().map(|first| first.to_ascii_uppercase());
        first.into_iter().chain(characters).collect::<String>()
    };
    name.split('_').map(capitalised).collect()
}

/// The name as words: `order line` for `order_line`.
pub fn words(name: &str) -> String {
    name.replace('_', " ")
}

/// The words with their article.
pub fn with_article(name: &str) -> String {
    let article = if name.starts_with(['a', 'e', 'i', 'o', 'u']) {
        "an"
    } else {
        "a"
    };
    format!("{article} {}", words(name))
}

/// One of many, by the rules of English that have few exceptions.
fn singular_of(plural: &str) -> Option<String> {
    let ends = |ends: &[&str]| ends.iter().any(|end| plural.ends_with(end));
    if ends(&["ss", "us", "is", "news", "series", "species"]) {
        return None;
    }
    if let Some(stem) = plural.strip_suffix("ies") {
        return Some(format!("{stem}y"));
    }
    if ends(&["sses", "xes", "ches", "shes"]) {
        return plural.strip_suffix("es").map(str::to_owned);
    }
    // `courses` and `purchases`, but neither `buses` nor `analyses`.
    if ends(&["uses", "yses", "ises", "eses"]) {
        return None;
    }
    plural.strip_suffix('s').map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_of_many_is_derived_where_there_is_a_rule() {
        for (plural, singular) in [
            ("notes", Some("note")),
            ("order_lines", Some("order_line")),
            ("companies", Some("company")),
            ("boxes", Some("box")),
            ("addresses", Some("address")),
            ("branches", Some("branch")),
            ("houses", None),
            ("purchases", Some("purchase")),
            ("people", None),
            ("news", None),
            ("series", None),
            ("status", None),
        ] {
            assert_eq!(singular_of(plural).as_deref(), singular, "{plural}");
        }
    }

    #[test]
    fn a_name_is_refused_that_rust_or_postgresql_could_not_read() {
        for name in [
            "", "Notes", "1notes", "notes-2", "no__tes", "notes_", "über", "a b", "type", "order",
            "select", "$(rm)", "../x",
        ] {
            assert!(check("field", name).is_err(), "{name}");
        }
        for name in ["notes", "n", "notes2", "line_2", "position", "text", "date"] {
            assert_eq!(check("field", name), Ok(()), "{name}");
        }
        assert!(check("field", &"a".repeat(41)).is_err());
    }

    #[test]
    fn a_module_whose_name_has_another_meaning_is_refused() {
        for name in ["changes", "core", "support", "cores"] {
            let refused = ModuleName::new(name, Some("one")).is_err();
            assert_eq!(refused, name != "cores", "{name}");
        }
        assert!(ModuleName::new("sheep", Some("sheep")).is_err());
        assert!(ModuleName::new("people", Some("person")).is_ok());
    }

    #[test]
    fn a_name_is_written_in_several_forms() {
        assert_eq!(camel_case("order_line2"), "OrderLine2");
        assert_eq!(with_article("order_line"), "an order line");
        assert_eq!(with_article("note"), "a note");
    }
}
