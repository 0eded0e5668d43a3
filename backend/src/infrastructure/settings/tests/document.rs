//! Tests: `.env.example` and `docs/settings.md` agree with the tables, and the tables with the structs.
//!
//! Come here when a setting is in one of them and not in the others. `./scripts/test prepare` writes both files.

use secrecy::ExposeSecret;
use serde::Deserialize;
use serde::de::{self, Visitor};

use super::*;

/// Records the names of a struct's fields from its `Deserialize`.
struct FieldNames<'a>(&'a mut Vec<&'static str>);

impl<'de> de::Deserializer<'de> for FieldNames<'_> {
    type Error = de::value::Error;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Self::Error> {
        Err(de::Error::custom("not a struct"))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Self::Error> {
        self.0.extend(fields);
        Err(de::Error::custom("only the names are wanted"))
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit
        unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

fn fields() -> Vec<String> {
    let mut names = Vec::new();
    let _ = ServerSettings::deserialize(FieldNames(&mut names));
    let _ = DatabaseSettings::deserialize(FieldNames(&mut names));
    let _ = CacheSettings::deserialize(FieldNames(&mut names));
    let _ = LoggingSettings::deserialize(FieldNames(&mut names));
    let _ = TraceSettings::deserialize(FieldNames(&mut names));
    let _ = ProtectionSettings::deserialize(FieldNames(&mut names));
    let _ = AccountSettings::deserialize(FieldNames(&mut names));
    let _ = AdministratorSettings::deserialize(FieldNames(&mut names));
    names.iter().map(|name| name.to_uppercase()).collect()
}

#[test]
fn every_field_is_a_row_of_the_table_in_the_same_order() {
    let table: Vec<_> = all().map(|variable| variable.name.to_owned()).collect();
    assert_eq!(fields(), table);
}

#[test]
fn env_example_and_the_page_are_written_from_the_table() {
    let advice = "is out of date: run ./scripts/test prepare and commit what it changes";
    let written = include_str!("../../../../../.env.example");
    assert!(written == example(), ".env.example {advice}");
    let written = include_str!("../../../../../docs/settings.md");
    assert!(written == document(), "docs/settings.md {advice}");
}

#[test]
fn every_default_of_the_table_is_the_default() {
    let example = load_both(&[], &example()).unwrap();
    let without = load(&[]).unwrap();
    assert_eq!(
        format!("{:?}", example.server),
        format!("{:?}", without.server)
    );
    assert_eq!(
        format!("{:?}", example.database),
        format!("{:?}", without.database)
    );
    assert_eq!(
        format!("{:?}", example.cache),
        format!("{:?}", without.cache)
    );
    assert_eq!(
        format!("{:?}", example.logging),
        format!("{:?}", without.logging)
    );
    assert_eq!(
        format!("{:?}", example.protection),
        format!("{:?}", without.protection)
    );
    assert_eq!(
        format!("{:?}", example.accounts),
        format!("{:?}", without.accounts)
    );
    assert_eq!(
        format!("{:?}", example.administrator),
        format!("{:?}", without.administrator)
    );
    // `Debug` does not show it.
    let url = |settings: &Settings| settings.database.database_url.expose_secret().to_owned();
    assert_eq!(url(&example), url(&without));
}

#[test]
fn every_row_states_the_meaning_and_the_values_of_the_variable() {
    for variable in all() {
        assert!(!variable.meaning.is_empty(), "{variable:?}");
        assert!(!variable.meaning.ends_with('.'), "{variable:?}");
        assert!(!variable.meaning.contains(['\n', '|']), "{variable:?}");
        assert!(!variable.kind.allowed().is_empty(), "{variable:?}");
    }
}

#[test]
fn the_listing_says_where_each_value_comes_from_and_shows_no_secret() {
    let settings = load_both(
        &[("PORT", "5000"), ("CACHE_REDIS_PASSWORD", "hunter2")],
        "# Mine\nCACHE_BACKEND=memory\n",
    )
    .unwrap();
    let listing = settings.listing();
    let lines: Vec<_> = listing.lines().collect();
    for line in [
        "SERVER_HOST=127.0.0.1",
        "SERVER_PORT=5000  # the environment (PORT)",
        "CACHE_BACKEND=memory  # line 2 of .env",
        "CACHE_REDIS_PASSWORD=***  # the environment",
        "CACHE_NAMESPACE=shopping-development",
        "ADMIN_PASSWORD=",
    ] {
        assert!(lines.contains(&line), "{line} in {listing}");
    }
    assert_eq!(lines.len(), all().count());
    assert!(!listing.contains("hunter2"), "{listing}");
}
