//! A private `PgBouncer` in front of the test server, in transaction mode.
//!
//! Come here for other modes or settings of the pooler.

use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Child;
use std::time::{Duration, Instant};

use super::database::TestDatabase;
use super::postgres::{unprivileged, unprivileged_directory, write_unprivileged};
use super::server::free_port;
use super::variable;

/// A pooler with two server connections for each database, stopped with this value.
#[derive(Debug)]
pub struct PgBouncer {
    port: u16,
    directory: PathBuf,
    process: Child,
}

impl PgBouncer {
    /// Starts it with further lines of its settings.
    pub fn start(further: &str) -> Self {
        let (port, directory) = (free_port(), unprivileged_directory("pgbouncer"));
        let server = reqwest::Url::parse(&variable("TEST_DATABASE_URL")).expect("a URL");
        let password = server.password().expect("a password");
        // Without a password other users of the machine would have access to the server.
        let users = directory.join("users");
        write_unprivileged(&users, &format!("\"postgres\" \"{password}\"\n"));
        let settings = format!(
            "[databases]\n* = host=127.0.0.1 port={} user=postgres password={}\n[pgbouncer]\nlisten_addr = 127.0.0.1\n\
             listen_port = {port}\nunix_socket_dir =\nauth_type = scram-sha-256\nauth_file = {}\npool_mode = transaction\n\
             default_pool_size = 2\nmax_client_conn = 200\n{further}\n",
            server.port().expect("a port"),
            password,
            users.display(),
        );
        write_unprivileged(&directory.join("ini"), &settings);
        let process = unprivileged(&variable("TEST_PGBOUNCER"))
            .arg(directory.join("ini"))
            .spawn()
            .expect("pgbouncer");
        let deadline = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < deadline, "PgBouncer does not listen");
            std::thread::sleep(Duration::from_millis(5));
        }
        Self {
            port,
            directory,
            process,
        }
    }

    /// The address of a database through the pooler.
    pub fn url(&self, database: &TestDatabase) -> String {
        database.url_through(Some(self.port))
    }
}

impl Drop for PgBouncer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = unprivileged("rm").arg("-rf").arg(&self.directory).status();
    }
}
