//! The page `docs/modules.md` explains every file that is written, and its command is one.
//!
//! Come here when a module gets another file, since the page has to explain it. `./scripts/test generator` tests that the
//! written modules build and work.

use std::path::Path;

use crate::arguments::module_of;
use crate::refusal::read;
use crate::render::files;

/// The number of the migration in the example of the page.
const NUMBER: u32 = 9000;

#[test]
fn the_page_explains_every_file_that_its_command_writes() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/modules.md");
    let page = read(&page).expect("the page");
    let commands = page
        .lines()
        .filter_map(|line| line.strip_prefix("./scripts/module add "));
    let commands: Vec<&str> = commands.collect();
    assert!(!commands.is_empty(), "the page has a command");
    for command in commands {
        let module = module_of(command).expect("a module");
        for (path, _) in files(&module, NUMBER, &[]).expect("its files") {
            assert!(
                page.contains(&format!("\n**`{path}`**\n")),
                "the page does not explain {path}"
            );
        }
    }
}
