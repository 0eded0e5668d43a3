//! From a module to the text of its files.
//!
//! Come here to add a file, or a filter for the templates. The text itself stands in `templates/`, and what it needs of a field in
//! `context`.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{Environment, UndefinedBehavior};

use crate::context::Context;
use crate::module::Module;
use crate::refusal::{Refusal, Result, refuse};

/// The longest line of SQL that stands in one line of Rust or of a migration.
const MAX_SQL: usize = 92;

/// A file of a module: its path from the root of the project, and its text.
pub type Written = (String, String);

/// The files of a module whose migration has this number.
pub fn files(module: &Module, number: u32, parents: &[Module]) -> Result<Vec<Written>> {
    let plural = &module.name.plural;
    let folder = format!("backend/src/modules/{plural}");
    let templates = [
        (
            format!("migrations/{number:04}_{plural}.up.sql"),
            include_str!("../templates/up.sql.jinja"),
        ),
        (
            format!("migrations/{number:04}_{plural}.down.sql"),
            include_str!("../templates/down.sql.jinja"),
        ),
        (
            format!("{folder}/schemas.rs"),
            include_str!("../templates/schemas.rs.jinja"),
        ),
        (
            format!("{folder}/routes.rs"),
            include_str!("../templates/routes.rs.jinja"),
        ),
        (
            format!("{folder}/cache.rs"),
            include_str!("../templates/cache.rs.jinja"),
        ),
        (
            format!("{folder}/mod.rs"),
            include_str!("../templates/mod.rs.jinja"),
        ),
        (
            format!("backend/tests/{plural}.rs"),
            include_str!("../templates/test.rs.jinja"),
        ),
    ];
    let context = Context::of(module, parents);
    let environment = environment()?;
    let mut files = Vec::new();
    for (path, template) in templates {
        let text = environment
            .render_str(template, Serde(&context))
            .map_err(|error| Refusal(format!("the template of {path}: {error:#}")))?;
        let text = if Path::new(&path)
            .extension()
            .is_some_and(|extension| extension == "rs")
        {
            formatted(&text)?
        } else {
            text
        };
        files.push((path, text));
    }
    Ok(files)
}

fn environment() -> Result<Environment<'static>> {
    let mut environment = Environment::new();
    let syntax = SyntaxConfig::builder()
        .trim_blocks(true)
        .lstrip_blocks(true)
        .keep_trailing_newline(true)
        .build()
        .map_err(|error| Refusal(format!("the syntax of the templates: {error}")))?;
    environment.set_syntax(syntax);
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.add_filter("literal", literal);
    environment.add_filter("align", align);
    Ok(environment)
}

/// SQL as a literal of Rust: in one line if that is short, otherwise with the lines of the template, of which the long ones are
/// wrapped.
fn literal(sql: &str) -> String {
    let lines: Vec<&str> = sql
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    let one_line = lines.join(" ");
    let (open, close) = if sql.contains('"') {
        ("r#\"", "\"#")
    } else {
        ("\"", "\"")
    };
    if one_line.len() <= MAX_SQL {
        return format!("{open}{one_line}{close}");
    }
    // A further line stands below the first character of the SQL. The literal itself is indented by two steps.
    let indentation = " ".repeat(8 + open.len());
    let mut literal = open.to_owned();
    for (index, line) in lines.iter().flat_map(|line| wrapped(line)).enumerate() {
        if index > 0 {
            let _ = write!(literal, "\n{indentation}");
        }
        literal.push_str(&line);
    }
    literal + close
}

/// The line in pieces that are not too long, broken between words.
fn wrapped(line: &str) -> Vec<String> {
    let mut pieces = vec![String::new()];
    for word in line.split(' ') {
        let last = pieces.len() - 1;
        let piece = &mut pieces[last];
        if piece.is_empty() {
            piece.push_str(word);
        } else if piece.len() + 1 + word.len() <= MAX_SQL {
            piece.push(' ');
            piece.push_str(word);
        } else {
            pieces.push(format!("    {word}"));
        }
    }
    pieces
}

/// Lines whose parts, separated by ` | `, stand in columns.
fn align(text: &str) -> String {
    let rows: Vec<Vec<&str>> = text
        .lines()
        .map(|line| line.split(" | ").map(str::trim_end).collect())
        .collect();
    let width = |column: usize| {
        let cells = rows.iter().filter(|row| row.len() > column + 1);
        cells.map(|row| row[column].len()).max().unwrap_or(0)
    };
    let line = |row: &Vec<&str>| {
        let padded = row.iter().enumerate().map(|(column, cell)| {
            let width = if column + 1 < row.len() {
                width(column)
            } else {
                0
            };
            format!("{cell:width$}")
        });
        padded.collect::<Vec<_>>().join(" ").trim_end().to_owned() + "\n"
    };
    rows.iter().map(line).collect()
}

/// The text as rustfmt writes it.
fn formatted(text: &str) -> Result<String> {
    let missing = |error| {
        Refusal(format!(
            "rustfmt does not run ({error}): install it with `rustup component add rustfmt`"
        ))
    };
    let mut rustfmt = Command::new("rustfmt")
        .args(["--edition", "2024", "--quiet"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(missing)?;
    if let Some(mut input) = rustfmt.stdin.take() {
        input.write_all(text.as_bytes()).map_err(missing)?;
    }
    let output = rustfmt.wait_with_output().map_err(missing)?;
    if !output.status.success() {
        let reason = String::from_utf8_lossy(&output.stderr);
        let reason = reason.lines().next().unwrap_or_default();
        return refuse(format!("rustfmt does not take what was written: {reason}"));
    }
    String::from_utf8(output.stdout).map_err(|error| Refusal(format!("rustfmt: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_sql_is_one_line_and_long_sql_keeps_its_lines() {
        assert_eq!(
            literal("SELECT id\n    FROM notes\n"),
            "\"SELECT id FROM notes\""
        );
        assert_eq!(
            literal("SELECT count(*) AS \"count!\""),
            "r#\"SELECT count(*) AS \"count!\"\"#"
        );
        let columns = vec!["column"; 20].join(", ");
        let long = literal(&format!("SELECT {columns}\nFROM notes"));
        let lines: Vec<&str> = long.lines().collect();
        assert_eq!(lines.len(), 3, "{long}");
        assert_eq!(lines[2], "         FROM notes\"");
        assert!(
            lines.iter().all(|line| line.len() <= MAX_SQL + 13),
            "{long}"
        );
    }

    #[test]
    fn columns_are_aligned() {
        let table = "    id | bigint | PRIMARY KEY,\n    created_at | timestamptz | NOT NULL,\n    note | text,\n";
        assert_eq!(
            align(table),
            "    id         bigint      PRIMARY KEY,\n    created_at timestamptz NOT NULL,\n    note       text,\n"
        );
    }
}
