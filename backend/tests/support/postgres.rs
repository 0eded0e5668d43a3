//! A private PostgreSQL that a test may stop and start.
//!
//! Come here for faults of the server itself. A test that needs no such fault takes a `TestDatabase`,
//! which is there at once.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::certificates::Certificates;
use super::server::{free_port, is_root};
use super::{unique, variable};

/// A server with an empty database `backend`, stopped with this value.
#[derive(Debug)]
pub struct Postgres {
    pub port: u16,
    directory: PathBuf,
}

/// A command that does not run as root: these servers refuse to.
pub fn unprivileged(program: &str) -> Command {
    let mut command = if is_root() {
        // Not `runuser`, which stays and would be ended in place of the program.
        let mut command = Command::new("setpriv");
        command.args([
            "--reuid",
            "postgres",
            "--regid",
            "postgres",
            "--clear-groups",
            "--",
            program,
        ]);
        command
    } else {
        Command::new(program)
    };
    command
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

/// A new directory that an unprivileged command may write to.
pub fn unprivileged_directory(prefix: &str) -> PathBuf {
    let directory = std::env::temp_dir().join(unique(prefix));
    let made = unprivileged("mkdir")
        .args(["-m", "700"])
        .arg(&directory)
        .status();
    assert!(made.expect("mkdir").success(), "{}", directory.display());
    directory
}

/// Writes a file that an unprivileged command can read.
pub fn write_unprivileged(file: &Path, content: &str) {
    let mut tee = unprivileged("tee")
        .arg(file)
        .stdin(Stdio::piped())
        .spawn()
        .expect("tee");
    let written = tee
        .stdin
        .take()
        .expect("its input")
        .write_all(content.as_bytes());
    written.expect("the content is written");
    assert!(tee.wait().expect("tee").success(), "{}", file.display());
}

/// The password of the test server. This one has the same, so that no other user of the machine gets in.
fn password() -> String {
    let server = reqwest::Url::parse(&variable("TEST_DATABASE_URL")).expect("a URL");
    server.password().expect("a password").to_owned()
}

impl Postgres {
    pub fn start() -> Self {
        let server = Self {
            port: free_port(),
            directory: unprivileged_directory("postgres"),
        };
        let file = server.directory.join("password");
        write_unprivileged(&file, &password());
        let mut initdb = server.program("initdb");
        initdb.args([
            "-A",
            "scram-sha-256",
            "-U",
            "postgres",
            "-E",
            "UTF8",
            "--locale=C",
            "--no-sync",
        ]);
        initdb.arg(format!("--pwfile={}", file.display()));
        server.run(initdb);
        server.start_again();
        let mut create = unprivileged(&format!("{}/psql", variable("TEST_POSTGRES_BIN")));
        create.env("PGPASSWORD", password()).args([
            "-h",
            "127.0.0.1",
            "-U",
            "postgres",
            "-c",
            "CREATE DATABASE backend",
            "-p",
        ]);
        create.arg(server.port.to_string());
        server.run(create);
        server
    }

    /// Starts a server that refuses clients without TLS.
    pub fn start_with_tls(certificates: &Certificates) -> Self {
        let server = Self::start();
        for (from, to) in [
            (certificates.server(), "server.crt"),
            (certificates.key(), "server.key"),
        ] {
            let file = server.directory.join("data").join(to);
            let content = std::fs::read_to_string(from).expect("a file");
            write_unprivileged(&file, &content);
            let mut only_owner = unprivileged("chmod");
            only_owner.arg("600").arg(&file);
            server.run(only_owner);
        }
        let file = server.directory.join("data/pg_hba.conf");
        write_unprivileged(&file, "hostssl all all 127.0.0.1/32 scram-sha-256\n");
        server.stop();
        server.start_with_options("-c ssl=on");
        server
    }

    /// The address of the database through a port: the server's, or that of a proxy.
    pub fn url(port: u16) -> String {
        format!(
            "postgres://postgres:{}@127.0.0.1:{port}/backend",
            password()
        )
    }

    /// Stops the server; its connections are closed.
    pub fn stop(&self) {
        let mut stop = self.program("pg_ctl");
        stop.args(["-m", "fast", "-w", "stop"]);
        self.run(stop);
    }

    pub fn start_again(&self) {
        self.start_with_options("");
    }

    fn start_with_options(&self, more: &str) {
        let mut start = self.program("pg_ctl");
        let options = format!(
            "-p {} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off -c max_connections=30 {more}",
            self.port
        );
        start.args(["-w", "-t", "60", "-o", &options, "start"]);
        self.run(start);
    }

    fn program(&self, name: &str) -> Command {
        let mut command = unprivileged(&format!("{}/{name}", variable("TEST_POSTGRES_BIN")));
        command.arg("-D").arg(self.directory.join("data"));
        command
    }

    fn run(&self, mut command: Command) {
        let status = command.status();
        assert!(
            status.as_ref().is_ok_and(std::process::ExitStatus::success),
            "{command:?} in {}: {status:?}",
            self.directory.display()
        );
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let mut stop = self.program("pg_ctl");
        let _ = stop.args(["-m", "immediate", "-w", "stop"]).status();
        let _ = unprivileged("rm").arg("-rf").arg(&self.directory).status();
    }
}
