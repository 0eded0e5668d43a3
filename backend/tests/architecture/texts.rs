//! Required and forbidden text of files.
//!
//! Come here for a rule about headers, sizes or secrets. Clauses are checked in `documentation`.

use crate::sources::{Source, all_files, files};

#[test]
fn every_file_begins_with_a_header() {
    for (path, text) in files() {
        assert!(text.starts_with("//! "), "{path} does not");
    }
}

#[test]
fn no_type_that_holds_a_token_or_a_hash_derives_debug() {
    let secrets = ["token", "password", "secret"];
    let mut seen = 0;
    for (path, text) in files() {
        if !path.starts_with("src/") {
            continue;
        }
        for (index, _) in text.match_indices("struct ") {
            let body = text[index..].split("}\n").next().unwrap_or_default();
            let holds_one = body.lines().map(str::trim).any(|line| {
                let Some((name, kind)) = line.trim_start_matches("pub ").split_once(": ") else {
                    return false;
                };
                let is_text = kind.contains("String") || kind.contains("str");
                is_text
                    && !kind.contains("SecretString")
                    && !kind.contains("&'static str")
                    && secrets.iter().any(|secret| name.contains(secret))
            });
            if !holds_one {
                continue;
            }
            seen += 1;
            let before = text[..index].rsplit("\n\n").next().unwrap_or_default();
            let derives_debug = before
                .lines()
                .any(|line| line.starts_with("#[derive(") && line.contains("Debug"));
            assert!(
                !derives_debug,
                "{path}: this type shows a secret in a log: {body}"
            );
        }
    }
    assert!(seen >= 3, "the types were found");
}

/// The asynchronous tests of a source that do not begin with their deadline.
fn without_deadline(text: &str) -> Vec<&str> {
    let attributed = text.split("::test]\n").skip(1);
    let asynchronous = attributed.filter_map(|rest| rest.trim_start().strip_prefix("async fn "));
    asynchronous
        .filter(|rest| {
            !rest
                .split("{\n")
                .nth(1)
                .unwrap_or_default()
                .trim_start()
                .starts_with("watchdog::watch();")
        })
        .filter_map(|rest| rest.split('(').next())
        .collect()
}

#[test]
fn every_asynchronous_test_in_the_sources_has_a_deadline() {
    for (path, text) in files() {
        if path.starts_with("src/") {
            assert_eq!(without_deadline(&text), Vec::<&str>::new(), "{path}");
        }
    }
}

#[test]
fn an_asynchronous_test_without_a_deadline_is_found() {
    let watched = "#[tokio::test]\nasync fn one() {\n    watchdog::watch();\n}\n";
    let unwatched = "#[actix_web::test]\nasync fn two() {\n    wait().await;\n}\n";
    assert_eq!(without_deadline(&format!("{watched}{unwatched}")), ["two"]);
}

/// The longest allowed file. A longer one has two subjects.
const MAX_LINES: usize = 350;

fn too_long(files: &[Source]) -> Vec<&str> {
    files
        .iter()
        .filter(|(_, text)| text.lines().count() > MAX_LINES)
        .map(|(path, _)| path.as_str())
        .collect()
}

#[test]
fn no_file_is_longer_than_350_lines() {
    assert_eq!(too_long(&all_files()), Vec::<&str>::new());
}

#[test]
fn a_file_of_351_lines_is_found() {
    let files = ["short", "long"].map(str::to_owned);
    let files = files.map(|name| {
        let lines = if name == "long" { 351 } else { 350 };
        (name, "line\n".repeat(lines))
    });
    assert_eq!(too_long(&files), ["long"]);
}
