//! The private Redis and Memcached, and the ports of private servers.
//!
//! Come here after changing `scripts/lib/servers.sh`. The private PostgreSQL is in `postgres`.

use std::net::TcpListener;

use crate::project::Project;
use crate::support::server::free_port;

#[test]
fn a_server_gets_the_port_that_it_had_last_time_unless_that_is_taken() {
    let project = Project::copy();
    let port = free_port();
    let script = format!(
        "KEPT_PORTS=$root/ports
         keep_port redis 1; keep_port postgres 2; keep_port redis {port}
         kept_port redis; kept_port postgres; kept_port memcached
         choose_port redis 1"
    );
    let said = project.shell(&[], &script).succeeds();
    assert_eq!(said, format!("{port}\n2\n{port}\n"));
    assert_eq!(project.read("ports"), format!("postgres=2\nredis={port}\n"));

    let _other = TcpListener::bind(("127.0.0.1", port)).unwrap();
    let outcome = project.shell(&[], "KEPT_PORTS=$root/ports; choose_port redis 1");
    assert!(
        outcome.error.contains(&format!(
            "port {port}, which redis had last time, is taken by another program"
        )),
        "{outcome:?}"
    );
    assert_ne!(outcome.succeeds(), format!("{port}\n"));
}

#[test]
fn redis_takes_any_password_and_shows_it_in_no_argument() {
    let project = Project::copy();
    let password = r#"a "b" \c $d 'e' #f \n"#;
    let script = r#"
        trap stop_servers EXIT
        start_redis "$root/redis" "$PASSWORD"
        kill -0 $STARTED_PIDS
        ask() { redis-cli -p "$REDIS_PORT" "$@" 2>&1; }
        ask ping
        REDISCLI_AUTH=$PASSWORD ask ping
        tr '\0' ' ' <"/proc/${STARTED_PIDS# }/cmdline" 2>/dev/null || ps -o args= -p $STARTED_PIDS
        "#;
    let said = project.shell(&[("PASSWORD", password)], script).succeeds();
    let lines: Vec<_> = said.lines().filter(|line| !line.is_empty()).collect();
    assert!(lines[0].starts_with("NOAUTH"), "{said}");
    assert_eq!(lines[1], "PONG", "{said}");
    assert!(lines[2].contains("redis-server"), "{said}");
    assert!(!said.contains("\"b\""), "{said}");
}

#[test]
fn redis_without_a_password_asks_for_none() {
    let project = Project::copy();
    let script = "trap stop_servers EXIT
        start_redis \"$root/redis\"
        redis-cli -p \"$REDIS_PORT\" ping
        stop_servers
        tries=0
        while is_taken \"$REDIS_PORT\"; do tries=$((tries + 1)); [ $tries -lt 200 ]; sleep 0.1; done";
    assert_eq!(project.shell(&[], script).succeeds(), "PONG\n");
}

#[test]
fn a_port_at_which_another_program_answers_is_not_that_of_a_process_that_ended() {
    let project = Project::copy();
    let other = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = other.local_addr().unwrap().port();
    let script = format!(
        "is_taken {port}
         sleep 0.5 &
         if wait_for_port {port} $!; then echo the port of another; fi
         trap stop_servers EXIT
         start_redis \"$root/redis\"
         listens \"$REDIS_PORT\" $STARTED_PIDS
         if listens {port} $STARTED_PIDS; then echo the port of another; fi"
    );
    assert_eq!(project.shell(&[], &script).succeeds(), "");
}
