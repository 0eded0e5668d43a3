//! The files of the deployment, held against the settings, the workspace and the rules of `docs/production.md`.
//!
//! Come here for a rule about the image, the compose files, the manifests of Kubernetes or CI. Their schemas are checked by
//! CI, in the job `deployment`.

use std::fs;

use crate::pages::root;
use crate::variables::{is_variable, known};

const COMPOSE: [&str; 2] = ["docker-compose.yml", "docker-compose.production.yml"];
const MANIFESTS: [&str; 2] = [
    "deploy/kubernetes/backend.yaml",
    "deploy/kubernetes/migrate.yaml",
];
/// Seconds that the service takes to finish requests under way, and a margin.
const SHUTDOWN: u64 = 30 + 5;

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// What stands after `name` in each of its lines, without quotes.
fn values<'a>(text: &'a str, name: &'a str) -> impl Iterator<Item = &'a str> {
    text.lines()
        .filter_map(move |line| line.trim().trim_start_matches("- ").strip_prefix(name))
        .map(|value| value.trim().trim_matches('"'))
}

/// The lines of a compose file's services: the name of each and what it says.
fn services(text: &str) -> Vec<(String, String)> {
    let body = text.split("\nservices:\n").nth(1).expect("services");
    let mut services: Vec<(String, String)> = Vec::new();
    for line in body
        .lines()
        .take_while(|line| line.is_empty() || line.starts_with([' ', '#']))
    {
        let is_name = line.starts_with("  ") && !line.starts_with("   ") && line.ends_with(':');
        if is_name {
            services.push((line.trim().trim_end_matches(':').to_owned(), String::new()));
        } else if let Some((_, text)) = services.last_mut() {
            text.push_str(line);
            text.push('\n');
        }
    }
    assert!(services.len() >= 4, "the services were found: {services:?}");
    services
}

#[test]
fn every_variable_that_a_deployment_sets_is_a_setting() {
    let known = known();
    let mut checked = 0;
    for path in [
        &COMPOSE[..],
        &MANIFESTS,
        &["backend/Dockerfile", "deploy/Caddyfile"],
    ]
    .concat()
    {
        let text = read(path);
        for name in text.split(|part: char| !part.is_ascii_alphanumeric() && part != '_') {
            if !is_variable(name) || name.ends_with('_') {
                continue;
            }
            checked += 1;
            let secret = name.strip_suffix("_FILE").unwrap_or(name);
            assert!(
                known.contains(name) || known.contains(secret),
                "{path} names {name}"
            );
        }
    }
    assert!(checked > 20, "variables were found");
}

#[test]
fn a_program_that_gets_sigterm_has_the_time_to_end() {
    let manifest = read("deploy/kubernetes/backend.yaml");
    let number = |name: &str| -> u64 {
        let value = values(&manifest, name).next().expect("a value");
        value.parse().expect("seconds")
    };
    assert_eq!(
        number("terminationGracePeriodSeconds:"),
        number("SERVER_SHUTDOWN_DELAY:") + SHUTDOWN
    );
    let (_, backend) = services(&read("docker-compose.yml")).remove(0);
    assert_eq!(values(&backend, "stop_grace_period:").next(), Some("35s"));
}

#[test]
fn every_container_is_confined_and_bounded() {
    let base = services(&read(COMPOSE[0]));
    let production = services(&read(COMPOSE[1]));
    // What the second file says of a service of the first comes on top of that.
    let added = production
        .iter()
        .filter(|(name, _)| !base.iter().any(|(known, _)| known == name));
    for (name, text) in base.iter().chain(added) {
        for needed in ["<<: *container", "cpus:", "memory:", "pids:"] {
            assert!(text.contains(needed), "{name} has no `{needed}`");
        }
    }
    for path in COMPOSE {
        let text = read(path);
        for needed in [
            "read_only: true",
            "cap_drop: [ALL]",
            "no-new-privileges:true",
            "max-size:",
        ] {
            assert!(text.contains(needed), "{path} has no `{needed}`");
        }
        assert!(!text.contains("privileged:"), "{path}");
    }
    for path in MANIFESTS {
        let text = read(path);
        for needed in [
            "runAsNonRoot: true",
            "enableServiceLinks: false",
            "automountServiceAccountToken: false",
            "readOnlyRootFilesystem: true",
            "allowPrivilegeEscalation: false",
            "drop: [\"ALL\"]",
            "type: RuntimeDefault",
            "limits:",
        ] {
            assert!(text.contains(needed), "{path} has no `{needed}`");
        }
    }
}

#[test]
fn only_the_proxy_is_open_to_the_network() {
    for (name, text) in services(&read(COMPOSE[0])) {
        if text.contains("ports:") {
            assert!(text.contains("- \"127.0.0.1:"), "{name}");
        }
    }
    for (name, text) in services(&read(COMPOSE[1])) {
        let opens = text.contains("ports:") && !text.contains("ports: !reset []");
        assert_eq!(opens, name == "caddy", "{name}");
    }
}

#[test]
fn images_and_actions_are_pinned() {
    let mut checked = 0;
    for path in COMPOSE {
        let text = read(path);
        for image in values(&text, "image:").filter(|image| !image.contains("BACKEND_IMAGE")) {
            let (_, tag) = image.split_once(':').expect("a tag");
            let digits = tag
                .split(|part: char| !part.is_ascii_digit() && part != '.')
                .next();
            assert!(
                digits.is_some_and(|digits| digits.contains('.')),
                "{path}: {image}"
            );
            checked += 1;
        }
    }
    for entry in fs::read_dir(root().join(".github/workflows")).expect("workflows") {
        let text = fs::read_to_string(entry.expect("an entry").path()).expect("text");
        for action in values(&text, "uses:") {
            let (_, reference) = action.split_once('@').expect("a version");
            let (commit, version) = reference.split_once(" # v").unwrap_or_default();
            let is_hash = commit.len() == 40 && commit.bytes().all(|byte| byte.is_ascii_hexdigit());
            assert!(is_hash && !version.is_empty(), "{action}");
            checked += 1;
        }
    }
    assert!(checked > 6, "images and actions were found");
}

#[test]
fn the_image_gets_the_manifest_of_every_member_of_the_workspace_and_names_the_service_and_its_parts_alone()
 {
    let (dockerfile, ignored) = (read("backend/Dockerfile"), read(".dockerignore"));
    for member in members() {
        // The infrastructure and the cache come with the sources of the service.
        let is_source = member.starts_with("backend/src/");
        let sent = format!("!{member}/Cargo.toml");
        assert!(
            is_source || ignored.lines().any(|line| line == sent),
            ".dockerignore has no `{sent}`"
        );
        if is_source {
            // Empty in the layer of dependencies, and newer than that in the layer of the sources.
            let root = format!(" {member}/mod.rs ");
            let touched = dockerfile.matches(&root).count();
            assert_eq!(touched, 2, "{member} in backend/Dockerfile");
            continue;
        }
        let is_named = dockerfile.contains(&member);
        assert_eq!(
            is_named,
            member == "backend",
            "{member} in backend/Dockerfile"
        );
    }
}

/// The members of the workspace, by their folders.
fn members() -> Vec<String> {
    let workspace = read("Cargo.toml");
    let members = workspace.split("members = [").nth(1).expect("members");
    let members = members.split(']').next().expect("their end");
    let members = members
        .lines()
        .map(|line| line.trim().trim_matches([',', '"']));
    let members: Vec<_> = members.filter(|member| !member.is_empty()).collect();
    assert!(members.len() >= 2, "the members were found");
    members.into_iter().map(str::to_owned).collect()
}
