//! Commands: a script, a subcommand or a part of the tests that a page names exists.
//!
//! Come here after adding a script or a subcommand.

use std::process::Command;

use crate::pages::{pages, root};

/// The commands `{program} {word}` of a page: the word that follows each mention of the program.
fn words_after<'a>(text: &'a str, program: &str) -> Vec<&'a str> {
    text.split(program)
        .skip(1)
        .filter_map(|rest| rest.strip_prefix(' '))
        .map(|rest| {
            let end = rest
                .find(|character: char| !character.is_ascii_alphanumeric() && character != '-')
                .unwrap_or(rest.len());
            &rest[..end]
        })
        .filter(|word| !word.is_empty())
        .collect()
}

#[test]
fn every_script_that_a_page_names_exists() {
    let mut checked = 0;
    for page in pages() {
        for name in page.text.split("./scripts/").skip(1) {
            let end = name
                .find(|character: char| !character.is_ascii_alphanumeric() && character != '_')
                .unwrap_or(name.len());
            let script = format!("scripts/{}", &name[..end]);
            checked += 1;
            assert!(
                root().join(&script).exists(),
                "{} names {script}, which does not exist",
                page.path
            );
        }
    }
    assert!(checked > 5, "scripts were found");
}

#[test]
fn every_part_of_the_tests_that_a_page_names_exists() {
    let help = Command::new("bash")
        .arg(root().join("scripts/test"))
        .arg("--help")
        .output()
        .expect("the help of scripts/test");
    let help = String::from_utf8(help.stdout).expect("text");
    for page in pages() {
        for part in words_after(&page.text, "./scripts/test") {
            assert!(
                part.starts_with('-')
                    || page.text.contains(&format!("`backend/tests/{part}.rs`"))
                    || help
                        .lines()
                        .any(|line| line.starts_with(&format!("  {part} "))),
                "{} names ./scripts/test {part}, which is no part",
                page.path
            );
        }
    }
}

#[test]
fn every_subcommand_that_a_page_names_exists() {
    let help = Command::new(env!(concat!("CARGO_BIN_EXE_", env!("CARGO_PKG_NAME"))))
        .arg("--help")
        .output()
        .expect("the help of the binary");
    let help = String::from_utf8(help.stdout).expect("text");
    let program = format!("{} ", env!("CARGO_PKG_NAME"));
    let mut checked = 0;
    for page in pages() {
        for span in page.text.split('`').skip(1).step_by(2) {
            let Some(command) = span.strip_prefix(&program) else {
                continue;
            };
            let word = command.split(' ').next().unwrap_or_default();
            if !word
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte == b'-')
            {
                continue;
            }
            checked += 1;
            assert!(
                word.starts_with('-')
                    || help
                        .lines()
                        .any(|line| line.starts_with(&format!("  {word}"))),
                "{} names `{program}{word}`, which is no command",
                page.path
            );
        }
    }
    assert!(checked > 0, "commands were found");
}
