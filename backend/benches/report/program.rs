//! Programs under measurement: how each is started, and what the kernel says of it.

use std::fs::{self, File, OpenOptions};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::client::Client;
use crate::workload::Subject;
use crate::{Result, Settings, path};

/// How long a program may take until it answers as it should.
const PATIENCE: Duration = Duration::from_secs(20);

/// A running program. It is ended when this is dropped.
pub struct Program {
    child: Child,
    /// Where it listens.
    pub port: u16,
    log: Option<File>,
    has_children: bool,
}

impl Drop for Program {
    fn drop(&mut self) {
        // A master that is killed leaves its workers behind; asked to end, it ends them first.
        let asked = self.has_children
            && Command::new("kill")
                .arg(self.child.id().to_string())
                .status()
                .is_ok_and(|status| status.success());
        if !asked {
            let _ = self.child.kill();
        }
        let _ = self.child.wait();
    }
}

impl Program {
    /// Processor time of the process and its children so far, in seconds.
    pub fn processor_seconds(&self, ticks_per_second: f64) -> Result<f64> {
        let own = self.child.id();
        let mut ticks = 0.0;
        for directory in fs::read_dir("/proc")?.flatten() {
            let Some(stat) = read_stat(&directory.path()) else {
                continue;
            };
            if stat.process == own || stat.parent == own {
                ticks += stat.ticks;
            }
        }
        Ok(ticks / ticks_per_second)
    }

    /// Memory of the process that is in use, in megabytes.
    pub fn resident_megabytes(&self) -> Result<f64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let kibibytes: f64 = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB"))
            .ok_or("/proc/<pid>/status has no VmRSS")?
            .trim()
            .parse()?;
        Ok(kibibytes * 1024.0 / 1e6)
    }

    /// Empties the access log, so that a long run does not fill the disk.
    pub fn empty_log(&self) -> Result<()> {
        match &self.log {
            Some(log) => Ok(log.set_len(0)?),
            None => Ok(()),
        }
    }
}

/// What `/proc/<pid>/stat` says.
struct Stat {
    process: u32,
    parent: u32,
    ticks: f64,
}

fn read_stat(directory: &Path) -> Option<Stat> {
    let process = directory.file_name()?.to_str()?.parse().ok()?;
    let text = fs::read_to_string(directory.join("stat")).ok()?;
    // The second field is the program's name, which may hold spaces and parentheses.
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
    let user: f64 = fields.get(11)?.parse().ok()?;
    let system: f64 = fields.get(12)?.parse().ok()?;
    Some(Stat {
        process,
        parent: fields.get(1)?.parse().ok()?,
        ticks: user + system,
    })
}

/// Starts programs.
pub struct Launcher<'a> {
    /// Where the programs and servers are.
    pub settings: &'a Settings,
    /// The body that the reference programs answer with.
    pub body: String,
    /// The port of the service that nginx asks.
    pub upstream: u16,
}

impl Launcher<'_> {
    /// Starts the subject and waits until it answers as it should. A service puts the namespace
    /// before its keys.
    pub fn start(&self, subject: &Subject, namespace: &str) -> Result<Program> {
        let program = self.launch(subject, namespace)?;
        let path = path(self.settings.first_id);
        let started = Instant::now();
        loop {
            let problem = match Client::connect(program.port).and_then(|mut it| it.get(&path)) {
                Ok(answer) if answer.status != 200 => format!("status {}", answer.status),
                Ok(answer) => match subject.problem(&answer) {
                    None => return Ok(program),
                    Some(problem) => problem,
                },
                Err(error) => error.to_string(),
            };
            if started.elapsed() > PATIENCE {
                return Err(
                    format!("{} does not answer as it should: {problem}", subject.name).into(),
                );
            }
            sleep(Duration::from_millis(20));
        }
    }

    /// Starts the service on Redis and answers how many milliseconds pass until its first answer.
    pub fn time_first_answer(&self, subject: &Subject) -> Result<f64> {
        let path = path(self.settings.first_id);
        let started = Instant::now();
        let program = self.launch(subject, "")?;
        while started.elapsed() < PATIENCE {
            let answer = Client::connect(program.port).and_then(|mut client| client.get(&path));
            if answer.is_ok_and(|answer| answer.status == 200) {
                return Ok(started.elapsed().as_secs_f64() * 1000.0);
            }
            sleep(Duration::from_millis(1));
        }
        Err("the service does not answer".into())
    }

    fn launch(&self, subject: &Subject, namespace: &str) -> Result<Program> {
        let port = free_port()?;
        let mut log = None;
        let mut command = match subject.name {
            "nginx proxy_cache" => self.nginx(port)?,
            name if name.starts_with("service") => self.service(name, port, namespace)?,
            name => self.reference(name, port)?,
        };
        if subject.name.ends_with("access log") {
            let path = self.settings.directory.join(format!("access-{port}.log"));
            let file = OpenOptions::new().create(true).append(true).open(path)?;
            command.stdout(file.try_clone()?);
            log = Some(file);
        }
        let child = command
            .stdin(Stdio::null())
            .spawn()
            .map_err(|error| format!("{} cannot be started: {error}", subject.name))?;
        Ok(Program {
            child,
            port,
            log,
            has_children: subject.name.starts_with("nginx"),
        })
    }

    fn reference(&self, name: &str, port: u16) -> Result<Command> {
        let settings = self.settings;
        let (mode, server) = match name {
            "static bytes" => ("static", String::new()),
            "moka look-up" => ("moka", String::new()),
            "Redis GET" => (
                "redis",
                format!("redis://127.0.0.1:{}", settings.redis_port),
            ),
            "Memcached get" => (
                "memcached",
                format!("127.0.0.1:{}", settings.memcached_port),
            ),
            "sqlx row" => ("sqlx", settings.database_url.clone()),
            _ => return Err(format!("there is no program {name}").into()),
        };
        let mut command = Command::new(&settings.reference);
        command
            .args([mode, "--port", &port.to_string(), "--server", &server])
            .args(["--body", &self.body])
            .args(["--first-id", &settings.first_id.to_string()])
            .args(["--entries", &settings.entries.to_string()]);
        Ok(command)
    }

    fn service(&self, name: &str, port: u16, namespace: &str) -> Result<Command> {
        let settings = self.settings;
        let backend = match name {
            "service, memory" => "memory",
            "service, Memcached" => "memcached",
            _ => "redis",
        };
        // Nothing listens there when the backend is to be down.
        let redis_port = if name.ends_with("backend down") {
            free_port()?
        } else {
            settings.redis_port
        };
        let log_level = if name.ends_with("access log") {
            "info"
        } else {
            "off"
        };
        let enabled = !name.ends_with("cache disabled");
        let mut command = Command::new(&settings.backend);
        command
            // Neither `.env` nor variables of the shell are part of the measurement.
            .env_clear()
            .current_dir(&settings.directory)
            .env("ENVIRONMENT", "production")
            .env("SERVER_PORT", port.to_string())
            .env("DATABASE_URL", &settings.database_url)
            .env("LOG_LEVEL", log_level)
            .env("CACHE_ENABLED", enabled.to_string())
            .env("CACHE_BACKEND", backend)
            .env("CACHE_NAMESPACE", namespace)
            .env("CACHE_REDIS_HOST", "127.0.0.1")
            .env("CACHE_REDIS_PORT", redis_port.to_string())
            .env("CACHE_NEAR", name.ends_with("near cache").to_string())
            .env("CACHE_MEMCACHED_HOST", "127.0.0.1")
            .env("CACHE_MEMCACHED_PORT", settings.memcached_port.to_string())
            // Room for all entries: the default holds two thirds of them.
            .env("CACHE_MEMORY_MAX_BYTES", "268435456");
        Ok(command)
    }

    fn nginx(&self, port: u16) -> Result<Command> {
        let directory = self.settings.directory.join("nginx");
        fs::create_dir_all(directory.join("cache"))?;
        let shown = directory.display();
        let workers = std::thread::available_parallelism()?;
        let upstream = self.upstream;
        let user = if nginx_wants_user() { "user root;" } else { "" };
        let configuration = format!(
            "{user}
             daemon off;
             worker_processes {workers};
             pid \"{shown}/pid\";
             error_log stderr error;
             events {{ worker_connections 1024; }}
             http {{
                 access_log off;
                 keepalive_requests 1000000000;
                 client_body_temp_path \"{shown}/body\";
                 proxy_temp_path \"{shown}/proxy\";
                 fastcgi_temp_path \"{shown}/fastcgi\";
                 uwsgi_temp_path \"{shown}/uwsgi\";
                 scgi_temp_path \"{shown}/scgi\";
                 proxy_cache_path \"{shown}/cache\" keys_zone=widgets:64m;
                 server {{
                     listen 127.0.0.1:{port};
                     location / {{
                         proxy_pass http://127.0.0.1:{upstream};
                         proxy_cache widgets;
                         proxy_cache_valid 200 1h;
                     }}
                 }}
             }}"
        );
        let path = directory.join("nginx.conf");
        fs::write(&path, configuration)?;
        let mut command = Command::new("nginx");
        command.arg("-p").arg(&directory).arg("-c").arg(&path);
        Ok(command)
    }
}

/// nginx started by root lets its workers become somebody else, who may not enter the directory.
fn nginx_wants_user() -> bool {
    fs::read_to_string("/proc/self/status")
        .is_ok_and(|status| status.lines().any(|line| line.starts_with("Uid:\t0\t")))
}

/// A port that nothing listens on.
fn free_port() -> Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

/// Whether a program is on the PATH.
pub fn is_installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        // Debian keeps servers where an ordinary user's PATH does not look.
        .chain([PathBuf::from("/usr/sbin")])
        .any(|directory| directory.join(program).is_file())
}
