//! The command line: the help of every command, and the completions of shells.
//!
//! Come here after adding a subcommand or an option.

use std::process::Command;

use crate::starting::run;

/// What a command prints that needs no settings and no server.
#[track_caller]
fn printed(arguments: &[&str]) -> String {
    // A command that reads the settings would refuse this one.
    let output = run(&[("SERVER_PORT", "none")], arguments, "");
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The names of the commands, from the help of the program.
fn commands() -> Vec<String> {
    let help = printed(&["--help"]);
    let (_, after) = help.split_once("Commands:\n").unwrap();
    let lines = after.lines().take_while(|line| !line.is_empty());
    let names = lines.filter_map(|line| line.split_whitespace().next());
    names.map(str::to_owned).collect()
}

#[test]
fn every_command_and_every_option_has_a_help() {
    let commands = commands();
    assert!(commands.len() > 6, "{commands:?}");
    let commands = commands.iter().map(|command| vec![command.as_str()]);
    let commands = commands.chain([vec!["cache", "show"]]);
    for command in commands.filter(|command| *command != ["help"]) {
        let help = printed(&[&command, ["--help"].as_slice()].concat());
        assert!(help.contains("Usage: "), "{help}");
        let (_, options) = help.split_once("Options:\n").unwrap();
        for line in options.lines() {
            // The name stands alone where its help is on the lines below.
            let words = line.trim_start().strip_prefix('-');
            assert!(
                words.is_none_or(
                    |words| words.contains("  ") || help.contains(&format!("{line}\n   "))
                ),
                "an option of {command:?} says nothing: {line}"
            );
        }
    }
}

#[test]
fn bash_completes_every_command_by_the_printed_script() {
    let script = printed(&["completions", "bash"]);
    let bash = Command::new("bash")
        .args(["--norc", "-c"])
        .arg(format!(
            "{script}\ncompletes=$(complete -p {program} | sed 's/.* -F \\([^ ]*\\).*/\\1/')\n\
             COMP_WORDS=({program} '') COMP_CWORD=1\n\
             $completes {program} '' {program}\nprintf '%s\\n' \"${{COMPREPLY[@]}}\"",
            program = env!("CARGO_PKG_NAME")
        ))
        .output()
        .expect("bash");
    assert!(bash.status.success(), "{bash:?}");
    let offered = String::from_utf8(bash.stdout).unwrap();
    for command in commands() {
        assert!(
            offered.lines().any(|line| line == command),
            "{command} in {offered}"
        );
    }
    for (shell, marker) in [("zsh", "#compdef "), ("fish", "complete -c ")] {
        assert!(printed(&["completions", shell]).contains(marker), "{shell}");
    }
}
