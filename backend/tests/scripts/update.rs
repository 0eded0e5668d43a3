//! `./scripts/update`, with two versions of a template and a clone that has another name and changes of its own.
//!
//! Come here when an update has to keep something else of a clone.

use std::fs;

use crate::project::Project;
use crate::repository::{Repository, is_template};
use crate::support::unique;

/// The template, and a clone of it with this name. `None` in a clone of the template.
fn template_and_clone(name: &str) -> Option<(Repository, Repository)> {
    is_template().then(|| {
        let template = Repository::template();
        let clone = template.named(name);
        (template, clone)
    })
}

#[test]
fn an_update_merges_what_the_template_changed_into_a_clone_of_another_name() {
    let Some((template, clone)) = template_and_clone("my-app") else {
        return;
    };
    // The clone has a module of its own, and another README.
    clone
        .0
        .write("backend/src/modules/notes/mod.rs", "//! Notes.\n");
    clone.replace(
        "backend/src/modules/mod.rs",
        "    auth,\n",
        "    auth,\n    notes,\n",
    );
    clone.replace(
        "README.md",
        "# my-app\n",
        "# My application\n\nIt sells things.\n",
    );
    clone.commit("Notes");
    // The template has a new file, a new command in a page, a changed line in a manifest, and one file less.
    template.0.write(
        "docs/new.md",
        format!("`{} migrate` migrates.\n", env!("CARGO_PKG_NAME")),
    );
    template.replace(
        "docs/outages.md",
        "# Outages of the cache\n",
        "# Outages of the cache, and what to do\n",
    );
    template.replace(
        "CHANGELOG.md",
        "### Added\n\n",
        "### Added\n\n- Something new.\n",
    );
    template.replace(
        "Cargo.toml",
        "license = \"MIT\"",
        "license = \"Apache-2.0\"",
    );
    fs::remove_file(template.0.root.join("SECURITY.md")).unwrap();
    let newest = template.commit("The second version");

    let said = clone.script("update", &[]).succeeds();
    assert!(said.contains("- Something new."), "{said}");
    assert!(!said.contains("Both sides"), "{said}");
    assert!(said.contains("docs/outages.md"), "{said}");
    assert_eq!(clone.0.read("docs/new.md"), "`my-app migrate` migrates.\n");
    assert!(
        clone
            .0
            .read("docs/outages.md")
            .starts_with("# Outages of the cache, and what to do\n")
    );
    assert!(clone.0.read("Cargo.toml").contains("Apache-2.0"));
    assert!(
        clone
            .0
            .read("backend/src/modules/mod.rs")
            .contains("    notes,\n")
    );
    assert!(clone.0.read("README.md").starts_with("# My application\n"));
    assert!(!clone.0.root.join("SECURITY.md").exists());
    assert!(
        clone
            .0
            .read(".template")
            .contains(&format!("commit={newest}\n"))
    );
    let old = format!("name = \"{}\"", concat!("back", "end"));
    assert_eq!(
        clone.0.read("backend/Cargo.toml").matches(&old).count(),
        1,
        "the library"
    );

    clone.refuses("update", &[], "not committed");
    clone.commit("The template's second version");
    let again = clone.script("update", &[]);
    assert!(
        again.error.contains("the newest template already"),
        "{again:?}"
    );
    again.succeeds();
}

#[test]
fn an_update_conflicts_only_where_both_sides_changed_the_same_lines_and_can_be_taken_back() {
    let Some((template, clone)) = template_and_clone("shop") else {
        return;
    };
    clone.replace(
        "docs/outages.md",
        "# Outages of the cache\n",
        "# Outages of the shop\n",
    );
    clone.replace("rustfmt.toml", "", "# Ours.\n");
    clone.0.write("migrations/0100_goods.up.sql", "SELECT 1;\n");
    let before = clone.commit("Ours");
    template.replace(
        "docs/outages.md",
        "# Outages of the cache\n",
        "# Outages and restarts\n",
    );
    template.replace("clippy.toml", "", "# Theirs.\n");
    template
        .0
        .write("migrations/0100_other.up.sql", "SELECT 2;\n");
    template.commit("Theirs");

    let outcome = clone.script("update", &[]);
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    let said = outcome.output;
    let (_, conflicts) = said
        .split_once("Both sides changed the same lines in:\n")
        .unwrap();
    let conflicts: Vec<_> = conflicts
        .lines()
        .take_while(|line| !line.is_empty())
        .collect();
    assert_eq!(conflicts, ["  docs/outages.md"], "{said}");
    assert!(
        said.contains("Migrations with the same number: 100."),
        "{said}"
    );
    assert!(clone.0.read("docs/outages.md").contains("<<<<<<<"));
    assert!(clone.0.read("clippy.toml").starts_with("# Theirs.\n"));
    assert!(clone.0.read("rustfmt.toml").starts_with("# Ours.\n"));

    clone.git(&["reset", "-q", "--hard"]);
    assert_eq!(clone.git(&["status", "--porcelain"]), "");
    assert_eq!(clone.git(&["rev-parse", "HEAD"]).trim(), before);
    assert!(!clone.0.root.join("migrations/0100_other.up.sql").exists());
}

#[test]
fn an_update_from_elsewhere_says_what_is_wrong_and_changes_nothing() {
    let Some((_template, clone)) = template_and_clone("shop") else {
        return;
    };
    let missing = std::env::temp_dir().join(unique("none"));
    clone.refuses_after_progress(&["--from", missing.to_str().unwrap()], "cannot be fetched");
    clone.refuses_after_progress(&["--to", "v9"], "no commit, tag or branch `v9`");
    let other = Repository(Project::empty());
    other.git(&["init", "-q"]);
    other.0.write("file", "another project\n");
    other.commit("Another project");
    clone.refuses_after_progress(
        &["--from", other.0.root.to_str().unwrap()],
        "is it another one?",
    );
}
