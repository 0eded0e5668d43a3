//! The members of the workspace beside the service, its infrastructure and its cache: each can be deleted.
//!
//! Come here when a clone needs no benches, or another program of the project becomes a member.

use std::fs;
use std::process::Command;

use crate::repository::Repository;

#[test]
fn deleting_a_member_but_the_service_and_its_parts_takes_its_folder_and_one_line_of_the_manifest() {
    let copy = Repository::template();
    let workspace = copy.0.read("Cargo.toml");
    let members = workspace.split("members = [\n").nth(1).expect("members");
    let lines = members.lines().take_while(|line| line.starts_with(' '));
    let others: Vec<&str> = lines
        .filter(|line| !line.contains("\"backend\"") && !line.contains("\"backend/src/"))
        .collect();
    assert!(!others.is_empty(), "the members were found");
    for line in others {
        let folder = line.trim().trim_matches(['"', ',']);
        fs::remove_dir_all(copy.0.root.join(folder)).expect(folder);
        copy.replace("Cargo.toml", &format!("{line}\n"), "");
        // It reads every manifest, finds the sources of every target, and takes the member out of Cargo.lock.
        let update = Command::new("cargo")
            .args(["update", "--workspace", "--offline"])
            .current_dir(&copy.0.root)
            .output()
            .expect("cargo");
        let said = String::from_utf8_lossy(&update.stderr);
        assert!(update.status.success(), "{folder}: {said}");
        copy.git(&["checkout", "-q", "."]);
    }
}
