//! `./scripts/new --without-widgets`: that nothing names the example any more, also after an update. Nothing is built here;
//! `./scripts/test clone` builds such a clone.
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
    let folder = clone.0.root.join("backend/src/modules/widgets");
    assert!(!folder.exists(), "an empty folder is taken for a module");
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
        // Where the migrations are, those of the resource are too.
        ("backend/src/infrastructure/Cargo.toml", "\nwashers = []\n"),
        (
            "backend/src/infrastructure/build.rs",
            "tests/washers/migrations",
        ),
        ("backend/tests/washers/mod.rs", "pub fn configure"),
        ("backend/tests/api/washers.rs", "/washers"),
        ("scripts/dev", "/api/v1/users/admin"),
        // The worked example, whose commands `./scripts/test api` runs in the clone.
        (
            "README.md",
            "$ curl -i http://127.0.0.1:8000/api/v1/users/admin\n",
        ),
        (
            "README.md",
            "{\"id\":1,\"username\":\"admin\",\"name\":\"Ada Lovelace\",…}",
        ),
        ("README.md", "resource(\"/users/{username}\")"),
        ("README.md", "./scripts/module add notes "),
    ] {
        assert!(clone.0.read(path).contains(text), "{path} has no {text}");
    }
    // The picture of the console shows the example.
    for path in ["README.md", "docs/console.md"] {
        assert!(!clone.0.read(path).contains("console.png"), "{path}");
    }
    assert!(!paths.contains("console.png"), "{paths}");
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

/// A project as people have it: another name, no example, two modules of its own, and another README.
fn grown_project(template: &Repository) -> Repository {
    let clone = template.clone();
    clone
        .script("new", &["my-app2", "--without-widgets"])
        .succeeds();
    clone.commit("The name");
    for page in ["modules", "caching"] {
        let written = Command::new("awk")
            .args(["-f", "scripts/lib/example_module.awk"])
            .arg(format!("docs/{page}.md"))
            .current_dir(&clone.0.root)
            .status();
        assert!(written.expect("awk").success(), "{page}");
    }
    clone.replace("README.md", "# my-app2\n", "# Goods\n\nWe sell goods.\n");
    clone.replace("README.md", "## Two commands\n", "## How to begin\n");
    clone.commit("Notes and invoices");
    clone
}

/// The files with a conflict, as the script reports them.
fn conflicts(said: &str) -> Vec<String> {
    let (_, files) = said
        .split_once("Both sides changed the same lines in:\n")
        .unwrap_or_default();
    let files = files.lines().take_while(|line| !line.is_empty());
    files.map(|line| line.trim().to_owned()).collect()
}

#[test]
fn an_update_of_a_project_without_the_example_takes_changes_of_the_example_to_the_resource_of_the_tests()
 {
    if !is_template() {
        return;
    }
    let template = Repository::template();
    let project = grown_project(&template);
    let example = "backend/src/modules/widgets";
    template.replace(
        &format!("{example}/mod.rs"),
        "//! Widgets: ",
        "//! Widgets and no others: ",
    );
    template.0.write(
        &format!("{example}/colours.rs"),
        "//! Colours of widgets.\n",
    );
    template.0.write(
        "migrations/0099_widgets_colour.up.sql",
        "ALTER TABLE widgets ADD COLUMN colour text;\n",
    );
    // A module of the template's own, in the list that has the modules of the project too.
    template.replace(
        "backend/src/modules/mod.rs",
        "    widgets,\n",
        "    gadgets,\n    widgets,\n",
    );
    template
        .0
        .write("backend/src/modules/gadgets/mod.rs", "//! Gadgets.\n");
    template.replace("README.md", "## Make it your own", "## Make it yours");
    template.replace("scripts/lib/seed.sql", "Cog", "Pinion");
    template.commit("The second version");

    let said = project.script("update", &[]).succeeds();
    assert_eq!(conflicts(&said), Vec::<String>::new(), "{said}");
    project.commit("The template's second version");
    assert_eq!(files_with(&project, "widget"), ["CHANGELOG.md"]);
    let resource = "backend/tests/washers";
    for (path, text) in [
        (
            &*format!("{resource}/mod.rs"),
            "//! Washers and no others: ",
        ),
        (
            &*format!("{resource}/colours.rs"),
            "//! Colours of washers.",
        ),
        (
            &*format!("{resource}/migrations/0099_washers_colour.up.sql"),
            "TABLE washers",
        ),
        ("backend/src/modules/gadgets/mod.rs", "//! Gadgets."),
        ("backend/src/modules/notes/mod.rs", "/notes/{note_id}"),
        (
            "backend/src/modules/invoices/mod.rs",
            "/invoices/{invoice_id}",
        ),
        ("README.md", "# Goods\n"),
        ("README.md", "## How to begin\n"),
        ("README.md", "## Make it yours\n"),
    ] {
        assert!(project.0.read(path).contains(text), "{path} has no {text}");
    }
    let list = project.0.read("backend/src/modules/mod.rs");
    for module in ["gadgets", "users", "notes", "invoices"] {
        assert!(list.contains(&format!("\n    {module},\n")), "{list}");
    }
    for gone in [example, "scripts/lib/seed.sql"] {
        assert!(!project.0.root.join(gone).exists(), "{gone}");
    }

    // Now both sides change the same lines of one page.
    template.replace("README.md", "## Two commands\n", "## Two scripts\n");
    template.replace("docs/modules.md", "# Modules\n", "# Modules of a service\n");
    template.commit("The third version");
    let outcome = project.script("update", &[]);
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    assert_eq!(conflicts(&outcome.output), ["README.md"]);
    let page = project.0.read("docs/modules.md");
    assert!(page.starts_with("# Modules of a service\n"), "{page}");
}
