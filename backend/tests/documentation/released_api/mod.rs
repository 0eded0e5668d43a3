//! The API against the last released one, `docs/openapi.json`: a client of that one still works, or the change log says why not.
//!
//! Come here when the check reports a change (`docs/clients.md` says what to do), or to add a rule. `operations` and `schemas` have
//! the rules, and `rules` has a test of each.

mod operations;
mod rules;
mod schemas;

use std::collections::BTreeSet;
use std::fmt::{self, Display};
use std::fs;

use serde_json::Value;

use crate::pages::{code_spans, root};

/// One incompatible change.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Change {
    /// What the change log has to name: the operation or the schema, and the part of it, if it is a part.
    pub names: Vec<String>,
    /// What has changed.
    pub text: String,
}

impl Display for Change {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<String> = self.names.iter().map(|name| format!("`{name}`")).collect();
        write!(formatter, "{}: {}", names.join(", "), self.text)
    }
}

impl Change {
    /// Whether an item of the change log names all that the change has.
    fn is_announced(&self, items: &[String]) -> bool {
        items.iter().any(|item| {
            let spans: Vec<&str> = code_spans(item).collect();
            self.names.iter().all(|name| spans.contains(&name.as_str()))
        })
    }
}

/// The incompatible changes between two documents.
fn changes(old: &Value, new: &Value) -> BTreeSet<Change> {
    let mut changes = BTreeSet::new();
    operations::compare(old, new, &mut changes);
    changes
}

/// The items below `### Incompatible` of the unreleased version.
fn announcements(change_log: &str) -> Vec<String> {
    let unreleased = change_log
        .split("\n## ")
        .find(|section| section.starts_with("Unreleased"));
    let incompatible = unreleased
        .into_iter()
        .flat_map(|section| section.split("\n### "))
        .find(|part| part.starts_with("Incompatible"));
    let items = incompatible
        .into_iter()
        .flat_map(|part| part.split("\n- ").skip(1));
    items.map(str::to_owned).collect()
}

#[test]
fn no_incompatible_change_of_the_api_is_unannounced() {
    let released = fs::read_to_string(root().join("docs/openapi.json")).expect("a document");
    let released = serde_json::from_str(&released).expect("JSON");
    let change_log = fs::read_to_string(root().join("CHANGELOG.md")).expect("the change log");
    let announced = announcements(&change_log);
    let unannounced: Vec<String> = changes(&released, &backend::interfaces::openapi_document())
        .iter()
        .filter(|change| !change.is_announced(&announced))
        .map(|change| format!("- {change}"))
        .collect();
    assert!(
        unannounced.is_empty(),
        "clients of the released API (docs/openapi.json) break. Keep what they use; or copy these lines below `### Incompatible` of \
         the unreleased version in CHANGELOG.md, with what a client has to do. Before anybody uses the API, release it again: \
         cargo run --quiet -- openapi >docs/openapi.json\n{}",
        unannounced.join("\n")
    );
}

#[test]
fn an_announcement_names_the_operation_or_schema_and_the_part_of_it() {
    let log = "# Changes\n\n## Unreleased\n\n### Incompatible\n\n- `Item`, `note`: gone. Use\n  `text`.\n- `GET /a`: gone.\n\n\
               ### Added\n\n- `Other`\n\n## 1.0.0\n\n### Incompatible\n\n- `GET /old`\n";
    let announced = announcements(log);
    let is_announced = |names: &[&str]| {
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        let text = String::new();
        Change { names, text }.is_announced(&announced)
    };
    assert!(is_announced(&["Item", "note"]));
    assert!(is_announced(&["GET /a"]));
    assert!(!is_announced(&["Item", "name"]), "another field");
    assert!(!is_announced(&["Other"]), "not below the heading");
    assert!(!is_announced(&["GET /old"]), "of an earlier release");
}
