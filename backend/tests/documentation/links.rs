//! Links: a page that is linked exists, and so does the heading that an anchor names.
//!
//! Come here when a link is reported as broken although it works.

use crate::pages::{pages, root};

/// The targets of the links of one line: `[text](target)`.
fn targets(line: &str) -> impl Iterator<Item = &str> {
    line.split("](")
        .skip(1)
        .filter_map(|rest| rest.split_once(')'))
        .map(|(target, _)| target)
}

#[test]
fn every_link_leads_to_a_file_or_a_heading_that_exists() {
    let pages = pages();
    let mut checked = 0;
    for page in &pages {
        let directory = page.path.rsplit_once('/').map_or("", |(parent, _)| parent);
        for (number, line) in page.prose() {
            for target in targets(line) {
                if target.contains("://") || target.starts_with("mailto:") {
                    continue;
                }
                checked += 1;
                let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
                let linked = match file {
                    "" => page.path.clone(),
                    file => normalised(directory, file),
                };
                assert!(
                    root().join(&linked).exists(),
                    "{}:{number} links to {target}, which does not exist",
                    page.path
                );
                let Some(linked) = pages.iter().find(|other| other.path == linked) else {
                    assert_eq!(anchor, "", "{}:{number}: {target}", page.path);
                    continue;
                };
                assert!(
                    anchor.is_empty() || linked.anchors().iter().any(|own| own == anchor),
                    "{}:{number} links to the heading {target}, which does not exist",
                    page.path
                );
            }
        }
    }
    assert!(checked > 10, "links were found");
}

/// The path from the root of a file that is named from a directory.
fn normalised(directory: &str, file: &str) -> String {
    let mut parts: Vec<&str> = directory
        .split('/')
        .filter(|part| !part.is_empty())
        .collect();
    for part in file.split('/') {
        match part {
            "." | "" => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}

#[test]
fn every_page_of_docs_is_linked_from_the_readme() {
    let pages = pages();
    let readme = pages
        .iter()
        .find(|page| page.path == "README.md")
        .expect("the README");
    for page in pages.iter().filter(|page| page.path.starts_with("docs/")) {
        assert!(
            readme.text.contains(&page.path),
            "the README does not link to {}",
            page.path
        );
    }
}
