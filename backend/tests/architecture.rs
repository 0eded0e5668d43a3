//! The rules of the layout, held against the sources.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

use std::fs;
use std::path::{Path, PathBuf};

fn sources(directory: &Path, found: &mut Vec<(PathBuf, String)>) {
    for entry in fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).expect("text");
            found.push((path, text));
        }
    }
}

/// Every source file below `backend`, with its path from there.
fn files() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    for directory in ["src", "tests"] {
        sources(&root.join(directory), &mut found);
    }
    assert!(found.len() > 50, "the sources were found");
    let relative = |path: &Path| {
        path.strip_prefix(root)
            .expect("below")
            .to_string_lossy()
            .replace('\\', "/")
    };
    found
        .into_iter()
        .map(|(path, text)| (relative(&path), text))
        .collect()
}

/// The lines of code: no comments, and nothing below a `mod tests`.
fn code(text: &str) -> impl Iterator<Item = &str> {
    text.split("#[cfg(test)]")
        .next()
        .unwrap_or_default()
        .lines()
        .map(str::trim)
        .filter(|line| !line.starts_with("//"))
}

fn layer(path: &str) -> Option<&str> {
    let layers = ["startup", "interfaces", "modules", "infrastructure"];
    let name = path.strip_prefix("src/")?.split(['/', '.']).next()?;
    layers.into_iter().find(|layer| *layer == name)
}

#[test]
fn dependencies_go_from_startup_to_interfaces_to_modules_to_infrastructure() {
    let above = [
        (
            "infrastructure",
            &["crate::modules", "crate::interfaces", "crate::startup"][..],
        ),
        ("modules", &["crate::interfaces", "crate::startup"]),
        ("interfaces", &["crate::startup"]),
    ];
    for (path, text) in files() {
        let Some((_, forbidden)) = above.iter().find(|(name, _)| layer(&path) == Some(name)) else {
            continue;
        };
        for line in code(&text) {
            let upward = forbidden.iter().find(|name| line.contains(**name));
            assert!(upward.is_none(), "{path} reaches upward: {line}");
        }
    }
}

#[test]
fn a_module_knows_only_what_another_makes_public_in_its_mod_rs() {
    for (path, text) in files() {
        let Some(own) = path
            .strip_prefix("src/modules/")
            .and_then(|path| path.split_once('/'))
        else {
            continue;
        };
        for line in code(&text) {
            let Some((_, used)) = line.split_once("crate::modules::") else {
                continue;
            };
            let mut parts = used.split("::");
            let module = parts.next().unwrap_or_default().trim_end_matches(';');
            let inside = parts.next().unwrap_or_default();
            let reaches_in =
                ["cache", "crud", "models", "routes", "schemas", "service"].contains(&inside);
            assert!(
                module == own.0 || !reaches_in,
                "{path} reaches into {module}: {line}"
            );
        }
    }
}

#[test]
fn infrastructure_and_above_all_the_cache_name_no_feature() {
    for (path, text) in files() {
        let is_cache = path.starts_with("src/infrastructure/cache/");
        for line in code(&text) {
            assert!(
                !is_cache || !line.to_lowercase().contains("widget"),
                "{path} names a feature: {line}"
            );
            assert!(
                !is_cache || !line.contains("sqlx"),
                "{path} knows the database: {line}"
            );
        }
    }
}

#[test]
fn only_the_settings_read_the_environment() {
    for (path, text) in files() {
        if layer(&path).is_none() && path != "src/main.rs"
            || path.starts_with("src/infrastructure/settings/")
        {
            continue;
        }
        for line in code(&text) {
            let reads = ["env::var", "env::vars", "\".env\""]
                .iter()
                .any(|name| line.contains(name));
            assert!(!reads, "{path} reads the environment: {line}");
        }
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

#[test]
fn every_file_opens_with_what_it_is_for() {
    for (path, text) in files() {
        assert!(text.starts_with("//! "), "{path} does not");
    }
}

#[test]
fn every_module_is_listed_and_has_its_policies_in_one_place() {
    let files = files();
    let list = &files
        .iter()
        .find(|(path, _)| path == "src/modules/mod.rs")
        .expect("the list")
        .1;
    let modules: Vec<_> = files
        .iter()
        .filter_map(|(path, _)| path.strip_prefix("src/modules/")?.strip_suffix("/mod.rs"))
        .collect();
    assert!(modules.len() >= 3, "{modules:?}");
    for module in modules {
        assert!(
            list.contains(&format!("{module}::configure(api)")),
            "{module} is not listed"
        );
    }
    for (path, text) in &files {
        if path.starts_with("src/")
            && !path.starts_with("src/infrastructure/cache/")
            && !path.ends_with("/cache.rs")
        {
            let states_policy = code(text).any(|line| line.contains("CachePolicy::new"));
            assert!(
                !states_policy,
                "{path} states a policy; that belongs in the module's cache.rs"
            );
        }
    }
}

#[test]
fn every_clause_of_the_cache_has_a_test_that_carries_its_number() {
    let names: Vec<String> = files()
        .iter()
        .flat_map(|(_, text)| {
            text.lines()
                .map(str::trim)
                .map(str::to_owned)
                .collect::<Vec<_>>()
        })
        .filter(|line| line.starts_with("fn ") || line.starts_with("async fn "))
        .collect();
    for number in 1..=CLAUSES {
        let carried = names
            .iter()
            .any(|name| name.contains(&format!("c{number:02}_")));
        assert!(carried, "no test carries c{number:02}");
    }
}

/// How many clauses the cache's contract has, as the README lists them.
const CLAUSES: u32 = 43;
