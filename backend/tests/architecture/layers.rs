//! The layers of the service, and the allowed content of files.
//!
//! Come here for a rule about modules or about the service as a whole. The rules of the cache are in `wing`. Each rule is a
//! function that lists what breaks it; below it are a test on the sources, and a test on an example that breaks it.

use crate::sources::{Source, code, files, layer, source};

/// The lines that use a layer above their own. That the infrastructure uses none needs no rule: it is a crate of its own.
fn upward_uses(files: &[Source]) -> Vec<String> {
    let above = [
        ("modules", &["crate::interfaces", "crate::startup"][..]),
        ("interfaces", &["crate::startup"]),
    ];
    lines_with(files, |path, line| {
        let of_layer = above.iter().find(|(name, _)| layer(path) == Some(name));
        of_layer.is_some_and(|(_, forbidden)| forbidden.iter().any(|name| line.contains(name)))
    })
}

#[test]
fn dependencies_go_from_startup_to_interfaces_to_modules() {
    assert_eq!(upward_uses(&files()), Vec::<String>::new());
}

#[test]
fn a_use_of_a_layer_above_is_found() {
    let files = [
        source("src/modules/a/mod.rs", "use crate::interfaces::routes;"),
        source("src/interfaces/a.rs", "use crate::startup::serve;"),
        source("src/startup/a.rs", "use crate::infrastructure::cache;"),
    ];
    assert_eq!(upward_uses(&files).len(), 2);
}

/// The lines of a module that use a file of another module.
fn uses_of_other_modules_files(files: &[Source]) -> Vec<String> {
    let inner = ["cache", "crud", "models", "routes", "schemas", "service"];
    lines_with(files, |path, line| {
        let Some((own, _)) = path
            .strip_prefix("src/modules/")
            .and_then(|path| path.split_once('/'))
        else {
            return false;
        };
        let Some((_, used)) = line.split_once("crate::modules::") else {
            return false;
        };
        let mut parts = used.split("::");
        let module = parts.next().unwrap_or_default().trim_end_matches(';');
        module != own && inner.contains(&parts.next().unwrap_or_default())
    })
}

#[test]
fn a_module_uses_only_the_public_items_of_another_mod_rs() {
    assert_eq!(uses_of_other_modules_files(&files()), Vec::<String>::new());
}

#[test]
fn a_use_of_another_modules_file_is_found() {
    let files = [
        source("src/modules/a/mod.rs", "use crate::modules::a::crud::find;"),
        source("src/modules/a/crud.rs", "use crate::modules::b::User;"),
        source(
            "src/modules/a/cache.rs",
            "use crate::modules::b::crud::find;",
        ),
    ];
    assert_eq!(
        uses_of_other_modules_files(&files),
        ["src/modules/a/cache.rs: use crate::modules::b::crud::find;"]
    );
}

/// The lines that make a connection to the database themselves.
fn own_connections(files: &[Source]) -> Vec<String> {
    lines_with(files, |path, line| {
        layer(path).is_some()
            && !path.starts_with("src/infrastructure/database/")
            && ["PgPool", "PgConnection", "PgTransaction"]
                .iter()
                .any(|name| line.contains(name))
    })
}

/// A connection from elsewhere has no deadlines: take a `Database` or a `Transaction`.
#[test]
fn only_the_database_wing_makes_connections_to_the_database() {
    assert_eq!(own_connections(&files()), Vec::<String>::new());
}

#[test]
fn a_connection_outside_the_database_wing_is_found() {
    let line = "let pool = PgPool::connect(url);";
    let files = [
        source("src/modules/a/crud.rs", line),
        source("src/infrastructure/database/pool.rs", line),
        source("tests/api/a.rs", line),
    ];
    assert_eq!(own_connections(&files).len(), 1);
}

/// The lines outside the settings that read the environment.
fn reads_of_the_environment(files: &[Source]) -> Vec<String> {
    lines_with(files, |path, line| {
        (layer(path).is_some() || path == "src/main.rs")
            && !path.starts_with("src/infrastructure/settings/")
            && ["env::var", "env::vars", "\".env\""]
                .iter()
                .any(|name| line.contains(name))
    })
}

#[test]
fn only_the_settings_read_the_environment() {
    assert_eq!(reads_of_the_environment(&files()), Vec::<String>::new());
}

#[test]
fn a_read_of_the_environment_is_found() {
    let line = "let port = std::env::var(\"PORT\");";
    let files = [
        source("src/main.rs", line),
        source("src/modules/a/service.rs", line),
        source("src/infrastructure/settings/mod.rs", line),
    ];
    assert_eq!(reads_of_the_environment(&files).len(), 2);
}

/// The modules, and those that the list in `modules/mod.rs` does not have.
fn modules_and_unlisted(files: &[Source]) -> (Vec<&str>, Vec<&str>) {
    let list = files.iter().find(|(path, _)| path == "src/modules/mod.rs");
    let list = &list.expect("the list").1;
    let modules: Vec<_> = files
        .iter()
        .filter_map(|(path, _)| path.strip_prefix("src/modules/")?.strip_suffix("/mod.rs"))
        .collect();
    let is_unlisted = |module: &&&str| !list.contains(&format!("\n    {module},\n"));
    let unlisted = modules.iter().filter(is_unlisted).copied().collect();
    (modules, unlisted)
}

#[test]
fn every_module_is_listed() {
    let files = files();
    let (modules, unlisted) = modules_and_unlisted(&files);
    assert!(modules.len() >= 2, "{modules:?}");
    assert_eq!(unlisted, Vec::<&str>::new());
}

#[test]
fn a_module_that_is_not_listed_is_found() {
    let files = [
        source("src/modules/mod.rs", "modules! {\n    a,\n}"),
        source("src/modules/a/mod.rs", ""),
        source("src/modules/b/mod.rs", ""),
    ];
    assert_eq!(modules_and_unlisted(&files).1, ["b"]);
}

/// The lines outside a module's `cache.rs` that state a policy.
fn policies_elsewhere(files: &[Source]) -> Vec<String> {
    lines_with(files, |path, line| {
        path.starts_with("src/")
            && !path.starts_with("src/infrastructure/cache/")
            && !path.ends_with("/cache.rs")
            && line.contains("CachePolicy::new")
    })
}

#[test]
fn a_module_states_its_policies_in_its_cache_rs() {
    assert_eq!(policies_elsewhere(&files()), Vec::<String>::new());
}

#[test]
fn a_policy_outside_cache_rs_is_found() {
    let line = "const ITEM: CachePolicy = CachePolicy::new(\"item\");";
    let files = [
        source("src/modules/a/cache.rs", line),
        source("src/modules/a/mod.rs", line),
    ];
    assert_eq!(policies_elsewhere(&files).len(), 1);
}

/// The lines of code that break a rule, each with the path of its file.
fn lines_with(files: &[Source], breaks: impl Fn(&str, &str) -> bool) -> Vec<String> {
    let mut found = Vec::new();
    for (path, text) in files {
        let broken = code(text).filter(|line| breaks(path, line));
        found.extend(broken.map(|line| format!("{path}: {line}")));
    }
    found
}
