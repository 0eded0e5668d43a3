//! The layers of the service, and the allowed content of files.
//!
//! Come here for a rule about modules or about the service as a whole; the rules of the cache are in
//! `wing`.

use crate::sources::{code, files, layer};

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
fn a_module_uses_only_the_public_items_of_another_mod_rs() {
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
fn only_the_database_wing_makes_connections_to_the_database() {
    for (path, text) in files() {
        if layer(&path).is_none() || path.starts_with("src/infrastructure/database/") {
            continue;
        }
        for line in code(&text) {
            let makes = ["PgPool", "PgConnection", "PgTransaction"]
                .iter()
                .any(|name| line.contains(name));
            assert!(
                !makes,
                "{path} has a connection without deadlines, take a `Database` or a `Transaction`: {line}"
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
            list.contains(&format!("\n    {module},\n")),
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
