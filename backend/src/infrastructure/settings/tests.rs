//! What the settings promise, and that `.env.example` cannot drift from them.

use proptest::prelude::*;
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde::de::{self, Visitor};

use super::*;

fn values(pairs: &[(&str, &str)]) -> Values {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

fn load(pairs: &[(&str, &str)]) -> Result<Settings, SettingsError> {
    Settings::from_values(values(pairs), Values::new())
}

fn mistakes(pairs: &[(&str, &str)]) -> Vec<String> {
    load(pairs)
        .err()
        .map(|error| error.mistakes)
        .unwrap_or_default()
}

/// Learns the names of a struct's fields from its `Deserialize`.
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
    let _ = AdministratorSettings::deserialize(FieldNames(&mut names));
    names.iter().map(|name| name.to_uppercase()).collect()
}

/// The variables of `.env.example` in order, with the values they hold there.
fn example() -> Vec<(String, String)> {
    include_str!("../../../../.env.example")
        .lines()
        .filter_map(|line| line.trim_start_matches('#').split_once('='))
        .filter(|(name, _)| {
            !name.is_empty()
                && name
                    .chars()
                    .all(|character| character.is_ascii_uppercase() || character == '_')
        })
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

#[test]
fn every_field_is_a_variable_of_the_table_and_of_the_example_in_the_same_order() {
    let table: Vec<_> = VARIABLES
        .iter()
        .map(|variable| variable.name.to_owned())
        .collect();
    let example: Vec<_> = example().into_iter().map(|(name, _)| name).collect();
    assert_eq!(fields(), table);
    assert_eq!(example, table);
}

#[test]
fn every_default_in_the_example_is_the_default() {
    let example = Settings::from_values(Values::new(), example().into_iter().collect()).unwrap();
    assert_eq!(format!("{example:?}"), format!("{:?}", Settings::default()));
    let url = |settings: &Settings| settings.database.database_url.expose_secret().to_owned();
    assert_eq!(url(&example), url(&Settings::default()));
}

#[test]
fn every_line_of_the_example_has_a_meaning_above_it() {
    let text = include_str!("../../../../.env.example");
    let lines: Vec<_> = text.lines().collect();
    for (number, line) in lines
        .iter()
        .enumerate()
        .filter(|(_, line)| line.contains('=') && !line.starts_with("# "))
    {
        assert!(
            lines[number - 1].starts_with("# "),
            "no meaning above {line}"
        );
    }
}

#[test]
fn every_mistake_is_reported_at_once_with_what_would_be_right() {
    let mistakes = mistakes(&[
        ("CACHE_BACKEND", "rediss"),
        ("DEFAULT_CACHE_EXPIRATION", "0"),
        ("SERVER_PORT", "99999"),
        ("LOG_LEVEL", "loud"),
        ("CACHE_ENABLED", "maybe"),
        ("CACHE_BACKND", "redis"),
    ]);
    assert_eq!(
        mistakes,
        [
            "CACHE_BACKND is not a variable of this service; did you mean CACHE_BACKEND?",
            "SERVER_PORT holds `99999`; it may hold a port, or 0 for any free one",
            "CACHE_BACKEND holds `rediss`; it may hold redis, memcached or memory",
            "CACHE_ENABLED holds `maybe`; it may hold true or false",
            "DEFAULT_CACHE_EXPIRATION holds `0`; it may hold seconds from 1 to 315360000",
            "LOG_LEVEL holds `loud`; it may hold trace, debug, info, warn, error, off, or directives such as \
             info,backend=debug",
        ]
    );
}

#[test]
fn secrets_are_never_shown() {
    let mistakes = mistakes(&[
        ("DATABASE_URL", "mysql://root:hunter2@x"),
        ("ADMIN_PASSWORD", "hunter2"),
    ])
    .join("\n");
    assert!(mistakes.contains("DATABASE_URL holds `***`"), "{mistakes}");
    assert!(!mistakes.contains("hunter2"), "{mistakes}");
    assert!(
        !format!(
            "{:?}",
            load(&[("CACHE_REDIS_PASSWORD", "hunter2")]).unwrap()
        )
        .contains("hunter2")
    );
}

#[test]
fn the_environment_wins_over_the_file_and_empty_means_not_set() {
    let settings = Settings::from_values(
        values(&[("SERVER_PORT", "9000"), ("SERVER_HOST", "")]),
        values(&[("SERVER_PORT", "7000"), ("SERVER_HOST", "0.0.0.0")]),
    )
    .unwrap();
    assert_eq!(
        (
            settings.server.server_port,
            settings.server.server_host.as_str()
        ),
        (9000, "0.0.0.0")
    );
}

#[test]
fn an_unknown_name_in_the_file_is_a_mistake() {
    let error = Settings::from_values(Values::new(), values(&[("COLOUR", "red")])).unwrap_err();
    assert_eq!(
        error.to_string(),
        "COLOUR in .env is not a variable of this service; .env.example lists them all"
    );
}

#[test]
fn a_name_that_an_orchestrator_injects_is_a_warning() {
    let settings = load(&[
        ("CACHE_PORT", "tcp://10.0.0.1:6379"),
        ("HOME", "/root"),
        ("PATH", "/bin"),
    ])
    .unwrap();
    assert_eq!(
        settings.warnings,
        ["CACHE_PORT is set, but is not a variable of this service"]
    );
}

#[test]
fn a_password_of_digits_keeps_its_zeros() {
    let settings = load(&[("CACHE_REDIS_PASSWORD", "007")]).unwrap();
    assert_eq!(settings.cache.cache_redis_password.expose_secret(), "007");
}

#[test]
fn the_administrator_is_given_whole_or_not_at_all() {
    assert_eq!(
        mistakes(&[
            ("ADMIN_USERNAME", "root"),
            ("ADMIN_EMAIL", "root@example.com")
        ]),
        [
            "ADMIN_PASSWORD is not set; ADMIN_USERNAME, ADMIN_EMAIL and ADMIN_PASSWORD belong together"
        ]
    );
}

proptest! {
    #[test]
    fn no_value_of_any_variable_panics(index in 0..VARIABLES.len(), value in "\\PC{0,40}") {
        let result = load(&[(VARIABLES[index].name, &value)]);
        if let Err(error) = result {
            prop_assert!(error.to_string().contains(VARIABLES[index].name));
        }
    }

    #[test]
    fn a_name_with_one_letter_missing_is_a_mistake_that_names_the_right_one(
        index in 0..VARIABLES.len(), at in any::<prop::sample::Index>(),
    ) {
        let mut name = VARIABLES[index].name.to_owned();
        name.remove(at.index(name.len()));
        prop_assume!(variables::find(&name).is_none());
        prop_assert!(mistakes(&[(&name, "1")]).join("").contains("did you mean"));
    }
}
