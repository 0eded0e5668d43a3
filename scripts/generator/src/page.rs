//! The page `docs/modules.md` shows what is written, and every kind of module can be written.
//!
//! Come here when a template has changed: the page has to show the same text. Whether what is written also builds and works is
//! tested by `./scripts/test generator`.

use std::collections::BTreeMap;
use std::path::Path;

use crate::arguments::module_of;
use crate::refusal::read;
use crate::render::files;

/// The module of the page, and the number of its migration there.
const EXAMPLE: &str = "notes text:text pinned:boolean --owned";
const NUMBER: u32 = 9000;

#[test]
fn the_page_shows_the_command_and_every_file_as_it_is_written() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/modules.md");
    let page = read(&page).expect("the page");
    assert!(page.contains(&format!("\n./scripts/module add {EXAMPLE}\n")));
    let mut shown = BTreeMap::new();
    for part in page.split("\n**`").skip(1) {
        let (path, rest) = part.split_once("`**").expect("the end of the path");
        let (_, code) = rest.split_once("```").expect("a block of code");
        let (code, _) = code.split_once("\n```").expect("the end of the block");
        let (_, code) = code.split_once('\n').expect("a line of code");
        shown.insert(path.to_owned(), format!("{code}\n"));
    }
    let module = module_of(EXAMPLE).expect("a module");
    for (path, text) in files(&module, NUMBER, &[]).expect("its files") {
        let shown = shown
            .get(&path)
            .unwrap_or_else(|| panic!("the page does not show {path}"));
        assert_eq!(*shown, text, "{path}");
    }
}
