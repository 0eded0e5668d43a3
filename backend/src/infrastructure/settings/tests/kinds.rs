//! Tests: no value of a wrong kind is converted silently, and tables and structs have the same bounds.
//!
//! Come here after adding a kind of value or a bound.

use super::*;

/// Texts that are no numbers to a reader, although `config` converts some of them.
const NO_NUMBERS: &[&str] = &[
    "true",
    "false",
    "on",
    "off",
    "yes",
    "no",
    "TRUE",
    "1.0",
    "1.5",
    "1e3",
    "-1",
    "-0",
    "+1",
    " 1",
    "1 ",
    "0x10",
    "1_000",
    "1,000",
    "[1]",
    "one",
    "\u{661}",
    "18446744073709551616",
];

/// Texts that `config` converts to `true` or `false`, or that look similar.
const NO_FLAGS: &[&str] = &[
    "1", "0", "on", "off", "yes", "no", "True", "TRUE", "FALSE", "t", "2", "0.0", "-1", " true",
    "true ", "[true]", "null",
];

fn is_refused(name: &str, value: &str) -> bool {
    let mistakes = mistakes(&[(name, value)]);
    assert!(mistakes.len() <= 1, "{name} holds {value}: {mistakes:#?}");
    mistakes
        .first()
        .is_some_and(|mistake| mistake.starts_with(&format!("{name} holds `")))
}

#[test]
fn a_number_is_digits_and_nothing_else() {
    for variable in all().filter(|variable| matches!(variable.kind, Kind::Number { .. })) {
        for value in NO_NUMBERS {
            assert!(
                is_refused(variable.name, value),
                "{} = {value}",
                variable.name
            );
        }
    }
}

#[test]
fn a_flag_is_true_or_false_and_nothing_else() {
    for variable in all().filter(|variable| matches!(variable.kind, Kind::Flag)) {
        for value in NO_FLAGS {
            assert!(
                is_refused(variable.name, value),
                "{} = {value}",
                variable.name
            );
        }
        for value in ["true", "false"] {
            assert!(
                !is_refused(variable.name, value),
                "{} = {value}",
                variable.name
            );
        }
    }
}

#[test]
fn a_choice_is_one_of_its_words_as_they_are_written() {
    for variable in all() {
        let Kind::Choice(words) = variable.kind else {
            continue;
        };
        for word in words {
            assert!(
                !is_refused(variable.name, word),
                "{} = {word}",
                variable.name
            );
            for wrong in [word.to_uppercase(), format!("{word} "), format!("[{word}]")] {
                assert!(
                    is_refused(variable.name, &wrong),
                    "{} = {wrong}",
                    variable.name
                );
            }
        }
        for wrong in ["true", "0", "1"] {
            assert!(
                is_refused(variable.name, wrong),
                "{} = {wrong}",
                variable.name
            );
        }
    }
}

#[test]
fn the_struct_accepts_every_number_that_the_table_allows_and_the_next_ones_are_refused() {
    for variable in all() {
        let Kind::Number { least, most, .. } = variable.kind else {
            continue;
        };
        let name = variable.name;
        for value in [least, most] {
            assert!(!is_refused(name, &value.to_string()), "{name} = {value}");
        }
        let outside = [least.checked_sub(1), most.checked_add(1)];
        for value in outside.into_iter().flatten() {
            assert!(is_refused(name, &value.to_string()), "{name} = {value}");
        }
    }
}

#[test]
fn text_is_taken_as_it_is_whatever_it_looks_like() {
    for text in ["true", "007", "1.50", "[a,b]", "{}", "null", "a,b"] {
        let settings = load(&[("CACHE_REDIS_HOST", text), ("CACHE_REDIS_PASSWORD", text)]).unwrap();
        assert_eq!(settings.cache.cache_redis_host, text);
        assert_eq!(settings.cache.cache_redis_password.expose_secret(), text);
    }
}
