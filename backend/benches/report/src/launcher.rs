//! The start of the programs that are measured.
//!
//! Come here to change a program's command line or environment.

use std::fs::{self, OpenOptions};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::client::Client;
use crate::databases::Databases;
use crate::program::{Addition, Program, Reference, Service, ServiceCache};
use crate::running::Running;
use crate::{Result, Settings, path};

/// The longest time until a program answers correctly.
const START_LIMIT: Duration = Duration::from_secs(20);

/// Starts programs.
pub struct Launcher<'a> {
    /// The paths of the programs and the ports of the servers.
    pub settings: &'a Settings,
    /// The body of the reference programs' answers.
    pub body: String,
    /// The port of the service behind nginx.
    pub upstream: u16,
    /// A database for each program, or `None` for one that runs alone, on the database of the settings.
    pub databases: Option<Databases>,
}

impl Launcher<'_> {
    /// Starts a program and waits until it answers correctly.
    pub fn start(&self, program: Program) -> Result<Running> {
        self.start_with(program, &[])
    }

    /// The same with further variables in the environment of the service.
    pub fn start_with(&self, program: Program, environment: &[(&str, &str)]) -> Result<Running> {
        self.start_under(&[], program, environment)
    }

    /// The same under another program, such as valgrind, which is given with its arguments.
    pub fn start_under(
        &self,
        wrapper: &[&str],
        program: Program,
        environment: &[(&str, &str)],
    ) -> Result<Running> {
        let running = self.launch(wrapper, program, environment)?;
        self.wait_for_right_answer(program, &running)?;
        Ok(running)
    }

    /// Waits until a program answers correctly: it may have just been started, or may still be at work on the last
    /// requests of a run.
    pub fn wait_for_right_answer(&self, program: Program, running: &Running) -> Result<()> {
        let path = path(self.settings.first_id);
        let began = Instant::now();
        loop {
            let problem = match Client::connect(running.port).and_then(|mut it| it.get(&path)) {
                Ok(answer) if answer.status != 200 => format!("status {}", answer.status),
                Ok(answer) => match program.problem(&answer) {
                    None => return Ok(()),
                    Some(problem) => problem,
                },
                Err(error) => error.to_string(),
            };
            if began.elapsed() > START_LIMIT {
                return Err(format!("{program} does not answer correctly: {problem}").into());
            }
            sleep(Duration::from_millis(20));
        }
    }

    /// The milliseconds from the start of a program to its first answer.
    pub fn time_first_answer(&self, program: Program) -> Result<f64> {
        let path = path(self.settings.first_id);
        let started = Instant::now();
        let running = self.launch(&[], program, &[])?;
        while started.elapsed() < START_LIMIT {
            let answer = Client::connect(running.port).and_then(|mut client| client.get(&path));
            if answer.is_ok_and(|answer| answer.status == 200) {
                let milliseconds = started.elapsed().as_secs_f64() * 1000.0;
                // The next start would wait a second for the roll call of an instance that was killed.
                running.stop()?;
                return Ok(milliseconds);
            }
            sleep(Duration::from_millis(1));
        }
        Err(format!("{program} does not answer").into())
    }

    fn launch(
        &self,
        wrapper: &[&str],
        program: Program,
        environment: &[(&str, &str)],
    ) -> Result<Running> {
        let port = free_port()?;
        let log_path = self.settings.directory.join(format!("access-{port}.log"));
        let log = if program.has_access_log() {
            let mut options = OpenOptions::new();
            Some(options.create(true).append(true).open(&log_path)?)
        } else {
            None
        };
        let mut command = match program {
            Program::Reference(reference) => self.reference(reference, port)?,
            Program::Service(service) => {
                let mut command = self.service(wrapper, service, port)?;
                command.envs(environment.iter().copied());
                // Security events are always logged, and are no part of the report.
                command.stdout(match &log {
                    Some(log) => Stdio::from(log.try_clone()?),
                    None => Stdio::null(),
                });
                command
            }
            Program::Nginx { .. } => self.nginx(port, log.as_ref().map(|_| log_path.as_path()))?,
        };
        let child = command
            .stdin(Stdio::null())
            .spawn()
            .map_err(|error| format!("{program} cannot be started: {error}"))?;
        Ok(Running {
            child,
            port,
            log,
            has_children: matches!(program, Program::Nginx { .. }),
        })
    }

    fn database_url(&self, program: Program) -> Result<String> {
        match &self.databases {
            Some(databases) => databases.url_for(program),
            None => Ok(self.settings.database_url.clone()),
        }
    }

    fn reference(&self, reference: Reference, port: u16) -> Result<Command> {
        let settings = self.settings;
        let (mode, server) = match reference {
            Reference::StaticBytes => ("static", String::new()),
            Reference::Moka => ("moka", String::new()),
            Reference::Redis => (
                "redis",
                format!("redis://127.0.0.1:{}", settings.redis_port),
            ),
            Reference::Memcached => (
                "memcached",
                format!("127.0.0.1:{}", settings.memcached_port),
            ),
            Reference::Row => ("sqlx", self.database_url(Program::Reference(reference))?),
        };
        let mut command = Command::new(&settings.reference);
        command
            .args([mode, "--port", &port.to_string(), "--server", &server])
            .args(["--body", &self.body])
            .args(["--first-id", &settings.first_id.to_string()])
            .args(["--entries", &settings.entries.to_string()]);
        Ok(command)
    }

    fn service(&self, wrapper: &[&str], service: Service, port: u16) -> Result<Command> {
        let settings = self.settings;
        let backend = match service.cache {
            ServiceCache::Memory => "memory",
            ServiceCache::Memcached => "memcached",
            ServiceCache::Redis
            | ServiceCache::RedisByTls
            | ServiceCache::Cluster
            | ServiceCache::Near
            | ServiceCache::Disabled
            | ServiceCache::Down => "redis",
        };
        let redis_port = match service.cache {
            // Nothing listens there.
            ServiceCache::Down => free_port()?,
            _ => settings.redis_port,
        };
        let has_log = service.addition == Addition::AccessLog;
        let log_level = if has_log { "info" } else { "off" };
        let enabled = service.cache != ServiceCache::Disabled;
        let near = service.cache == ServiceCache::Near;
        let mut command = match wrapper {
            [] => Command::new(&settings.backend),
            [wrapper, arguments @ ..] => {
                let mut command = Command::new(wrapper);
                command.args(arguments).arg(&settings.backend);
                command
            }
        };
        command
            // Neither `.env` nor variables of the shell are part of the measurement.
            .env_clear()
            .current_dir(&settings.directory)
            .env("ENVIRONMENT", "production")
            .env("SERVER_PORT", port.to_string())
            .env(
                "DATABASE_URL",
                self.database_url(Program::Service(service))?,
            )
            .env("LOG_LEVEL", log_level)
            .env("CACHE_ENABLED", enabled.to_string())
            .env("CACHE_BACKEND", backend)
            .env("CACHE_REDIS_HOST", "127.0.0.1")
            .env("CACHE_REDIS_PORT", redis_port.to_string())
            .env("CACHE_NEAR", near.to_string())
            .env("CACHE_MEMCACHED_HOST", "127.0.0.1")
            .env("CACHE_MEMCACHED_PORT", settings.memcached_port.to_string())
            // Room for all entries: the default holds two thirds of them.
            .env("CACHE_MEMORY_MAX_BYTES", "268435456");
        // The password of the database, which is in no argument.
        if let Some(password) = std::env::var_os("PGPASSWORD") {
            command.env("PGPASSWORD", password);
        }
        match service.addition {
            Addition::None
            | Addition::AccessLog
            | Addition::IdleConnections
            | Addition::SlowClients => {}
            Addition::Protection => {
                command
                    .env("RATE_LIMIT", "1000000/second")
                    .env("TRUSTED_PROXIES", "192.0.2.1")
                    .env("HSTS", "always")
                    .env("CORS_ALLOWED_ORIGINS", "https://app.example.com");
            }
            Addition::Compression => {
                command.env("CACHE_COMPRESS_MIN_BYTES", "1024");
            }
            // Any free port: nobody asks for the metrics.
            Addition::Metrics => {
                command.env("MANAGEMENT_PORT", "0");
            }
            Addition::Verification => {
                command.env("CACHE_VERIFY_PERCENT", "1");
            }
        }
        match service.cache {
            ServiceCache::RedisByTls => {
                command
                    .env("CACHE_REDIS_PORT", settings.redis_tls_port.to_string())
                    .env("CACHE_REDIS_TLS", "true")
                    .env("CACHE_REDIS_TLS_CA_FILE", &settings.redis_authority);
            }
            ServiceCache::Cluster => {
                command
                    .env_remove("CACHE_REDIS_HOST")
                    .env_remove("CACHE_REDIS_PORT")
                    .env("CACHE_REDIS_MODE", "cluster")
                    .env("CACHE_REDIS_NODES", &settings.redis_nodes);
            }
            _ => {}
        }
        if near {
            // A namespace of its own: Redis would send the near caches the changes of the other programs too.
            command.env("CACHE_NAMESPACE", "near");
        }
        Ok(command)
    }

    fn nginx(&self, port: u16, log: Option<&Path>) -> Result<Command> {
        let directory = self.settings.directory.join(format!("nginx-{port}"));
        fs::create_dir_all(directory.join("cache"))?;
        let shown = directory.display();
        let workers = std::thread::available_parallelism()?;
        let upstream = self.upstream;
        let user = if nginx_wants_user() { "user root;" } else { "" };
        let access_log = match log {
            // The default: a line in the format `combined`, written at once.
            Some(path) => format!("\"{}\"", path.display()),
            None => "off".to_owned(),
        };
        let configuration = format!(
            "{user}
             daemon off;
             worker_processes {workers};
             pid \"{shown}/pid\";
             error_log stderr error;
             events {{ worker_connections 1024; }}
             http {{
                 access_log {access_log};
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
                         # The answers of the service ask caches to check again.
                         proxy_ignore_headers Cache-Control;
                         add_header X-Proxy-Cache $upstream_cache_status;
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

/// Whether nginx must be given a user: its workers leave root, and another user may not enter the directory.
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
        // The PATH of an ordinary user does not contain the directory of Debian's servers.
        .chain([PathBuf::from("/usr/sbin")])
        .any(|directory| directory.join(program).is_file())
}
