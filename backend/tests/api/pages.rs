//! The commands of the pages, run against the service: README.md shows their answers, docs/accounts.md says them.
//!
//! Come here when such a command changes. Whether the scripts that a page names exist is tested in `tests/documentation`.

use std::process::Command;

use serde_json::json;

use crate::support::service::{Service, TestService};

const README: &str = include_str!("../../../README.md");
const ACCOUNTS: &str = include_str!("../../../docs/accounts.md");

/// Runs commands of a page in a shell, at the address of the service. Gives what they print.
async fn run(service: &Service, token: &str, commands: &str) -> String {
    assert!(
        commands.contains("127.0.0.1:8000"),
        "the address of the pages"
    );
    let commands = commands.replace("127.0.0.1:8000", service.address());
    let mut shell = Command::new("bash");
    shell.args(["-euo", "pipefail", "-c", &commands]);
    shell
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap());
    shell.env("TOKEN", token);
    let output = tokio::task::spawn_blocking(move || shell.output().expect("a shell"));
    let output = output.await.unwrap();
    assert!(output.status.success(), "{commands}: {output:?}");
    String::from_utf8(output.stdout)
        .unwrap()
        .replace("\r\n", "\n")
}

/// The code blocks of a language below a heading.
fn blocks(page: &str, heading: &str, language: &str) -> Vec<String> {
    let (_, section) = page.split_once(&format!("\n{heading}\n")).expect(heading);
    let section = section.split("\n## ").next().unwrap();
    let opening = format!("```{language}\n");
    let blocks = section.split(&opening).skip(1);
    blocks
        .map(|block| block.split("```").next().unwrap().to_owned())
        .collect()
}

/// Whether a line is as a page shows it, which has `…` for what it leaves out.
fn is_shown_as(line: &str, shown: &str) -> bool {
    // These are others each time.
    let name = shown.split_once(": ").map_or("", |(name, _)| name);
    if ["etag", "age"].contains(&name) {
        return line.starts_with(&format!("{name}: "));
    }
    let without_ttl = |text: &str| match text.split_once("ttl=") {
        Some((before, after)) => {
            let after = after.trim_start_matches(|digit: char| digit.is_ascii_digit());
            format!("{before}ttl={after}")
        }
        None => text.to_owned(),
    };
    let (line, shown) = (without_ttl(line), without_ttl(shown));
    let mut parts = shown.split('…');
    let Some(mut rest) = line.strip_prefix(parts.next().unwrap_or_default()) else {
        return false;
    };
    for part in parts {
        match rest.find(part) {
            Some(position) => rest = &rest[position + part.len()..],
            None => return false,
        }
    }
    rest.is_empty() || shown.ends_with('…')
}

#[tokio::test]
async fn the_commands_of_the_readme_answer_as_it_shows() {
    let service = TestService::start().await;
    let admin = service.admin().await;
    // A clone without the example shows a user instead.
    if README.contains("/api/v1/widgets/1") {
        let cog = json!({"name": "Cog", "description": "Turns when its neighbour turns"});
        assert_eq!(
            service.create(&admin, "/widgets", cog).await,
            "/widgets/1",
            "as in the database of ./scripts/dev"
        );
    }
    let mut checked = 0;
    for block in blocks(README, "## A miss, a hit, an invalidation", "text") {
        for shown in block.split("$ ").skip(1) {
            let (command, mut answer) = shown.split_once('\n').unwrap();
            let mut command = command.to_owned();
            while command.ends_with('\\') {
                let (more, rest) = answer.split_once('\n').unwrap();
                command = format!("{command}\n{more}");
                answer = rest;
            }
            let printed = run(&service, &admin, &command).await;
            for line in answer.lines().filter(|line| !line.is_empty()) {
                assert!(
                    printed.lines().any(|printed| is_shown_as(printed, line)),
                    "{command}\nhas no line like\n{line}\nin\n{printed}"
                );
                checked += 1;
            }
        }
    }
    assert!(checked > 10, "the answers were found");
}

#[tokio::test]
async fn the_commands_of_the_page_make_an_ordinary_user_who_signs_in() {
    let service = TestService::start().await;
    let script = blocks(ACCOUNTS, "## An ordinary user", "sh").concat();
    let printed = run(&service, "", &script).await;
    let statuses: Vec<&str> = printed
        .lines()
        .filter_map(|line| line.split_once("HTTP/1.1 "))
        .map(|(_, status)| &status[..3])
        .collect();
    assert_eq!(statuses, ["201", "200", "403"], "{printed}");
    assert!(printed.contains("\"is_superuser\":false"), "{printed}");
}

#[test]
fn what_a_page_leaves_out_may_be_anything() {
    for (line, shown, is_so) in [
        ("HTTP/1.1 200 OK", "HTTP/1.1 200 OK", true),
        ("HTTP/1.1 404 Not Found", "HTTP/1.1 200 OK", false),
        (
            "cache-status: backend; hit; ttl=7; key=\"a\"",
            "cache-status: backend; hit; ttl=594; key=\"a\"",
            true,
        ),
        (
            "cache-status: backend; hit; ttl=7; key=\"b\"",
            "cache-status: backend; hit; ttl=594; key=\"a\"",
            false,
        ),
        ("{\"id\":1,\"name\":\"Cog\"}", "{\"id\":1,…}", true),
        ("{\"id\":2,\"name\":\"Cog\"}", "{\"id\":1,…}", false),
        (
            "cache-status: backend; fwd=method; key",
            "cache-status: backend; fwd=method; …",
            true,
        ),
    ] {
        assert_eq!(is_shown_as(line, shown), is_so, "{line}, {shown}");
    }
}
