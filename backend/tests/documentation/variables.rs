//! Names of settings: what a page calls a variable is one that `.env.example` has.
//!
//! Come here when a name in capitals is no setting: add its prefix or the name to the list.

use std::collections::BTreeSet;
use std::fs;

use crate::pages::{code_spans, pages, root};

/// The beginnings of our variables.
const PREFIXES: &[&str] = &[
    "ACCOUNT_",
    "ADMIN_",
    "CACHE_",
    "CORS_",
    "DATABASE_",
    "DEFAULT_CACHE_",
    "LOGIN_",
    "LOG_",
    "MANAGEMENT_",
    "METRICS_",
    "RATE_",
    "SERVER_",
    "SIGN_",
    "TRACING_",
    "TRUSTED_",
];

/// The variables of `.env.example`, commented out or not.
pub fn known() -> BTreeSet<String> {
    let text = fs::read_to_string(root().join(".env.example")).expect(".env.example");
    let known: BTreeSet<String> = text
        .lines()
        .filter_map(|line| line.trim_start_matches(['#', ' ']).split_once('='))
        .map(|(name, _)| name.to_owned())
        .filter(|name| is_variable(name))
        .collect();
    assert!(known.len() > 25, "the variables were found");
    known
}

/// Whether a text is the name of a variable with one of our beginnings.
pub fn is_variable(text: &str) -> bool {
    PREFIXES.iter().any(|prefix| text.starts_with(prefix))
        && text
            .bytes()
            .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
}

#[test]
fn every_variable_that_a_page_names_is_a_setting() {
    let known = known();
    let mut checked = 0;
    for page in pages() {
        // The change log names variables of the past; the page of settings has a test of its own.
        if ["CHANGELOG.md", "docs/settings.md"].contains(&&*page.path) {
            continue;
        }
        for (number, line) in page.prose() {
            for span in code_spans(line) {
                let name = span.split(['=', ' ']).next().unwrap_or_default();
                if !is_variable(name) || name.ends_with('_') {
                    continue;
                }
                checked += 1;
                let secret = name.strip_suffix("_FILE").unwrap_or(name);
                assert!(
                    known.contains(name) || known.contains(secret),
                    "{}:{number} names `{name}`, which is no setting",
                    page.path
                );
            }
        }
    }
    assert!(checked > 20, "names were found");
}
