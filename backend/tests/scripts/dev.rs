//! `./scripts/dev` as a whole, with the binary that is built already.
//!
//! Come here after changing what `./scripts/dev` starts or says.

use std::fs::{self, File, Permissions};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Child, Command, Stdio};

use crate::project::{Project, wait_for};
use crate::support::server::free_port;

const BINARY: &str = crate::support::PROGRAM;

/// A running `./scripts/dev`, stopped with this value.
struct Dev<'a> {
    project: &'a Project,
    process: Child,
}

impl<'a> Dev<'a> {
    fn start(project: &'a Project, environment: &[(&str, &str)], arguments: &[&str]) -> Self {
        Self::start_program(BINARY, project, environment, arguments)
    }

    fn start_program(
        program: &str,
        project: &'a Project,
        environment: &[(&str, &str)],
        arguments: &[&str],
    ) -> Self {
        let log = File::create(project.root.join("log")).unwrap();
        let process = Command::new("bash")
            .args(["scripts/dev", "--binary", program])
            .args(arguments)
            .current_dir(&project.root)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        Self { project, process }
    }

    fn log(&self) -> String {
        self.project.read("log")
    }

    /// Where the service answers.
    fn url(&mut self) -> String {
        wait_for("the address of the service", || {
            let log = self.project.read("log");
            let ended = self.process.try_wait().unwrap();
            assert!(ended.is_none(), "{ended:?}: {log}");
            // The last line of its output.
            log.contains("TOKEN=").then_some(())?;
            let (_, after) = log.split_once("The service answers at ")?;
            Some(after.split_once(';')?.0.to_owned())
        })
    }

    /// Waits until it has ended by itself, and gives its output.
    fn ends(mut self) -> String {
        let status = wait_for("the end of the script", || self.process.try_wait().unwrap());
        let log = self.log();
        assert!(!status.success(), "{log}");
        log
    }

    fn stop(&mut self) {
        if self.process.try_wait().unwrap().is_none() {
            let pid = self.process.id().to_string();
            let _ = Command::new("kill").args(["-s", "TERM", &pid]).status();
            wait_for("the end of the script", || self.process.try_wait().unwrap());
        }
    }
}

impl Drop for Dev<'_> {
    fn drop(&mut self) {
        self.stop();
    }
}

/// `Cache-Status` of a first and a second request.
async fn miss_and_hit(url: &str) -> [String; 2] {
    let get = async || {
        let response = reqwest::Client::builder()
            .no_proxy()
            .build()
            .unwrap()
            .get(format!("{url}/api/v1/users/admin"))
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), 200);
        response.headers()["cache-status"]
            .to_str()
            .unwrap()
            .to_owned()
    };
    [get().await, get().await]
}

#[track_caller]
fn assert_cached([first, second]: [String; 2]) {
    assert!(first.contains("fwd=uri-miss; stored"), "{first}");
    assert!(second.contains("hit"), "{second}");
}

#[tokio::test]
async fn dev_runs_with_a_dotenv_of_any_editor_and_in_any_shell_and_keeps_ports_and_database() {
    let project = Project::copy();
    let port = free_port();
    let file = format!(
        "\u{feff}# Mine\r\nexport CACHE_REDIS_PASSWORD = 'hunter \"two\" $three' # why\r\nSERVER_PORT = {port} # a comment\r\n\
         CACHE_BACKEND=\"redis\"\r\nDATABASE_URL=postgres://elsewhere/other\r\n"
    );
    project.write(".env", file);
    let hostile = [
        ("CDPATH", "/tmp"),
        ("PGHOST", "elsewhere"),
        ("PGPASSWORD", "wrong"),
        ("PGOPTIONS", "-c nonsense=1"),
        ("REDISCLI_AUTH", "wrong"),
        ("LC_ALL", "tr_TR.UTF-8"),
        ("SHELLOPTS", "noclobber"),
    ];
    let mut dev = Dev::start(&project, &hostile, &[]);
    let url = dev.url();
    assert_eq!(url, format!("http://127.0.0.1:{port}"));
    assert_cached(miss_and_hit(&url).await);
    let show = format!(". .dev/environment; '{BINARY}' cache show user:admin");
    let shown = project.run(&[], &["-c", &show]).succeeds();
    assert!(shown.contains("state: answer"), "{shown}");
    let log = dev.log();
    assert!(
        log.contains(&format!(
            "the service listens on port {port}, which line 3 of .env names"
        )),
        "{log}"
    );
    assert!(
        log.contains("DATABASE_URL, which line 5 of .env names, is not used"),
        "{log}"
    );
    assert!(!log.contains("hunter"), "{log}");
    let ports = project.read(".dev/ports");
    dev.stop();
    for line in ports.lines() {
        let (_, port) = line.split_once('=').unwrap();
        let address = ("127.0.0.1", port.parse().unwrap());
        wait_for(&format!("the end of {line}"), || {
            TcpListener::bind(address).ok()
        });
    }

    let mut again = Dev::start(&project, &[], &[]);
    assert_cached(miss_and_hit(&again.url()).await);
    assert_eq!(project.read(".dev/ports"), ports);
    again.stop();

    // The module of a migration was removed.
    fs::remove_file(project.root.join("migrations/0009_expired_tokens.up.sql")).unwrap();
    fs::remove_file(project.root.join("migrations/0009_expired_tokens.down.sql")).unwrap();
    let mut removed = Dev::start(&project, &[], &[]);
    removed.url();
    let log = removed.log();
    assert!(
        log.contains("the tables of migration 9, which is not in migrations/"),
        "{log}"
    );
    assert!(log.contains("--reset"), "{log}");
}

#[tokio::test]
async fn dev_starts_memcached_where_that_is_chosen_and_says_when_a_migration_was_changed() {
    let project = Project::copy();
    project.write(".env", "CACHE_BACKEND = memcached # why\n");
    let mut dev = Dev::start(&project, &[], &[]);
    assert_cached(miss_and_hit(&dev.url()).await);
    assert!(dev.log().contains("Memcached: port "), "{}", dev.log());
    assert!(!project.read(".dev/ports").contains("redis"));
    dev.stop();

    let script = "KEPT_PORTS=$root/.dev/ports
        trap stop_servers EXIT
        start_postgres \"$root/.dev/postgres\"
        private_psql -d \"$database\" -c \"UPDATE _sqlx_migrations SET checksum = 'other' WHERE version = 1\"";
    project.shell(&[], script).succeeds();
    let log = Dev::start(&project, &[], &[]).ends();
    assert!(
        log.contains("./scripts/dev --reset begins with an empty database"),
        "{log}"
    );

    let mut reset = Dev::start(&project, &[("CACHE_ENABLED", "false")], &["--reset"]);
    reset.url();
    assert!(reset.log().contains("The cache is off"), "{}", reset.log());
    assert!(!reset.log().contains("then a hit"), "{}", reset.log());
}

#[tokio::test]
async fn a_port_that_another_program_takes_at_the_last_moment_is_given_up() {
    let project = Project::copy();
    // The program as it is, but its first start waits until the port is taken.
    let slow = format!(
        "#!/bin/sh
        if [ $# = 0 ] && [ ! -e wanted ]; then
            echo \"$SERVER_PORT\" >wanted.new; mv wanted.new wanted
            until [ -e taken ]; do sleep 0.05; done
        fi
        exec '{BINARY}' \"$@\""
    );
    project.write("slow", slow);
    let program = project.root.join("slow");
    fs::set_permissions(&program, Permissions::from_mode(0o700)).unwrap();
    let mut dev = Dev::start_program(program.to_str().unwrap(), &project, &[], &[]);
    let wanted = wait_for("the first start", || {
        fs::read_to_string(project.root.join("wanted")).ok()
    });
    let port: u16 = wanted.trim().parse().unwrap();
    let _other = TcpListener::bind(("127.0.0.1", port)).unwrap();
    project.write("taken", "");
    let url = dev.url();
    assert!(!url.ends_with(&format!(":{port}")), "{url}");
    assert_cached(miss_and_hit(&url).await);
}

/// The part of `./scripts/module remove` that builds nothing.
#[test]
fn the_migration_of_a_removed_module_is_taken_back_in_the_database_of_dev_while_it_runs_and_after()
{
    let project = Project::copy();
    for name in ["9101_mugs", "9102_cups"] {
        let table = &name[5..];
        project.write(
            &format!("{name}.up.sql"),
            format!("CREATE TABLE {table} (id bigint);"),
        );
        project.write(&format!("{name}.down.sql"), format!("DROP TABLE {table};"));
    }
    let mut dev = Dev::start(&project, &[], &[]);
    dev.url();
    // As the program does it, which is built already.
    let apply = "KEPT_PORTS=$root/.dev/ports
        . scripts/lib/dev_database.sh
        POSTGRES_PORT=$(kept_port postgres)
        POSTGRES_PASSWORD=$(cat \"$(postgres_directory \"$root/.dev/postgres\")/password\")
        for migration in 9101_mugs 9102_cups; do
            private_psql -d \"$database\" -f \"$migration.up.sql\" -c \"INSERT INTO _sqlx_migrations
                (version, description, success, checksum, execution_time) VALUES (${migration%_*}, '', true, '', 0)\"
        done";
    project.shell(&[], apply).succeeds();
    let take_back = |name: &str| {
        let script = format!(
            ". scripts/lib/dev_database.sh; take_back_in_dev_database {} {name}.down.sql",
            &name[..4]
        );
        let outcome = project.shell(&[], &script);
        let said = outcome.error.clone();
        outcome.succeeds();
        said
    };
    let done = "took its table out of the database of ./scripts/dev";
    assert!(take_back("9101_mugs").contains(done));
    assert!(!take_back("9101_mugs").contains(done), "it is gone");
    dev.stop();
    assert!(take_back("9102_cups").contains(done));

    let mut again = Dev::start(&project, &[], &[]);
    again.url();
    let log = again.log();
    assert!(!log.contains("migration 910"), "{log}");
}

#[test]
fn dev_watches_what_it_builds_alone() {
    let project = Project::copy();
    let log = Dev::start(&project, &[], &["--watch"]).ends();
    assert!(log.contains("choose one of them"), "{log}");
    assert!(!project.root.join(".dev").exists());
}

#[test]
fn dev_reports_mistakes_in_the_settings_and_starts_no_program() {
    let project = Project::copy();
    project.write(".env", "CACHE_REDIS_PASSWORD=hunter two\nSERVER_PORT=x\n");
    let log = Dev::start(&project, &[], &[]).ends();
    assert!(
        log.starts_with("CACHE_REDIS_PASSWORD in line 1 of .env has a space"),
        "{log}"
    );
    assert!(
        log.contains("SERVER_PORT in line 2 of .env holds `x`"),
        "{log}"
    );
    assert!(
        !log.contains("hunter") && !log.contains("starting"),
        "{log}"
    );
    assert!(!project.root.join(".dev/postgres").exists());
    assert!(!project.root.join(".dev/lock").exists());
}

#[test]
fn a_port_that_is_taken_is_another_one_or_a_mistake_and_the_reason_is_given() {
    let project = Project::copy();
    let choose = format!(
        ". scripts/lib/service.sh
         binary='{BINARY}' KEPT_PORTS=$root/ports
         choose_service_port 1; echo \"$SERVER_PORT $reachable_host $url_host\""
    );
    // Whether this test or another program takes it does not matter.
    let _usual = TcpListener::bind("127.0.0.1:8000");
    let outcome = project.shell(&[], &choose);
    let reason = "port 8000 is taken by another program, so the service listens on port ";
    assert!(outcome.error.contains(reason), "{outcome:?}");
    let said = outcome.succeeds();
    let port = said.split(' ').next().unwrap();
    assert_ne!(port, "8000");
    assert_eq!(project.read("ports"), format!("service={port}\n"));

    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = other.local_addr().unwrap().port().to_string();
    let outcome = project.shell(&[("PORT", &taken)], &choose);
    let expected =
        format!("port {taken}, which the environment (PORT) names, is taken by another program");
    assert!(outcome.fails().contains(&expected));

    let free = free_port().to_string();
    let environment = [("SERVER_PORT", free.as_str()), ("SERVER_HOST", "0.0.0.0")];
    let said = project.shell(&environment, &choose).succeeds();
    assert_eq!(said, format!("{free} 127.0.0.1 127.0.0.1\n"));
}
