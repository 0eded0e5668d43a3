//! Starting: settings, commands, ports.
//!
//! Come here for what the program does before its first request. Migrations are in `migrations`, and the end is in `stopping`.

use std::io::Write;
use std::process::{Output, Stdio};

use reqwest::Method;
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};

use crate::support::database::TestDatabase;
use crate::support::server::{Kind, Server};
use crate::support::service::{TestService, command};
use crate::support::{eventually, unique};

pub fn run(environment: &[(&str, &str)], arguments: &[&str], input: &str) -> Output {
    let mut process = command(environment)
        .args(arguments)
        .stdin(Stdio::piped())
        .spawn()
        .expect("the binary");
    // It may have ended without reading.
    let _ = process
        .stdin
        .take()
        .expect("its input")
        .write_all(input.as_bytes());
    process.wait_with_output().expect("its output")
}

pub fn errors(output: &Output) -> Vec<String> {
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    String::from_utf8_lossy(&output.stderr)
        .lines()
        .map(str::to_owned)
        .collect()
}

#[test]
fn every_mistake_in_the_settings_stops_the_start_with_one_line_each() {
    let environment = [
        ("CACHE_BACKND", "redis"),
        ("CACHE_BACKEND", "rediss"),
        ("SERVER_PORT", "70000"),
        ("DEFAULT_CACHE_EXPIRATION", "0"),
        ("DATABASE_URL", "mysql://user:hunter2@host/db"),
        ("CACHE_PORT", "tcp://10.0.0.1:6379"),
    ];
    let lines = errors(&run(&environment, &[], ""));
    assert_eq!(lines.len(), 5, "{lines:#?}");
    for named in [
        "CACHE_BACKND",
        "CACHE_BACKEND",
        "SERVER_PORT",
        "DEFAULT_CACHE_EXPIRATION",
        "DATABASE_URL",
    ] {
        assert!(
            lines.iter().any(|line| line.starts_with(named)),
            "{named} in {lines:#?}"
        );
    }
    assert!(
        lines
            .iter()
            .any(|line| line.contains("did you mean CACHE_BACKEND")),
        "{lines:#?}"
    );
    assert!(
        lines
            .iter()
            .any(|line| line.contains("redis, memcached or memory")),
        "{lines:#?}"
    );
    assert!(!lines.concat().contains("hunter2"), "{lines:#?}");
}

#[tokio::test]
async fn a_dotenv_file_is_read_and_the_environment_wins_over_it() {
    let database = TestDatabase::create().await;
    let directory = std::env::temp_dir().join(unique("dotenv"));
    std::fs::create_dir(&directory).unwrap();
    let file = format!(
        "DATABASE_URL={}\nSERVER_PORT=nonsense\nCACHE_ENABLED=false\n",
        database.url()
    );
    std::fs::write(directory.join(".env"), file).unwrap();
    let migrate = |environment: &[(&str, &str)]| {
        let output = command(environment)
            .current_dir(&directory)
            .arg("migrate")
            .output()
            .unwrap();
        (
            output.status.success(),
            String::from_utf8_lossy(&output.stderr).into_owned(),
        )
    };
    let (started, error) = migrate(&[]);
    assert!(
        !started && error.contains("SERVER_PORT in line 2 of .env holds `nonsense`"),
        "{error}"
    );
    let (started, error) = migrate(&[("SERVER_PORT", "0")]);
    assert!(started, "{error}");
    std::fs::write(directory.join(".env"), "CACHE_TTL=5\n").unwrap();
    let (started, error) = migrate(&[]);
    assert!(!started && error.contains("CACHE_TTL"), "{error}");
    std::fs::remove_dir_all(&directory).unwrap();
}

#[tokio::test]
async fn an_unknown_name_with_our_prefix_in_the_environment_is_a_warning() {
    let service = TestService::start_with(&[("CACHE_PORT", "tcp://10.0.0.1:6379")]).await;
    let log = service.log();
    assert!(
        log.iter().any(|line| line["level"] == "WARN"
            && line["message"].as_str().unwrap().contains("CACHE_PORT"))
    );
}

#[test]
fn an_unavailable_database_stops_the_start_with_a_sentence() {
    let environment = [
        ("DATABASE_URL", "postgres://nobody@127.0.0.1:1/none"),
        ("DATABASE_CONNECT_TIMEOUT", "1"),
    ];
    for arguments in [&["serve"][..], &["migrate"]] {
        let lines = errors(&run(&environment, arguments, ""));
        assert_eq!(lines.len(), 1, "{lines:#?}");
        assert!(
            lines[0].contains("is PostgreSQL running, and is DATABASE_URL right?"),
            "{lines:#?}"
        );
    }
}

#[tokio::test]
async fn a_port_that_is_taken_stops_the_start_with_a_sentence() {
    let database = TestDatabase::create().await;
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let url = database.url();
    let lines = errors(&run(
        &[
            ("DATABASE_URL", &url),
            ("SERVER_PORT", &port),
            ("CACHE_ENABLED", "false"),
            ("LOG_LEVEL", "off"),
        ],
        &[],
        "",
    ));
    assert!(lines[0].contains("SERVER_PORT"), "{lines:#?}");
}

#[test]
fn directives_that_leave_out_a_crate_are_warned_of_in_the_log_whichever_crate_it_is() {
    for log_level in ["backend=debug", "infrastructure=info", "response_cache=off"] {
        let environment = [
            ("DATABASE_URL", "postgres://backend@127.0.0.1:1/none"),
            ("DATABASE_CONNECT_TIMEOUT", "1"),
            ("LOG_LEVEL", log_level),
        ];
        let output = run(&environment, &[], "");
        let log = String::from_utf8_lossy(&output.stdout);
        assert!(
            log.contains(&format!("LOG_LEVEL holds `{log_level}`")),
            "{log}"
        );
    }
}

#[tokio::test]
async fn c29_c30_the_service_starts_without_its_cache_is_ready_and_uses_it_later() {
    for (backend, setting) in [
        ("redis", "CACHE_REDIS_PORT"),
        ("memcached", "CACHE_MEMCACHED_PORT"),
    ] {
        let reserved = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = reserved.local_addr().unwrap().port();
        drop(reserved);
        let port_text = port.to_string();
        let service =
            TestService::start_with(&[("CACHE_BACKEND", backend), (setting, &port_text)]).await;
        let answer = service.get("/widgets/count").await.expect(200);
        assert!(
            answer.header("cache-status").contains("detail=unavailable"),
            "{answer:#?}"
        );
        let ready = async || {
            service
                .send(service.request(Method::GET, "/health/ready"))
                .await
                .expect(200)
                .json()
        };
        assert_eq!(
            ready().await,
            json!({"status": "ready", "checks": {"database": "up", "cache": "down"}})
        );
        eventually("the log says so", async || {
            service.log().into_iter().any(|line| {
                line["message"]
                    .as_str()
                    .unwrap_or_default()
                    .starts_with("Cache backend not available: ")
                    && line["backend"] == backend
            })
        })
        .await;
        let target = crate::support::variable(if backend == "redis" {
            "TEST_REDIS_PORT"
        } else {
            "TEST_MEMCACHED_PORT"
        });
        let _server = forward(port, target.parse().unwrap()).await;
        eventually("answers come from the cache", async || {
            service.get("/widgets/count").await.is_hit()
        })
        .await;
        assert_eq!(ready().await["checks"]["cache"], "up");
    }
}

/// Forwards a port to a server from now on.
async fn forward(port: u16, target: u16) -> tokio::task::JoinHandle<()> {
    let listener = TcpListener::bind(("127.0.0.1", port))
        .await
        .expect("the port is still free");
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            tokio::spawn(async move {
                if let Ok(mut server) = TcpStream::connect(("127.0.0.1", target)).await {
                    let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
                }
            });
        }
    })
}

#[tokio::test]
async fn c30_a_disabled_cache_is_reported_as_that() {
    let service = TestService::start_with(&[("CACHE_ENABLED", "false")]).await;
    let ready = service
        .send(service.request(Method::GET, "/health/ready"))
        .await
        .expect(200)
        .json();
    assert_eq!(
        ready,
        json!({"status": "ready", "checks": {"database": "up", "cache": "disabled"}})
    );
    assert_eq!(
        service
            .send(service.request(Method::GET, "/health"))
            .await
            .expect(200)
            .json(),
        json!({"status": "healthy"})
    );
}

#[tokio::test]
async fn c59_a_near_cache_that_redis_refuses_is_reported_by_health() {
    let server = Server::start(Kind::Redis);
    let user = "ACL SETUSER default on nopass ~* &* +@all -client";
    assert_eq!(server.say(user), "+OK");
    let port = server.port.to_string();
    let environment = [("CACHE_NEAR", "true"), ("CACHE_REDIS_PORT", port.as_str())];
    let service = TestService::start_with(&environment).await;
    eventually("health reports it", async || {
        let ready = service.request(Method::GET, "/health/ready");
        let ready = service.send(ready).await.expect(200).json();
        let detail = ready["checks"]["cache_detail"].as_str().unwrap_or_default();
        ready["checks"]["cache"] == "up" && detail.contains("near cache off")
    })
    .await;
}
