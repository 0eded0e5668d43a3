//! Tests of secrets in files.
//!
//! Come here after changing how a variable with `_FILE` is read.

use std::path::PathBuf;

use super::*;

/// A file that is removed with this value.
struct Secret(PathBuf);

impl Secret {
    fn holding(bytes: &[u8]) -> Self {
        let name = format!("secret-{:016x}", rand::random::<u64>());
        let path = std::env::temp_dir().join(name);
        std::fs::write(&path, bytes).unwrap();
        Self(path)
    }

    fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn password(settings: &Settings) -> &str {
    settings.cache.cache_redis_password.expose_secret()
}

#[test]
fn every_secret_can_come_from_a_file() {
    let secret = Secret::holding(b"postgres://ada:lovelace@db/backend\n");
    for variable in all().filter(|variable| variable.kind.is_secret()) {
        let name = format!("{}_FILE", variable.name);
        let found = sources::gather(values(&[(&name, secret.path())]), None);
        assert_eq!(found.mistakes, [""; 0]);
        let value = &found.values[variable.name];
        assert_eq!(
            value.text.expose_secret(),
            "postgres://ada:lovelace@db/backend"
        );
    }
}

#[test]
fn line_ends_at_the_end_of_the_file_are_left_out_and_spaces_are_kept() {
    for (content, expected) in [
        ("hunter2", "hunter2"),
        ("hunter2\n", "hunter2"),
        ("hunter2\r\n\n", "hunter2"),
        (" hunter2 \n", " hunter2 "),
    ] {
        let secret = Secret::holding(content.as_bytes());
        let settings = load(&[("CACHE_REDIS_PASSWORD_FILE", secret.path())]).unwrap();
        assert_eq!(password(&settings), expected);
    }
}

#[test]
fn a_secret_and_its_file_are_not_both_set_in_one_place() {
    let secret = Secret::holding(b"hunter2");
    let both = [
        ("CACHE_REDIS_PASSWORD", "hunter3"),
        ("CACHE_REDIS_PASSWORD_FILE", secret.path()),
    ];
    assert_eq!(
        mistakes(&both),
        ["CACHE_REDIS_PASSWORD and CACHE_REDIS_PASSWORD_FILE are both set; keep one of them"]
    );
}

#[test]
fn the_environment_takes_precedence_over_the_file_for_a_secret() {
    let secret = Secret::holding(b"from a file");
    let line = format!("CACHE_REDIS_PASSWORD_FILE={}", secret.path());
    let settings = load_both(&[("CACHE_REDIS_PASSWORD", "from the environment")], &line).unwrap();
    assert_eq!(password(&settings), "from the environment");
    let environment = [("CACHE_REDIS_PASSWORD_FILE", secret.path())];
    let settings = load_both(&environment, "CACHE_REDIS_PASSWORD=from-dotenv").unwrap();
    assert_eq!(password(&settings), "from a file");
}

#[test]
fn a_file_that_cannot_be_used_is_a_mistake_that_names_it() {
    let empty = Secret::holding(b"\n");
    let binary = Secret::holding(b"hunter2\xff");
    let large = Secret::holding(&vec![b'a'; 64 * 1024 + 1]);
    for (path, reason) in [
        ("/nowhere/at/all", "cannot be read: "),
        ("/", "cannot be read: "),
        (empty.path(), "is empty"),
        (binary.path(), "is not UTF-8 text"),
        (large.path(), "has more than 65536 bytes"),
    ] {
        let mistakes = mistakes(&[("ADMIN_PASSWORD_FILE", path), ("ADMIN_USERNAME", "root")]);
        let expected = format!("ADMIN_PASSWORD_FILE names `{path}`, which {reason}");
        assert!(mistakes[0].starts_with(&expected), "{mistakes:#?}");
        let others = mistakes[1..].concat();
        assert!(
            !others.contains("ADMIN_PASSWORD is not set"),
            "{mistakes:#?}"
        );
        assert!(others.contains("ADMIN_EMAIL is not set"), "{mistakes:#?}");
    }
}

#[test]
fn a_value_from_a_file_that_is_wrong_names_the_file_and_is_not_shown() {
    let secret = Secret::holding(b"mysql://root:hunter2@db");
    let line = format!("DATABASE_URL_FILE={}", secret.path());
    assert_eq!(
        mistakes_of_both(&[], &line),
        [format!(
            "DATABASE_URL in line 1 of .env from {} holds `***`; it may hold postgres://user:password@host:port/database",
            secret.path()
        )]
    );
}

#[test]
fn only_secrets_come_from_files() {
    assert_eq!(
        mistakes_of_both(&[], "CACHE_REDIS_DB_FILE=/run/db"),
        [
            "CACHE_REDIS_DB_FILE in line 1 of .env is not a variable of this service; .env.example lists them all"
        ]
    );
}
