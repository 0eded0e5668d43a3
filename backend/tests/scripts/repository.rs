//! Repositories of git for the scripts of a clone: the template, and clones of it.
//!
//! Come here for a test of a script that changes files of a clone.

use std::path::Path;
use std::process::Command;

use crate::project::{Outcome, Project};

/// Whether this is the template. In a clone that has its own name, `./scripts/new` was run, and these tests have no template.
pub fn is_template() -> bool {
    env!("CARGO_PKG_NAME") == concat!("back", "end")
}

/// A repository of git in a directory of its own.
pub struct Repository(pub Project);

impl Repository {
    /// A repository with all files of the project in one commit.
    pub fn template() -> Self {
        let repository = Self(Project::empty());
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let copy = "git -C \"$1\" ls-files -z --cached --others --exclude-standard |
            tar -C \"$1\" --null --files-from - -cf - | tar -xf - -C \"$2\"";
        let copied = Command::new("bash")
            .args(["-c", copy, "copy"])
            .arg(&source)
            .arg(&repository.0.root)
            .status();
        assert!(copied.expect("bash").success());
        repository.git(&["init", "-q", "-b", "main"]);
        repository.commit("The first version");
        repository
    }

    pub fn clone(&self) -> Self {
        let clone = Self(Project::empty());
        let from = self.0.root.to_str().unwrap();
        clone.git(&["clone", "-q", from, "."]);
        clone
    }

    /// A clone with another name, in a commit.
    pub fn named(&self, name: &str) -> Self {
        let clone = self.clone();
        clone.script("new", &[name]).succeeds();
        clone.commit("The name");
        clone
    }

    /// The output of git.
    #[track_caller]
    pub fn git(&self, arguments: &[&str]) -> String {
        let output = Command::new("git")
            .args(["-c", "user.name=Ada", "-c", "user.email=ada@example.com"])
            .args(arguments)
            .current_dir(&self.0.root)
            .output()
            .expect("git");
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    pub fn commit(&self, subject: &str) -> String {
        self.git(&["add", "--all"]);
        self.git(&["commit", "-q", "-m", subject]);
        self.git(&["rev-parse", "HEAD"]).trim().to_owned()
    }

    pub fn script(&self, name: &str, arguments: &[&str]) -> Outcome {
        let script = format!("scripts/{name}");
        self.0.run(&[], &[&[script.as_str()], arguments].concat())
    }

    /// Puts a text in the place of another one, which the file has.
    #[track_caller]
    pub fn replace(&self, path: &str, old: &str, new: &str) {
        let text = self.0.read(path);
        assert!(text.contains(old), "{path} has no {old}");
        self.0.write(path, text.replacen(old, new, 1));
    }

    /// Asserts that a use of a script is refused in one line with this text, and that nothing is written.
    #[track_caller]
    pub fn refuses(&self, script: &str, arguments: &[&str], reason: &str) {
        let before = self.git(&["status", "--porcelain"]);
        let said = self.script(script, arguments).fails();
        assert_eq!(said.lines().count(), 1, "{said}");
        assert!(
            said.starts_with("error: ") && said.contains(reason),
            "{said}"
        );
        assert_eq!(self.git(&["status", "--porcelain"]), before);
    }

    /// Asserts that an update is refused after it said what it does, and that nothing is written.
    #[track_caller]
    pub fn refuses_after_progress(&self, arguments: &[&str], reason: &str) {
        let said = self.script("update", arguments).fails();
        let last = said.lines().last().unwrap();
        assert!(
            last.starts_with("error: ") && last.contains(reason),
            "{said}"
        );
        assert_eq!(self.git(&["status", "--porcelain"]), "");
    }
}
