//! `./scripts/new`: what it refuses, and that no place keeps the template's name. Nothing is built here.
//!
//! Come here when the name stands in a new place.

use std::process::Command;

use crate::repository::{Repository, is_template};

#[test]
fn new_refuses_a_bad_use_in_one_line_and_writes_nothing() {
    if !is_template() {
        return;
    }
    let clone = Repository::template().clone();
    for (name, reason) in [
        ("My-App", "lower-case"),
        ("my_app", "hyphens"),
        ("2fast", "begins with a letter"),
        ("my--app", "single hyphens"),
        ("my-", "single hyphens"),
        ("a/../b", "lower-case"),
        ("$(id)", "lower-case"),
        ("fn", "reserved word"),
        ("test", "reserved word"),
        ("user", "reserved word"),
        ("proc-macro", "reserved word"),
        ("tokio", "a package that this project uses"),
        ("pg-app", "pg-"),
        ("a-name-that-is-far-too-long-for-all-of-these", "at most 40"),
    ] {
        clone.refuses("new", &[name], reason);
    }
    clone.refuses("new", &[], "the name is missing");
    clone.refuses("new", &["one", "two"], "there are two");
    clone.refuses("new", &["my-app", "--nonsense"], "--nonsense");
    clone.0.write("mine", "not committed");
    clone.refuses("new", &["my-app"], "not committed");
    clone.refuses("update", &[], "there is no .template");
}

#[test]
fn new_puts_the_name_in_the_place_of_the_templates_and_once_only() {
    if !is_template() {
        return;
    }
    let clone = Repository::template().named("my-app2");
    let metadata = Command::new("cargo")
        .args([
            "metadata",
            "--locked",
            "--offline",
            "--no-deps",
            "--format-version=1",
        ])
        .current_dir(&clone.0.root)
        .output()
        .expect("cargo");
    assert!(metadata.status.success(), "{metadata:?}");
    let metadata: serde_json::Value = serde_json::from_slice(&metadata.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let package = packages
        .iter()
        .find(|package| package["name"] == "my-app2")
        .unwrap();
    let targets: Vec<_> = package["targets"].as_array().unwrap().iter().collect();
    let of_kind = |kind| {
        targets
            .iter()
            .find(|target| target["kind"][0] == kind)
            .unwrap()
    };
    assert_eq!(of_kind("bin")["name"], "my-app2");
    assert_eq!(of_kind("lib")["name"], concat!("back", "end"));

    for (path, text) in [
        ("README.md", "# my-app2\n"),
        (".env.example", "localhost:5432/my_app2\n"),
        ("docker-compose.yml", "CACHE_NAMESPACE: my-app2\n"),
        ("docker-compose.yml", ":-my-app2:local}"),
        ("docker-compose.yml", "postgres://my_app2_owner:"),
        ("docs/production.md", "`my-app2 migrate`"),
        ("docs/settings.md", "`my-app2-development`"),
        ("deploy/kubernetes/backend.yaml", "example.com/my-app2:"),
        ("deploy/grafana/backend.json", "\"title\": \"my-app2\""),
        ("backend/Dockerfile", "ENTRYPOINT [\"my-app2\"]"),
    ] {
        assert!(clone.0.read(path).contains(text), "{path} has no {text}");
    }
    // Commands, databases, namespaces and images of the old name. CHANGELOG.md is the template's; the rules name it.
    let old = concat!("back", "end");
    let places = format!(
        "`{old} [a-z]+|debug/{old}|5432/{old}|{old}_owner|{old}-(development|production)|{old}:local|job=.?\"{old}\"|name: {old}$"
    );
    let left = Command::new("git")
        .args([
            "grep",
            "-nE",
            &places,
            "--",
            ".",
            ":!CHANGELOG.md",
            ":!scripts/lib/rename.pl",
        ])
        .current_dir(&clone.0.root)
        .output()
        .expect("git");
    assert_eq!(String::from_utf8_lossy(&left.stdout), "");
    clone.refuses("new", &["other"], "./scripts/new was run: this is my-app2");
}

#[test]
fn a_fresh_history_keeps_the_old_one_on_a_branch() {
    if !is_template() {
        return;
    }
    let clone = Repository::template().clone();
    let old = clone.git(&["rev-parse", "HEAD"]);
    clone.script("new", &["shop", "--fresh-history"]).succeeds();
    clone.commit("Begin");
    assert_eq!(clone.git(&["rev-list", "--count", "main"]), "1\n");
    assert_eq!(clone.git(&["rev-parse", "template-history"]), old);
}
