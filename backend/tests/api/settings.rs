//! `backend settings`, and settings of the running binary.
//!
//! Come here after adding a setting. The rules of a single value are tested beside `infrastructure/settings`.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::process::Output;

use crate::support::service::command;
use crate::support::unique;

/// A working directory with a `.env`, removed with this value.
struct Directory(PathBuf);

impl Directory {
    fn with(file: &[u8]) -> Self {
        let path = std::env::temp_dir().join(unique("settings"));
        std::fs::create_dir(&path).unwrap();
        std::fs::write(path.join(".env"), file).unwrap();
        Self(path)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn settings(directory: &Path, environment: &[(&str, &str)], arguments: &[&str]) -> Output {
    command(environment)
        .current_dir(directory)
        .arg("settings")
        .args(arguments)
        .output()
        .unwrap()
}

#[track_caller]
fn printed(output: Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[track_caller]
fn refused(output: Output) -> String {
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert_eq!(output.stdout, b"");
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn settings_prints_effective_values_and_get_prints_one_value() {
    let file =
        "\u{feff}export CACHE_REDIS_PASSWORD = 'hunter \"2\"' # why\r\nSERVER_PORT = 9000\r\n";
    let directory = Directory::with(file.as_bytes());
    let listing = printed(settings(&directory.0, &[("LOG_FORMAT", "json")], &[]));
    for line in [
        "SERVER_PORT=9000  # line 2 of .env",
        "LOG_FORMAT=json  # the environment",
        "CACHE_REDIS_PASSWORD=***  # line 1 of .env",
        "CACHE_NAMESPACE=backend-development",
    ] {
        assert!(
            listing.lines().any(|printed| printed == line),
            "{line} in {listing}"
        );
    }
    assert!(!listing.contains("hunter"), "{listing}");
    let get = |name: &str| printed(settings(&directory.0, &[], &["--get", name]));
    assert_eq!(get("CACHE_REDIS_PASSWORD"), "hunter \"2\"\n");
    assert_eq!(get("SERVER_PORT"), "9000\n");
    assert_eq!(get("SERVER_WORKERS"), "\n");
    let unknown = refused(settings(&directory.0, &[], &["--get", "CACHE_TTL"]));
    assert!(
        unknown.contains("CACHE_TTL is not a variable of this service"),
        "{unknown}"
    );
}

#[test]
fn the_documents_are_printed_whatever_the_settings_are() {
    let directory = Directory::with(b"NONSENSE");
    let example = printed(settings(&directory.0, &[], &["--example"]));
    assert_eq!(example, include_str!("../../../.env.example"));
    let document = printed(settings(&directory.0, &[], &["--document"]));
    assert_eq!(document, include_str!("../../../docs/settings.md"));
}

#[test]
fn a_dotenv_that_cannot_be_read_is_a_mistake_beside_the_others() {
    let directory = Directory::with(b"");
    std::fs::remove_file(directory.0.join(".env")).unwrap();
    std::fs::create_dir(directory.0.join(".env")).unwrap();
    let error = refused(settings(&directory.0, &[("SERVER_PORT", "x")], &[]));
    let lines: Vec<_> = error.lines().collect();
    assert_eq!(lines.len(), 2, "{error}");
    assert!(lines[0].starts_with(".env cannot be read: "), "{error}");
    assert!(lines[1].starts_with("SERVER_PORT holds `x`"), "{error}");
}

#[test]
fn a_value_of_the_environment_that_is_not_text_is_a_mistake_unless_the_name_is_foreign() {
    let directory = Directory::with(b"");
    let output = command(&[])
        .current_dir(&directory.0)
        .env(
            "CACHE_REDIS_PASSWORD",
            OsString::from_vec(b"hunter2\xff".to_vec()),
        )
        .env("FOREIGN", OsString::from_vec(b"\xff".to_vec()))
        .arg("settings")
        .output()
        .unwrap();
    assert_eq!(
        refused(output),
        "CACHE_REDIS_PASSWORD holds something that is not UTF-8 text\n"
    );
}
