//! The command in a copy of the project: what it writes, refuses and removes.
//!
//! Come here when a message or a refusal changes. Whether what is written builds and works is tested by
//! `./scripts/test generator`, with all of the project.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The parts of the project that the command reads or writes.
const PARTS: [&str; 5] = [
    "migrations",
    "scripts/test",
    "backend/src/modules",
    "backend/tests/support",
    ".sqlx",
];

/// A copy of the project, removed with this value.
struct Copy {
    root: PathBuf,
}

impl Copy {
    fn new(name: &str) -> Self {
        let project = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = fs::remove_dir_all(&root);
        for part in PARTS {
            copy(&project.join(part), &root.join(part));
        }
        Self { root }
    }

    /// Runs the command: what it says, as an error if it fails.
    fn run(&self, line: &str) -> Result<String, String> {
        let output = Command::new(env!("CARGO_BIN_EXE_generator"))
            .arg("--root")
            .arg(&self.root)
            .args(line.split(' '))
            .output()
            .expect("the command");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
        if output.status.success() {
            Ok(text(output.stdout))
        } else {
            Err(text(output.stderr))
        }
    }

    /// Every file with its text.
    fn files(&self) -> BTreeMap<PathBuf, String> {
        let mut files = BTreeMap::new();
        collect(&self.root, &mut files);
        files
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.root);
    }
}

fn copy(from: &Path, to: &Path) {
    if from.is_dir() {
        fs::create_dir_all(to).unwrap();
        for entry in fs::read_dir(from).unwrap() {
            let entry = entry.unwrap();
            copy(&entry.path(), &to.join(entry.file_name()));
        }
    } else {
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(from, to).unwrap();
    }
}

fn collect(folder: &Path, files: &mut BTreeMap<PathBuf, String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else {
            files.insert(path.clone(), fs::read_to_string(&path).unwrap());
        }
    }
}

#[test]
fn a_module_is_added_and_removed_without_a_trace() {
    let copy = Copy::new("traceless");
    let before = copy.files();
    copy.run("add sample_tags name:text! --owned --shared")
        .unwrap();
    let added = copy.files();
    assert_eq!(added.len(), before.len() + 7);
    let path = copy.root.join("migrations/1001_sample_tags.up.sql");
    assert!(added[&path].starts_with(
        "-- Written by ./scripts/module add sample_tags name:text! --owned --shared\nCREATE TABLE sample_tags ("
    ));
    copy.run("remove sample_tags").unwrap();
    assert_eq!(copy.files(), before);
}

#[test]
fn a_module_that_is_refused_today_and_was_written_earlier_stops_no_command() {
    for written in ["items owner:text --owned", "security_events name:text"] {
        let copy = Copy::new("earlier");
        let before = copy.files();
        let name = written.split(' ').next().unwrap();
        let refused = copy.run(&format!("add {written}")).unwrap_err();
        assert!(refused.contains("choose another name"), "{refused}");
        // What an earlier version of the command left there.
        let migration = format!("migrations/1001_{name}.up.sql");
        let text = format!("-- Written by ./scripts/module add {written}\n");
        fs::write(copy.root.join(migration), text).unwrap();
        fs::create_dir(copy.root.join("backend/src/modules").join(name)).unwrap();
        copy.run("add sample_tags name:text").expect(written);
        copy.run("remove sample_tags").expect(written);
        copy.run(&format!("remove {name} --force")).expect(written);
        assert_eq!(copy.files(), before);
    }
}

#[test]
fn the_data_of_a_modules_queries_go_with_it_and_no_other() {
    let copy = Copy::new("queries");
    let before = copy.files();
    copy.run("add sample_tags name:text").unwrap();
    for (file, query) in [
        ("own", "DELETE FROM sample_tags WHERE id = $1 RETURNING id"),
        ("other", "DELETE FROM sample_tags"),
    ] {
        let data = format!(r#"{{"db_name": "PostgreSQL", "query": "{query}"}}"#);
        fs::write(copy.root.join(format!(".sqlx/query-{file}.json")), data).unwrap();
    }
    let routes = copy.root.join("backend/src/modules/users/crud.rs");
    let mut text = fs::read_to_string(&routes).unwrap();
    text.push_str("// DELETE FROM sample_tags\n");
    fs::write(&routes, text).unwrap();
    copy.run("remove sample_tags").unwrap();
    assert!(!copy.root.join(".sqlx/query-own.json").exists());
    assert!(copy.root.join(".sqlx/query-other.json").exists());
    assert_eq!(copy.files().len(), before.len() + 1);
}

#[test]
fn whatever_is_wrong_is_said_in_one_line_and_nothing_is_written() {
    let copy = Copy::new("refusals");
    copy.run("add sample_tags name:text").unwrap();
    let before = copy.files();
    for (line, sentence) in [
        ("add Tags name:text", "must be of a-z"),
        (
            "add match name:text --singular mat",
            "`match` is a word that Rust reserves",
        ),
        ("add users name:text", "there is a module `users` already"),
        (
            "add sample_tags name:text",
            "there is a module `sample_tags` already",
        ),
        (
            "add access_tokens name:text",
            "there is a table `access_tokens` already",
        ),
        ("add caches name:text --singular cache_", "must be of a-z"),
        (
            "add cache name:text --singular caches",
            "a name of the template",
        ),
        ("add docs name:text", "a name of the template"),
        ("add people name:text", "--singular person"),
        ("add sample_notes name:string", "there is no type `string`"),
        (
            "add sample_notes order:text",
            "a word that PostgreSQL reserves",
        ),
        ("add sample_notes name:text name:text", "stands twice"),
        (
            "add sample_notes name:text order:references:orders",
            "there is no table `orders`",
        ),
        (
            "add sample_notes name:text token:references:access_tokens",
            "was not written by ./scripts/module",
        ),
        (
            "add sample_notes name:text --shared --per-caller",
            "not both",
        ),
        (
            "add sample_notes owner:text --owned",
            "`owner:text`: the owner is the user who makes it, in the field `owner_id`",
        ),
        (
            "add sample_notes content:enum:draft,sent",
            "`SampleNoteContent` would be two types of the module",
        ),
        (
            "add pages title:text public:boolean",
            "`PageQuery` is the name of a type that modules use",
        ),
        (
            "add sample_notes owner:text note:text author:references:users",
            "add `--owned`",
        ),
        (
            "remove sample_notes",
            "`sample_notes` was not written by ./scripts/module; what was: ",
        ),
        ("remove users", "`users` was not written by"),
    ] {
        let error = copy.run(line).expect_err(line);
        assert!(
            error.starts_with("error: ") && error.contains(sentence),
            "{line}: {error}"
        );
        assert_eq!(error.lines().count(), 1, "{line}: {error}");
        assert_eq!(copy.files(), before, "{line}");
    }
}

#[test]
fn what_a_person_has_changed_is_removed_only_by_force() {
    let copy = Copy::new("changed");
    let before = copy.files();
    copy.run("add sample_tags name:text").unwrap();
    let folder = copy.root.join("backend/src/modules/sample_tags");
    let (routes, service) = (folder.join("routes.rs"), folder.join("service.rs"));
    fs::write(&service, "//! Rules.\n").unwrap();
    let error = copy.run("remove sample_tags").unwrap_err();
    assert!(
        error.contains("service.rs is not as it was written"),
        "{error}"
    );
    fs::remove_file(&service).unwrap();
    let mut text = fs::read_to_string(&routes).unwrap();
    text.push_str("// mine\n");
    fs::write(&routes, text).unwrap();
    let error = copy.run("remove sample_tags").unwrap_err();
    assert!(
        error.contains("routes.rs is not as it was written"),
        "{error}"
    );
    assert!(routes.exists());
    copy.run("remove sample_tags --force").unwrap();
    assert_eq!(copy.files(), before);
}

#[test]
fn a_module_that_another_one_refers_to_is_removed_after_it() {
    let copy = Copy::new("referred");
    let before = copy.files();
    copy.run("add sample_shelves name:text --singular sample_shelf")
        .unwrap();
    copy.run("add sample_books title:text shelf:references:sample_shelves")
        .unwrap();
    assert!(
        copy.root
            .join("migrations/1002_sample_books.up.sql")
            .exists()
    );
    let error = copy.run("remove sample_shelves --force").unwrap_err();
    assert!(
        error.contains("`sample_books` refers to `sample_shelves`: remove it first"),
        "{error}"
    );
    copy.run("remove sample_books").unwrap();
    copy.run("remove sample_shelves").unwrap();
    assert_eq!(copy.files(), before);
}
