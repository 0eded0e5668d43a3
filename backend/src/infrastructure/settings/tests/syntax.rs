//! Tests of the syntax of `.env`; no message about it shows a value.
//!
//! Come here for a line of `.env` that is read wrongly.

use super::dotenv::{Assignment, parse};
use super::*;

/// The password that a line gives to Redis.
fn password(line: &str) -> String {
    let settings = load_both(&[], line).unwrap();
    settings
        .cache
        .cache_redis_password
        .expose_secret()
        .to_owned()
}

#[test]
fn a_value_is_read_alike_however_the_line_is_written() {
    for line in [
        "CACHE_REDIS_PASSWORD=hunter2",
        "CACHE_REDIS_PASSWORD = hunter2",
        "  CACHE_REDIS_PASSWORD=hunter2  ",
        "export CACHE_REDIS_PASSWORD=hunter2",
        "export\tCACHE_REDIS_PASSWORD = hunter2",
        "CACHE_REDIS_PASSWORD=hunter2 # why",
        "CACHE_REDIS_PASSWORD=hunter2\t#why",
        "CACHE_REDIS_PASSWORD='hunter2'",
        "CACHE_REDIS_PASSWORD='hunter2' # it's why",
        "CACHE_REDIS_PASSWORD=\"hunter2\"",
        "CACHE_REDIS_PASSWORD = \"hunter2\" # why",
        "CACHE_REDIS_PASSWORD=hunter2\r\nCACHE_BACKEND=redis\r\n",
        "\u{feff}CACHE_REDIS_PASSWORD=hunter2",
        "\u{feff}# Mine\r\n\r\nCACHE_REDIS_PASSWORD='hunter2'\r\n",
        "CACHE_REDIS_PASSWORD=other\nCACHE_REDIS_PASSWORD=hunter2",
    ] {
        assert_eq!(password(line), "hunter2", "{line:?}");
    }
}

#[test]
fn characters_mean_themselves_where_the_page_says_so() {
    for (value, expected) in [
        ("pa$word", "pa$word"),
        ("$HOME", "$HOME"),
        ("pa$$", "pa$$"),
        (r"pa\$word", "pa$word"),
        ("pass#word", "pass#word"),
        ("#hunter2", "#hunter2"),
        ("a=b==", "a=b=="),
        ("pässwörd", "pässwörd"),
        ("!@%^&*()[]{}|;:,.<>?~+-_/", "!@%^&*()[]{}|;:,.<>?~+-_/"),
        (r#"'a b # c "d" \$ $e ${f}'"#, r#"a b # c "d" \$ $e ${f}"#),
        (r#""a b # c 'd' $e""#, "a b # c 'd' $e"),
        (r#""\"\\\$\`""#, r#""\$`"#),
        (r#""C:\new\table""#, r"C:\new\table"),
        (r#""\${a}""#, "${a}"),
    ] {
        assert_eq!(
            password(&format!("CACHE_REDIS_PASSWORD={value}")),
            expected,
            "{value}"
        );
    }
}

#[test]
fn an_empty_value_is_not_set() {
    for value in ["", " ", "''", "\"\"", " # none", "  "] {
        let settings = load_both(&[], &format!("SERVER_PORT={value}")).unwrap();
        assert_eq!(settings.server.server_port, 8000, "{value:?}");
    }
}

#[test]
fn a_line_that_cannot_be_read_is_named_with_its_variable_and_without_its_value() {
    for (value, reason) in [
        (
            "hunter two",
            "has a space, a quote, a backslash or a backtick",
        ),
        (
            "hunter\ttwo",
            "has a space, a quote, a backslash or a backtick",
        ),
        (
            "hunter'two",
            "has a space, a quote, a backslash or a backtick",
        ),
        (
            "hunter\"two",
            "has a space, a quote, a backslash or a backtick",
        ),
        (
            r"hunter\two",
            "has a space, a quote, a backslash or a backtick",
        ),
        (
            "hunter`two",
            "has a space, a quote, a backslash or a backtick",
        ),
        ("hunter${two}", "has `${` or `$(`"),
        ("hunter$(two)", "has `${` or `$(`"),
        ("\"hunter ${two}\"", "has `${` or `$(`"),
        ("'hunter two", "has a quote that is not closed"),
        ("\"hunter two", "has a quote that is not closed"),
        ("\"hunter two\\", "has a quote that is not closed"),
        ("'hunter'two", "has something behind the closing quote"),
        ("'hunter'\\''two'", "has something behind the closing quote"),
        ("\"hunter\" two", "has something behind the closing quote"),
        ("'hunter'#two", "has something behind the closing quote"),
    ] {
        let file = format!("# Mine\nCACHE_REDIS_PASSWORD={value}\nSERVER_PORT=x\nCACHE_NEAR=1\n");
        let mistakes = mistakes_of_both(&[], &file);
        assert_eq!(mistakes.len(), 3, "{value}: {mistakes:#?}");
        let expected = format!("CACHE_REDIS_PASSWORD in line 2 of .env {reason}");
        assert!(mistakes[0].starts_with(&expected), "{value}: {mistakes:#?}");
        let all = mistakes.concat();
        assert!(
            !all.contains("hunter") && !all.contains("two"),
            "{mistakes:#?}"
        );
        assert!(mistakes[1].starts_with("SERVER_PORT in line 3 of .env holds `x`"));
        assert!(mistakes[2].starts_with("CACHE_NEAR in line 4 of .env holds `1`"));
    }
}

#[test]
fn a_line_without_a_name_is_named_by_its_number_alone() {
    for line in [
        "hunter2",
        "=hunter2",
        "export",
        "postgres://ada:hunter2@db/backend?a=b",
        "hun.ter2=1",
        "2hunter2=1",
        "hunter2 hunter2=1",
        "set CACHE_NEAR=hunter2",
    ] {
        let mistakes = mistakes_of_both(&[], line);
        let expected =
            "line 1 of .env is neither NAME=value, nor a comment that begins with `#`, nor empty";
        assert_eq!(mistakes, [expected], "{line}");
    }
}

#[test]
fn the_rest_of_a_secret_of_several_lines_is_not_shown() {
    let file =
        "CACHE_REDIS_PASSWORD=\"hunter2\nHUNTER3=\nhunter4\nHUNTER5\"\nSERVER_PORT=x\nHUNTER6=1\n";
    let mistakes = mistakes_of_both(&[], file);
    assert_eq!(
        mistakes,
        [
            "CACHE_REDIS_PASSWORD in line 1 of .env has a quote that is not closed: a value ends on its line",
            "HUNTER6 in line 6 of .env is not a variable of this service; .env.example lists them all",
            "SERVER_PORT in line 5 of .env holds `x`; it may hold a port from 0 to 65535",
        ]
    );
    assert_eq!(
        mistakes_of_both(&[], "aHVudGVyMg=="),
        ["line 1 of .env sets no variable of this service; .env.example lists them all"],
        "a name that looks like a part of a secret is not shown"
    );
}

#[test]
fn a_file_that_is_not_utf_8_is_one_mistake() {
    let utf_16: Vec<_> = "\u{feff}CACHE_REDIS_PASSWORD=hunter2"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    let error = Settings::from_sources(PROGRAM, values(&[]), Some(&utf_16)).unwrap_err();
    assert_eq!(
        error.to_string(),
        ".env is not UTF-8 text: save it as UTF-8"
    );
}

#[test]
fn a_name_that_is_set_twice_is_a_warning() {
    let settings = load_both(&[], "SERVER_PORT=1\n\nSERVER_PORT=2\n").unwrap();
    assert_eq!(settings.server.server_port, 2);
    assert_eq!(
        settings.warnings,
        ["SERVER_PORT is set in line 1 of .env and again in line 3; the last one counts"]
    );
}

proptest! {
    #[test]
    fn every_text_between_single_quotes_is_the_value(text in "[^'\r\n]{1,40}") {
        let line = format!("CACHE_REDIS_PASSWORD='{text}'");
        let expected = Assignment { line: 1, name: "CACHE_REDIS_PASSWORD".to_owned(), value: text };
        prop_assert_eq!(parse(line.as_bytes()), (vec![expected], Vec::new()));
    }

    #[test]
    fn no_message_holds_a_part_of_a_value(text in "[ -~]{0,10}hunter2[ -~]{0,10}") {
        let line = format!("CACHE_REDIS_PASSWORD={text}");
        prop_assert!(!mistakes_of_both(&[], &line).concat().contains("hunter2"));
    }

    #[test]
    fn no_file_panics(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = parse(&bytes);
    }
}
