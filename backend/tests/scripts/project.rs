//! A copy of what the scripts need of the project, in a directory with a space in its name.
//!
//! Come here when a script needs another file of the project.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::unique;

/// The copy, removed with this value.
#[derive(Debug)]
pub struct Project {
    pub root: PathBuf,
}

impl Project {
    /// An empty directory.
    pub fn empty() -> Self {
        let root = std::env::temp_dir().join(unique("a project"));
        fs::create_dir(&root).expect("a directory");
        Self { root }
    }

    /// What the scripts need.
    pub fn copy() -> Self {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let project = Self::empty();
        for name in [
            "scripts",
            "migrations",
            ".env.example",
            "backend/Cargo.toml",
        ] {
            let target = project.root.join(name);
            fs::create_dir_all(target.parent().expect("a directory")).expect("the directory");
            let copied = Command::new("cp")
                .arg("-R")
                .arg(source.join(name))
                .arg(&target)
                .status();
            assert!(copied.expect("cp").success(), "{name} was not copied");
        }
        project
    }

    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.root.join(name);
        fs::create_dir_all(path.parent().expect("a directory")).expect("the directory");
        fs::write(path, content).expect("the file");
    }

    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.root.join(name)).expect("the file")
    }

    /// A shell that has sourced `scripts/lib/common.sh`, with the PATH of this process and no other variable.
    pub fn shell(&self, environment: &[(&str, &str)], script: &str) -> Outcome {
        let script = format!(
            "set -euo pipefail\n. scripts/lib/common.sh\n. scripts/lib/servers.sh\n{script}"
        );
        self.run(environment, &["-c", &script])
    }

    /// `bash` with these arguments, in the root of the project.
    pub fn run(&self, environment: &[(&str, &str)], arguments: &[&str]) -> Outcome {
        let output = Command::new("bash")
            .args(arguments)
            .current_dir(&self.root)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").expect("a PATH"))
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .output()
            .expect("bash");
        Outcome {
            code: output.status.code(),
            output: String::from_utf8_lossy(&output.stdout).into_owned(),
            error: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

impl Drop for Project {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.root);
    }
}

/// The end of a script, and its output.
#[derive(Debug)]
pub struct Outcome {
    pub code: Option<i32>,
    pub output: String,
    pub error: String,
}

impl Outcome {
    /// Its standard output; fails unless it succeeded.
    #[track_caller]
    pub fn succeeds(self) -> String {
        assert_eq!(self.code, Some(0), "{self:#?}");
        self.output
    }

    /// Its standard error; fails if it succeeded.
    #[track_caller]
    pub fn fails(self) -> String {
        assert_ne!(self.code, Some(0), "{self:#?}");
        self.error
    }
}

/// Waits until the function returns a value; panics with `what` after a minute.
pub fn wait_for<T>(what: &str, mut attempt: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_mins(1);
    loop {
        if let Some(found) = attempt() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
