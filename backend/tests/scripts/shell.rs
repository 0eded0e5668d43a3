//! Functions, options and variables that a shell exports do not change the scripts.
//!
//! Come here for a variable of somebody's shell that breaks a script.

use crate::project::Project;

#[test]
fn the_scripts_find_their_root_whatever_the_shell_hands_down() {
    let project = Project::copy();
    project.write("decoy/scripts/lib/common.sh", "echo decoy");
    let decoy = project.root.join("decoy");
    let decoy = decoy.to_str().unwrap();
    let hostile = [
        ("CDPATH", decoy),
        ("BASH_FUNC_cd%%", "() { echo a function of the shell; }"),
        (
            "BASH_FUNC_dirname%%",
            "() { echo a function of the shell; }",
        ),
        ("BASH_FUNC_say%%", "() { echo a function of the shell; }"),
        ("SHELLOPTS", "noclobber:noglob"),
        ("BASHOPTS", "failglob:nocasematch"),
        ("POSIXLY_CORRECT", "1"),
        ("GLOBIGNORE", "*"),
        ("LC_ALL", "xx_YY.UTF-8"),
        ("LANGUAGE", "de"),
        ("GREP_OPTIONS", "-v"),
    ];
    let script = "
        pwd
        echo one >a.file; echo two >a.file; cat a.file
        echo *.file
        case A in a) echo the case does not matter ;; esac
        cd scripts; pwd";
    let said = project.shell(&hostile, script).succeeds();
    let root = project.root.display();
    assert_eq!(said, format!("{root}\ntwo\na.file\n{root}/scripts\n"));
}

#[test]
fn every_script_says_how_it_is_used_from_any_directory_and_shell() {
    let project = Project::copy();
    let hostile = [("CDPATH", "/tmp:."), ("SERVER_PORT", "x")];
    for script in ["dev", "test", "bench", "module", "new", "update"] {
        for call in [
            format!("bash scripts/{script} --help"),
            format!("sh scripts/{script} --help"),
            format!("CDPATH= cd scripts && bash {script} --help"),
            format!("CDPATH= cd / && \"$OLDPWD/scripts/{script}\" --help"),
        ] {
            let said = project.run(&hostile, &["-c", &call]).succeeds();
            let usage = format!("Usage: ./scripts/{script} ");
            assert!(said.starts_with(&usage), "{call}: {said}");
        }
    }
}

#[test]
fn variables_that_lead_psql_the_build_or_redis_elsewhere_are_not_handed_down() {
    let project = Project::copy();
    let hostile = [
        ("PGHOST", "elsewhere"),
        ("PGPORT", "1"),
        ("PGOPTIONS", "-c nonsense=1"),
        ("PGSSLMODE", "verify-full"),
        ("PGSERVICE", "elsewhere"),
        ("SQLX_OFFLINE", "false"),
        ("SQLX_OFFLINE_DIR", "/nowhere"),
        ("REDISCLI_AUTH", "hunter2"),
        ("BASH_ENV", "/dev/null"),
        ("KEPT", "as it is"),
    ];
    let environment = project.shell(&hostile, "env").succeeds();
    for (name, _) in hostile.iter().filter(|(name, _)| *name != "KEPT") {
        assert!(
            !environment.contains(&format!("\n{name}=")),
            "{environment}"
        );
    }
    assert!(environment.contains("KEPT=as it is"), "{environment}");
}

#[test]
fn settings_are_forgotten_by_scripts_that_must_not_depend_on_them() {
    let project = Project::copy();
    let example = project.read(".env.example");
    let names: Vec<String> = example
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once('='))
        .flat_map(|(name, _)| [name.to_owned(), format!("{name}_FILE")])
        .chain(["PORT".to_owned()])
        .collect();
    assert!(names.len() > 40, "{names:?}");
    let hostile: Vec<_> = names.iter().map(|name| (name.as_str(), "x")).collect();
    let environment = project.shell(&hostile, "forget_settings; env").succeeds();
    for name in &names {
        assert!(
            !environment.contains(&format!("\n{name}=")),
            "{name} in {environment}"
        );
    }
}

#[test]
fn messages_are_plain_without_a_terminal() {
    let project = Project::copy();
    let outcome = project.shell(&[], "say hello; fail 'no reason'");
    assert_eq!(outcome.fails(), "==> hello\nerror: no reason\n");
}

#[test]
fn a_build_reads_no_dotenv() {
    let lock = include_str!("../../../Cargo.lock");
    let (_, after) = lock.split_once("name = \"dotenvy\"\n").unwrap();
    let package = after.split("\n\n").next().unwrap();
    assert!(
        !package.contains("source = "),
        "sqlx's macros use the real dotenvy again: see patches/dotenvy/src/lib.rs"
    );
}

#[test]
fn the_watch_sees_a_file_that_is_written_added_or_removed_and_the_end_of_the_service() {
    let project = Project::copy();
    project.write("backend/src/lib.rs", "");
    let watch = ". scripts/lib/watch.sh
        mkdir .dev; touch .dev/built; sleep 600 & service=$!
        trap 'kill $service' EXIT
        saw() { wait_for_change \"$service\" && echo changed || echo ended; touch .dev/built; }
        (sleep 0.3; echo 'fn main() {}' >backend/src/lib.rs) & saw
        (sleep 0.3; touch -d '2000-01-01' migrations/new.up.sql) & saw
        (sleep 0.3; rm backend/src/lib.rs) & saw
        (sleep 0.3; kill $service) & saw
        trap - EXIT";
    let seen = project.shell(&[], watch).succeeds();
    assert_eq!(seen, "changed\nchanged\nchanged\nended\n");
}

#[test]
fn a_step_says_how_long_it_took_the_last_time() {
    let project = Project::copy();
    let steps = ". scripts/lib/service.sh
        mkdir .dev
        begin_step build building 300; end_step; cat .dev/times; begin_step build building 300";
    let outcome = project.shell(&[], steps);
    assert!(
        outcome
            .error
            .starts_with("==> building (the first time: about 300 s)\n==> building (last time: 0."),
        "{outcome:?}"
    );
    assert!(outcome.succeeds().starts_with("build=0."));
}
