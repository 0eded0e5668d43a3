//! Signals to process 1 of a container. The system gives it only signals that it handles, so a program that does not handle
//! SIGTERM yet is killed after the time of its orchestrator.
//!
//! Come here for the end of a start that waits. The end of a running service is in `starting`.

use std::process::{Child, Command, ExitStatus, Stdio};

use sqlx::migrate::Migrate;
use sqlx::{Connection, PgConnection};
use tokio::net::TcpListener;

use crate::support::database::TestDatabase;
use crate::support::{PROGRAM, process};

/// The program as process 1 of a process namespace of its own, killed with this value.
struct Process1 {
    outside: Child,
}

impl Process1 {
    fn start(options: &[&str], environment: &[(&str, &str)], command: &str) -> Self {
        let outside = Command::new("unshare")
            .args(options)
            .args(["--", PROGRAM, command])
            .env_clear()
            .envs(environment.iter().copied())
            .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
            .current_dir(std::env::temp_dir())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .expect("unshare");
        Self { outside }
    }

    /// Its number outside of the namespace.
    fn id(&self) -> Option<u32> {
        let parent = self.outside.id();
        let children = format!("/proc/{parent}/task/{parent}/children");
        let children = std::fs::read_to_string(children).ok()?;
        children.split_whitespace().next()?.parse().ok()
    }

    async fn stop(&mut self, signal: &str) -> ExitStatus {
        process::signal(self.id().expect("a process"), signal);
        process::end(&mut self.outside).await
    }
}

impl Drop for Process1 {
    fn drop(&mut self) {
        // The program ends with it: --kill-child.
        let _ = self.outside.kill();
        let _ = self.outside.wait();
    }
}

/// The options of `unshare` for a process namespace; `None` where this system does not let us have one.
fn namespace() -> Option<&'static [&'static str]> {
    let candidates: [&[&str]; 2] = [
        &["--pid", "--fork", "--kill-child"],
        &[
            "--user",
            "--map-root-user",
            "--pid",
            "--fork",
            "--kill-child",
        ],
    ];
    let found = candidates.into_iter().find(|options| {
        let tried = Command::new("unshare").args(*options).arg("true").output();
        tried.is_ok_and(|output| output.status.success())
    });
    if found.is_none() {
        eprintln!("not tested: this system gives us no process namespace");
    }
    found
}

/// Each command, and the exit code of one that a signal has kept from finishing.
const COMMANDS: [(&str, &str, i32); 3] = [
    ("serve", "TERM", 0),
    ("migrate", "TERM", 143),
    ("migrate", "INT", 130),
];

#[tokio::test]
async fn process_1_ends_at_a_signal_while_it_waits_for_another_instance_that_migrates() {
    let Some(options) = namespace() else { return };
    for (command, signal, code) in COMMANDS {
        // A database each: the server does not notice that a session which waits for a lock has lost its client.
        let database = TestDatabase::create().await;
        let url = database.url();
        let mut other = PgConnection::connect(&url).await.unwrap();
        other.lock().await.unwrap();
        let environment = [("DATABASE_URL", url.as_str()), ("CACHE_ENABLED", "false")];
        let mut process = Process1::start(options, &environment, command);
        database.until_a_statement_waits().await;
        assert_eq!(
            process.stop(signal).await.code(),
            Some(code),
            "{command} at SIG{signal}"
        );
    }
}

#[tokio::test]
async fn process_1_ends_at_a_signal_while_the_database_does_not_answer() {
    let Some(options) = namespace() else { return };
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = silent.local_addr().unwrap().port();
    let url = format!("postgres://backend@127.0.0.1:{port}/backend");
    let environment = [
        ("DATABASE_URL", url.as_str()),
        ("DATABASE_CONNECT_TIMEOUT", "300"),
        ("CACHE_ENABLED", "false"),
    ];
    for (command, signal, code) in COMMANDS {
        let mut process = Process1::start(options, &environment, command);
        let _connection = silent.accept().await.unwrap();
        assert_eq!(
            process.stop(signal).await.code(),
            Some(code),
            "{command} at SIG{signal}"
        );
    }
}
