//! `./scripts/new --without-widgets`: that nothing names the example any more. Nothing is built here.
//!
//! Come here when the example stands in a new place. A clone without it does not have this file.

use std::process::Command;

use crate::repository::{Repository, is_template};

/// The files that have the text, in any case.
fn files_with(clone: &Repository, text: &str) -> Vec<String> {
    let output = Command::new("git")
        .args(["grep", "-il", text])
        .current_dir(&clone.0.root)
        .output()
        .expect("git");
    let files = String::from_utf8_lossy(&output.stdout);
    files.lines().map(str::to_owned).collect()
}

#[test]
fn a_clone_without_the_example_does_not_name_it() {
    if !is_template() {
        return;
    }
    let clone = Repository::template().clone();
    let said = clone.script("new", &["my-app2", "--without-widgets"]);
    said.succeeds();
    clone.commit("The name");
    // The history of the template names it.
    assert_eq!(files_with(&clone, "widget"), ["CHANGELOG.md"]);
    let paths = clone.git(&["ls-files"]);
    assert!(!paths.contains("widget"), "{paths}");
    // The program, its tables and its API have nothing of the resource that the tests keep.
    for path in files_with(&clone, "washer") {
        let is_product = path.starts_with("migrations/") || path == "scripts/lib/seed.sql";
        assert!(!is_product, "{path}");
    }
    let program = clone.0.read("backend/src/modules/users/service.rs");
    assert!(!program.contains("washer"), "{program}");
    for route in ["/api/v1/washers", "/users/{username}/washers\": {"] {
        assert!(
            !clone.0.read("docs/openapi.json").contains(route),
            "{route}"
        );
    }
    for (path, text) in [
        (".template", "arguments=my-app2 --without-example\n"),
        (
            "backend/Cargo.toml",
            "my-app2 = { path = \".\", features = [\"washers\"] }",
        ),
        ("backend/tests/washers/mod.rs", "pub fn configure"),
        ("backend/tests/api/washers.rs", "/washers"),
        ("scripts/dev", "/api/v1/users/admin"),
    ] {
        assert!(clone.0.read(path).contains(text), "{path} has no {text}");
    }
    let locked = Command::new("cargo")
        .args([
            "metadata",
            "--locked",
            "--offline",
            "--no-deps",
            "--format-version=1",
        ])
        .current_dir(&clone.0.root)
        .output();
    assert!(
        locked.expect("cargo").status.success(),
        "Cargo.lock is not up to date"
    );
}
