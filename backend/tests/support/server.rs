//! A private Redis or Memcached that a test may kill, stop and fill.
//!
//! Come here for a fault of the server itself. Faults of the way to it are in `proxy`.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::{process, unique};

/// The kind of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Redis,
    Memcached,
}

impl Kind {
    /// The value of `CACHE_BACKEND`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Redis => "redis",
            Self::Memcached => "memcached",
        }
    }

    /// The variable that holds the server's port.
    pub fn port_variable(self) -> &'static str {
        match self {
            Self::Redis => "CACHE_REDIS_PORT",
            Self::Memcached => "CACHE_MEMCACHED_PORT",
        }
    }
}

/// A server process on a port of its own, killed with this value.
#[derive(Debug)]
pub struct Server {
    pub kind: Kind,
    pub port: u16,
    arguments: Vec<String>,
    directory: PathBuf,
    process: Option<Child>,
}

impl Server {
    pub fn start(kind: Kind) -> Self {
        Self::start_with(kind, &[])
    }

    /// Starts a server with further arguments of its program.
    pub fn start_with(kind: Kind, arguments: &[&str]) -> Self {
        let directory = std::env::temp_dir().join(unique("server"));
        std::fs::create_dir(&directory).expect("a directory");
        let mut server = Self {
            kind,
            port: free_port(),
            arguments: arguments.iter().map(ToString::to_string).collect(),
            directory,
            process: None,
        };
        server.restart();
        server
    }

    /// Starts the process again on the same port, with the same files.
    pub fn restart(&mut self) {
        self.kill();
        let port = self.port.to_string();
        let mut command = match self.kind {
            Kind::Redis => {
                let mut command = Command::new(redis_server());
                command.args(["--port", &port, "--bind", "127.0.0.1", "--save", ""]);
                command.args(["--appendonly", "no", "--dir"]);
                command.arg(&self.directory);
                command
            }
            Kind::Memcached => {
                let mut command = Command::new("memcached");
                command.args(["-p", &port, "-l", "127.0.0.1", "-U", "0"]);
                if is_root() {
                    // Memcached refuses to run as root.
                    command.args(["-u", "nobody"]);
                }
                command
            }
        };
        let process = command
            .args(&self.arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        self.process = Some(process);
        let deadline = Instant::now() + Duration::from_secs(20);
        while !self.answers() {
            let process = self.process.as_mut().expect("a process");
            let ended = process.try_wait().expect("its status");
            assert!(ended.is_none(), "{command:?} ended with {ended:?}");
            assert!(Instant::now() < deadline, "{command:?} does not answer");
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Kills the process.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }

    /// Sends a signal, by its name: `STOP`, `CONT`.
    pub fn signal(&self, name: &str) {
        let running = self.process.as_ref().expect("a running server");
        process::signal(running.id(), name);
    }

    /// Sends a line on a new connection, and returns the first line of the answer.
    pub fn say(&self, line: &str) -> String {
        self.converse(line)
            .unwrap_or_else(|error| panic!("{line}: {error}"))
    }

    fn converse(&self, line: &str) -> std::io::Result<String> {
        let mut connection = TcpStream::connect(("127.0.0.1", self.port))?;
        connection.set_read_timeout(Some(Duration::from_mins(1)))?;
        connection.write_all(format!("{line}\r\n").as_bytes())?;
        let mut answer = Vec::new();
        let mut byte = [0];
        while connection.read(&mut byte)? == 1 && byte[0] != b'\n' {
            answer.push(byte[0]);
        }
        Ok(String::from_utf8_lossy(&answer).trim_end().to_owned())
    }

    fn answers(&self) -> bool {
        let (question, answer) = match self.kind {
            Kind::Redis => ("PING", "+PONG"),
            Kind::Memcached => ("mn", "MN"),
        };
        self.converse(question).is_ok_and(|said| said == answer)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

/// The program that serves as Redis: `redis-server`, or the one of `TEST_REDIS_SERVER`, such as `valkey-server`.
pub fn redis_server() -> String {
    std::env::var("TEST_REDIS_SERVER").unwrap_or_else(|_| "redis-server".to_owned())
}

/// A free port, below the range that systems give to clients: while the server is unavailable, no client may be given
/// its port.
pub fn free_port() -> u16 {
    loop {
        let port = rand::random_range(10_000..32_000);
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

pub fn is_root() -> bool {
    let user = Command::new("id").arg("-u").output().expect("id");
    user.stdout.starts_with(b"0\n")
}
