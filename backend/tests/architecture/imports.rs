//! The uses between the files of a tree of modules: the paths in their code, followed through the
//! re-exports of each `mod.rs`.
//!
//! Come here when a rule of `wing` misses an import or reports a false one. No rule is here.

use std::collections::{BTreeMap, BTreeSet};

use crate::sources::{Source, code};

/// A tree of modules: the files below one folder, by their paths from there.
pub struct Tree {
    /// The beginning of the tree's paths, such as `crate::`.
    prefix: String,
    /// The module of each file, such as `["breaker", "health"]`, and its code.
    modules: BTreeMap<Vec<String>, Module>,
}

struct Module {
    path: String,
    is_folder: bool,
    /// The code without re-exports.
    code: String,
    /// From a name that a `mod.rs` re-exports to the file that has it.
    exports: BTreeMap<String, Vec<String>>,
}

impl Tree {
    /// The tree of the files below a folder.
    pub fn new(files: &[Source], folder: &str, prefix: &str) -> Self {
        let mut modules = BTreeMap::new();
        for (path, text) in files {
            let Some(inside) = path.strip_prefix(folder) else {
                continue;
            };
            let Some(name) = inside.strip_suffix(".rs") else {
                continue;
            };
            let mut module: Vec<String> = name.split('/').map(str::to_owned).collect();
            let is_folder = module.last().is_some_and(|last| last == "mod");
            if is_folder {
                module.pop();
            }
            // Tests beside the sources may use everything.
            if module.iter().any(|part| part == "tests") {
                continue;
            }
            let (code, exports) = without_exports(&without_restrictions(text), &module);
            let path = path.clone();
            let found = Module {
                path,
                is_folder,
                code,
                exports,
            };
            modules.insert(module, found);
        }
        Self {
            prefix: prefix.to_owned(),
            modules,
        }
    }

    /// For each file, the files that it uses.
    pub fn uses(&self) -> BTreeMap<&str, BTreeSet<&str>> {
        self.modules
            .iter()
            .map(|(name, module)| {
                let used = self.paths(name, &module.code);
                let used = used.iter().filter_map(|path| self.file_of(path));
                let used = used.filter(|file| *file != module.path).collect();
                (module.path.as_str(), used)
            })
            .collect()
    }

    /// The paths in some code that lead into the tree, from its top.
    fn paths(&self, module: &[String], code: &str) -> Vec<Vec<String>> {
        let mut found = Vec::new();
        for (start, _) in code.match_indices(self.prefix.as_str()) {
            expand(&[], &code[start + self.prefix.len()..], &mut found);
        }
        for (start, _) in code.match_indices("super::") {
            // `super::super::` is read from its beginning.
            if code[..start].ends_with("super::") {
                continue;
            }
            let mut above = module.to_vec();
            let mut rest = &code[start..];
            while let Some(after) = rest.strip_prefix("super::") {
                above.pop();
                rest = after;
            }
            expand(&above, rest, &mut found);
        }
        found
    }

    /// The file that a path leads to: the last one on it that is a module, through re-exports.
    fn file_of(&self, path: &[String]) -> Option<&str> {
        let mut module: Vec<String> = Vec::new();
        for part in path {
            let below = [module.as_slice(), std::slice::from_ref(part)].concat();
            if self.modules.contains_key(&below) {
                module = below;
                continue;
            }
            let exported = self
                .modules
                .get(&module)
                .filter(|found| found.is_folder)
                .and_then(|found| found.exports.get(part));
            return match exported {
                Some(from) => self.file_of(&[from.as_slice(), std::slice::from_ref(part)].concat()),
                None => self.modules.get(&module).map(|found| found.path.as_str()),
            };
        }
        self.modules.get(&module).map(|found| found.path.as_str())
    }
}

/// The code of a file without `pub(in …)`, whose path is no use of anything.
fn without_restrictions(text: &str) -> String {
    let code = code(text)
        .collect::<Vec<_>>()
        .join("\n")
        // For links in the documentation only.
        .replace("#[cfg(doc)]\nuse super::", "");
    let mut kept = String::new();
    for (index, part) in code.split("pub(in ").enumerate() {
        if index == 0 {
            kept.push_str(part);
        } else {
            kept.push_str("pub(super)");
            kept.push_str(part.split_once(')').map_or("", |(_, after)| after));
        }
    }
    kept
}

/// The code of a file without its re-exports, and these by name.
fn without_exports(code: &str, module: &[String]) -> (String, BTreeMap<String, Vec<String>>) {
    let mut kept = String::new();
    let mut exports = BTreeMap::new();
    let mut rest = code;
    while let Some(start) = ["pub use ", "pub(super) use ", "pub(crate) use "]
        .iter()
        .filter_map(|export| Some((rest.find(export)?, export.len())))
        .min()
    {
        kept.push_str(&rest[..start.0]);
        let (statement, after) = rest[start.0 + start.1..]
            .split_once(';')
            .unwrap_or_default();
        let mut paths = Vec::new();
        expand(module, statement, &mut paths);
        for mut path in paths {
            if let Some(name) = path.pop() {
                exports.insert(name, path);
            }
        }
        rest = after;
    }
    kept.push_str(rest);
    (kept, exports)
}

/// Every path that a path with braces stands for, behind `above`.
fn expand(above: &[String], text: &str, found: &mut Vec<Vec<String>>) {
    let text = text.trim_start();
    if let Some(inside) = text.strip_prefix('{') {
        let mut depth = 0;
        let mut begin = 0;
        for (index, character) in inside.char_indices() {
            match character {
                '{' => depth += 1,
                '}' if depth == 0 => {
                    expand(above, &inside[begin..index], found);
                    return;
                }
                '}' => depth -= 1,
                ',' if depth == 0 => {
                    expand(above, &inside[begin..index], found);
                    begin = index + 1;
                }
                _ => {}
            }
        }
        return;
    }
    let end = text
        .find(|character: char| !character.is_alphanumeric() && character != '_')
        .unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    if name.is_empty() {
        return;
    }
    let mut path = above.to_vec();
    if name != "self" {
        path.push(name.to_owned());
    }
    match rest.strip_prefix("::") {
        Some(rest)
            if rest.starts_with(|next: char| next.is_alphanumeric() || "_{".contains(next)) =>
        {
            expand(&path, rest, found);
        }
        _ => found.push(path),
    }
}
