//! Clauses: a number that a source, a test or a page cites exists in `docs/contract.md`, and every clause has a test.
//!
//! Come here after adding a clause.

use std::collections::{BTreeMap, BTreeSet};

use crate::pages::{pages, sources};

/// The clauses of `docs/contract.md`: the headings `### C12 …`.
fn clauses() -> BTreeSet<u32> {
    let pages = pages();
    let contract = pages
        .iter()
        .find(|page| page.path == "docs/contract.md")
        .expect("docs/contract.md");
    let mut clauses = BTreeSet::new();
    for (number, line) in contract.prose() {
        let Some(heading) = line.strip_prefix("### C") else {
            continue;
        };
        let clause = heading.split(' ').next().and_then(|text| text.parse().ok());
        let clause = clause.unwrap_or_else(|| panic!("line {number} is no clause: {line}"));
        assert!(clauses.insert(clause), "C{clause} stands twice");
    }
    assert!(clauses.len() > 40, "the clauses were found");
    clauses
}

/// The clauses that a line of prose cites: `C12`, `C33/C34`, `C53–C56` (its two ends).
fn cited(line: &str) -> Vec<u32> {
    let bytes = line.as_bytes();
    let mut found = Vec::new();
    for (index, _) in line.match_indices('C') {
        let before = index.checked_sub(1).map(|before| bytes[before]);
        if before.is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-') {
            continue;
        }
        let digits: String = line[index + 1..]
            .chars()
            .take_while(char::is_ascii_digit)
            .collect();
        let after = line[index + 1 + digits.len()..].chars().next();
        let is_part_of_a_word =
            after.is_some_and(|next| next.is_ascii_alphanumeric() || next == '_');
        if matches!(digits.len(), 1 | 2)
            && !is_part_of_a_word
            && let Ok(clause) = digits.parse()
        {
            found.push(clause);
        }
    }
    found
}

#[test]
fn a_clause_that_is_cited_exists_in_the_contract() {
    let clauses = clauses();
    let mut checked = 0;
    let mut texts = sources(
        &["backend/src", "backend/tests", "backend/benches"],
        &["rs"],
    );
    texts.extend(pages().into_iter().map(|page| (page.path, page.text)));
    for (path, text) in texts {
        // This file and its examples.
        if path.ends_with("documentation/clauses.rs") {
            continue;
        }
        for (number, line) in text.lines().enumerate() {
            let is_comment = !path.starts_with("backend/") || line.trim_start().starts_with("//");
            if !is_comment {
                continue;
            }
            for clause in cited(line) {
                checked += 1;
                assert!(
                    clauses.contains(&clause),
                    "{path}:{} cites C{clause}, which docs/contract.md does not have",
                    number + 1
                );
            }
        }
    }
    assert!(checked > 50, "citations were found");
}

#[test]
fn every_clause_has_a_test_that_carries_its_number() {
    let mut tests: BTreeMap<u32, usize> = BTreeMap::new();
    for (_, text) in sources(&["backend/src", "backend/tests"], &["rs"]) {
        for line in text.lines().map(str::trim) {
            let name = line
                .strip_prefix("async fn ")
                .or_else(|| line.strip_prefix("fn "));
            let Some(name) = name else { continue };
            for part in name.split('_') {
                let clause = part
                    .strip_prefix('c')
                    .filter(|digits| digits.len() == 2)
                    .and_then(|digits| digits.parse().ok());
                if let Some(clause) = clause {
                    *tests.entry(clause).or_default() += 1;
                }
            }
        }
    }
    let without: Vec<_> = clauses()
        .into_iter()
        .filter(|clause| !tests.contains_key(clause))
        .map(|clause| format!("C{clause}"))
        .collect();
    assert!(without.is_empty(), "clauses without a test: {without:?}");
    let unknown: Vec<_> = tests
        .into_keys()
        .filter(|clause| !clauses().contains(clause))
        .map(|clause| format!("C{clause}"))
        .collect();
    assert!(unknown.is_empty(), "tests of unknown clauses: {unknown:?}");
}

#[test]
fn citations_are_found_in_prose_and_not_in_other_words() {
    assert_eq!(cited("as C15 says (C33/C34), see C5."), [15, 33, 34, 5]);
    assert_eq!(
        cited("C_UTF8, C99x, RFC8941, ABC12, C123"),
        Vec::<u32>::new()
    );
}
