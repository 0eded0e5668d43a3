//! The rules of the cache wing: the allowed uses between folders, no circle, no feature and no database.
//!
//! Come here to add a folder. That the wing uses nothing of the service needs no rule: it is a crate of its own.

use std::collections::{BTreeMap, BTreeSet};

use crate::imports::Tree;
use crate::sources::{Source, code, files};

const FOLDER: &str = "src/infrastructure/cache/";
const PREFIX: &str = "crate::";

/// The folders, and the folders that each may use besides the files beside the folders.
const FOLDERS: [(&str, &[&str]); 9] = [
    (
        "middleware",
        &[
            "provider", "map", "lookup", "breaker", "stored", "backends", "policy", "keys",
        ],
    ),
    (
        "provider",
        &[
            "map", "lookup", "breaker", "stored", "backends", "policy", "keys",
        ],
    ),
    ("map", &["policy", "keys"]),
    ("lookup", &["breaker", "stored", "backends", "keys"]),
    ("breaker", &["stored", "backends", "keys"]),
    ("stored", &["backends", "keys"]),
    ("backends", &[]),
    ("policy", &["keys"]),
    ("keys", &[]),
];

type Uses<'a> = BTreeMap<&'a str, BTreeSet<&'a str>>;

/// The folder of a file; `None` for one that stands beside the folders.
fn folder(path: &str) -> Option<&str> {
    path.strip_prefix(FOLDER)?
        .split_once('/')
        .map(|(folder, _)| folder)
}

/// Uses that go against the order of the folders.
fn against_the_order(uses: &Uses<'_>) -> Vec<String> {
    let mut found = Vec::new();
    for (path, used) in uses {
        // The root names what is public.
        if *path == format!("{FOLDER}mod.rs") {
            continue;
        }
        let own = folder(path);
        let allowed: &[&str] = match own {
            None => &[],
            Some(own) => {
                let Some((_, allowed)) = FOLDERS.iter().find(|(name, _)| *name == own) else {
                    found.push(format!(
                        "{path} stands in a folder that `FOLDERS` does not name"
                    ));
                    continue;
                };
                allowed
            }
        };
        for target in used {
            let to = folder(target);
            if to.is_some() && to != own && !to.is_some_and(|to| allowed.contains(&to)) {
                found.push(format!("{path} uses {target}"));
            }
        }
    }
    found
}

/// A way from a file back to itself, if there is one.
fn circle<'a>(uses: &Uses<'a>) -> Option<Vec<&'a str>> {
    fn walk<'a>(
        file: &'a str,
        uses: &Uses<'a>,
        way: &mut Vec<&'a str>,
        done: &mut BTreeSet<&'a str>,
    ) -> Option<Vec<&'a str>> {
        if let Some(start) = way.iter().position(|known| *known == file) {
            return Some(way[start..].to_vec());
        }
        if !done.insert(file) {
            return None;
        }
        way.push(file);
        for next in uses.get(file).into_iter().flatten() {
            if let Some(found) = walk(next, uses, way, done) {
                return Some(found);
            }
        }
        way.pop();
        None
    }
    let mut done = BTreeSet::new();
    uses.keys()
        .find_map(|file| walk(file, uses, &mut Vec::new(), &mut done))
}

fn wing(files: &[Source]) -> Tree {
    Tree::new(files, FOLDER, PREFIX)
}

#[test]
fn a_folder_uses_only_the_folders_behind_it() {
    let files = files();
    let tree = wing(&files);
    let uses = tree.uses();
    assert!(uses.len() > 50, "the files were found");
    let middleware_uses_policy = uses.iter().any(|(path, used)| {
        folder(path) == Some("middleware") && used.iter().any(|used| folder(used) == Some("policy"))
    });
    assert!(middleware_uses_policy, "the uses were found");
    assert_eq!(against_the_order(&uses), Vec::<String>::new());
}

#[test]
fn no_files_of_the_cache_use_each_other_in_a_circle() {
    let files = files();
    assert_eq!(circle(&wing(&files).uses()), None);
}

/// The lines of the cache that name a feature of the application, or the library of the database.
fn foreign_names(files: &[Source]) -> Vec<&str> {
    let of_cache = files.iter().filter(|(path, _)| path.starts_with(FOLDER));
    let names_one = |line: &&str| {
        let line = line.to_lowercase();
        ["widget", "sqlx"].iter().any(|name| line.contains(name))
    };
    of_cache
        .flat_map(|(_, text)| code(text).filter(names_one))
        .collect()
}

#[test]
fn the_cache_names_no_feature_and_no_database() {
    assert_eq!(foreign_names(&files()), Vec::<&str>::new());
}

#[test]
fn a_feature_in_the_cache_is_found() {
    let files = example(&[("lookup/look.rs", "// A widget.\nlet key = \"widget:1\";")]);
    assert_eq!(foreign_names(&files), ["let key = \"widget:1\";"]);
}

fn example(files: &[(&str, &str)]) -> Vec<Source> {
    files
        .iter()
        .map(|(path, text)| (format!("{FOLDER}{path}"), (*text).to_owned()))
        .collect()
}

#[test]
fn an_import_against_the_order_is_found_however_it_is_written() {
    for upward in [
        "use crate::lookup::Lookup;",
        "use crate::{clock::Clock, lookup::{Lookup}};",
        "use super::super::lookup::Lookup;",
        "fn f() { crate::lookup::look::look() }",
        "pub(crate) fn f() -> super::super::lookup::Lookup { }",
    ] {
        let files = example(&[
            ("breaker/health.rs", upward),
            (
                "lookup/mod.rs",
                "mod look;\npub(crate) use look::{\n    Lookup,\n};",
            ),
            ("lookup/look.rs", "pub struct Lookup;"),
            ("clock.rs", ""),
        ]);
        let found = against_the_order(&wing(&files).uses());
        let expected = format!("{FOLDER}breaker/health.rs uses {FOLDER}lookup/look.rs");
        assert_eq!(found, [expected], "{upward}");
    }
}

#[test]
fn a_comment_a_visibility_and_a_test_are_no_imports() {
    let files = example(&[
        (
            "breaker/health.rs",
            "/// crate::lookup::look\n\
             pub(in crate::lookup) struct Health;\n\
             #[cfg(test)]\nmod tests {\n    use crate::lookup::look;\n}",
        ),
        ("lookup/look.rs", ""),
    ]);
    assert!(against_the_order(&wing(&files).uses()).is_empty());
}

#[test]
fn a_folder_that_has_no_place_in_the_order_is_found() {
    let files = example(&[("attic/old.rs", "")]);
    assert_eq!(against_the_order(&wing(&files).uses()).len(), 1);
}

#[test]
fn a_circle_is_found_within_a_folder_and_through_a_re_export() {
    let within = example(&[
        ("keys/mod.rs", "mod a;\nmod b;\nmod c;"),
        ("keys/a.rs", "use super::b::B;"),
        ("keys/b.rs", "use super::c::C;"),
        ("keys/c.rs", "use super::a::A;"),
    ]);
    assert_eq!(circle(&wing(&within).uses()).map(|way| way.len()), Some(3));
    let through = example(&[
        ("keys/mod.rs", "mod a;\npub use a::A;"),
        ("keys/a.rs", "use crate::policy::P;"),
        ("policy/mod.rs", "mod p;\npub use p::P;"),
        ("policy/p.rs", "use crate::keys::A;"),
    ]);
    assert_eq!(circle(&wing(&through).uses()).map(|way| way.len()), Some(2));
}
