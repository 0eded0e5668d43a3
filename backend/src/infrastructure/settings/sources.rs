//! The sources of values: the environment, `.env`, and the files that `*_FILE` names.
//!
//! Come here to change the precedence of sources. Values are not checked here.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::Read;

use secrecy::{ExposeSecret, SecretString};

use super::dotenv;
use super::variable::Variable;
use super::variables::{self, OTHER_NAMES};

/// The largest file that a secret is read from, in bytes.
const MAX_FILE_BYTES: u64 = 64 * 1024;

/// The values of the variables that are set, by name. The value is empty if its file could not be read,
/// which is a mistake already.
pub(super) type Values = BTreeMap<String, Value>;

/// A value with its origin.
#[derive(Clone, Debug)]
pub(super) struct Value {
    /// The text. It is kept as a secret, since it may be one.
    pub text: SecretString,
    /// The origin.
    pub origin: Origin,
}

/// The origin of a value.
#[derive(Clone, Debug, Default)]
pub(super) struct Origin {
    /// The name, if it differs from the variable's.
    pub name: Option<&'static str>,
    /// The line of `.env`; `None` for the environment.
    pub line: Option<usize>,
    /// The file that a `*_FILE` names.
    pub file: Option<String>,
}

/// Completes "NAME …" in a message, with a space in front unless it is empty.
impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(formatter, " in line {line} of .env")?;
        }
        if let Some(file) = &self.file {
            write!(formatter, " from {file}")?;
        }
        Ok(())
    }
}

impl Origin {
    /// The origin in a few words.
    pub(super) fn description(&self) -> String {
        let place = match (self.line, self.name) {
            (Some(line), _) => format!("line {line} of .env"),
            (None, None) => "the environment".to_owned(),
            (None, Some(name)) => format!("the environment ({name})"),
        };
        match &self.file {
            Some(file) => format!("the file {file}, named in {place}"),
            None => place,
        }
    }
}

/// The found values, with the mistakes and warnings of the search.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub values: Values,
    pub mistakes: Vec<String>,
    pub warnings: Vec<String>,
}

/// Gathers all values. The environment takes precedence over `.env`, a variable over its other name, and
/// an empty value counts as not set.
pub(super) fn gather(environment: BTreeMap<String, String>, file: Option<&[u8]>) -> Found {
    let mut found = Found::default();
    let (assignments, syntax) = file.map(dotenv::parse).unwrap_or_default();
    found.mistakes.extend(syntax);
    report_unknown_in_file(&assignments, &mut found);
    report_unknown_in_environment(&environment, &mut found);

    let mut from_file = Values::new();
    for assignment in assignments {
        let value = value(assignment.value, Some(assignment.line));
        let before = from_file.insert(assignment.name.clone(), value);
        if let Some(line) = before.and_then(|before| before.origin.line) {
            found.warnings.push(format!(
                "{} is set in line {line} of .env and again in line {}; the last one counts",
                assignment.name, assignment.line
            ));
        }
    }
    let from_environment: Values = environment
        .into_iter()
        .map(|(name, text)| (name, value(text, None)))
        .collect();
    for variable in variables::all() {
        let other = OTHER_NAMES
            .iter()
            .find(|(_, name)| *name == variable.name)
            .map(|(other, _)| *other);
        let value = one_of(variable, &from_environment, &mut found.mistakes)
            .or_else(|| one_of(variable, &from_file, &mut found.mistakes))
            .or_else(|| {
                let other = other?;
                let value = set(&from_environment, other).or_else(|| set(&from_file, other))?;
                let mut value = value.clone();
                value.origin.name = Some(other);
                Some(value)
            });
        if let Some(value) = value {
            found.values.insert(variable.name.to_owned(), value);
        }
    }
    found
}

fn value(text: String, line: Option<usize>) -> Value {
    Value {
        text: text.into(),
        origin: Origin {
            line,
            ..Origin::default()
        },
    }
}

fn set<'a>(values: &'a Values, name: &str) -> Option<&'a Value> {
    values
        .get(name)
        .filter(|value| !value.text.expose_secret().is_empty())
}

/// The variable's value in one source: its own, or the content of the file in `{name}_FILE`.
fn one_of(variable: &Variable, values: &Values, mistakes: &mut Vec<String>) -> Option<Value> {
    let own = set(values, variable.name);
    let Some(file_name) = variables::file_name(variable) else {
        return own.cloned();
    };
    let Some(path) = set(values, &file_name) else {
        return own.cloned();
    };
    if own.is_some() {
        mistakes.push(format!(
            "{} and {file_name} are both set{}; keep one of them",
            variable.name,
            if path.origin.line.is_some() {
                " in .env"
            } else {
                ""
            },
        ));
    }
    let path_text = path.text.expose_secret();
    let text = read_secret(path_text).unwrap_or_else(|reason| {
        mistakes.push(format!(
            "{file_name}{} names `{}`, which {reason}",
            path.origin,
            path_text.escape_debug()
        ));
        String::new()
    });
    let mut value = value(text, path.origin.line);
    value.origin.file = Some(path_text.to_owned());
    Some(value)
}

/// The text of a secret's file, without the line end that editors and `echo` put behind it.
fn read_secret(path: &str) -> Result<String, String> {
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes))
        .map_err(|error| format!("cannot be read: {error}"))?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(format!("has more than {MAX_FILE_BYTES} bytes"));
    }
    let text = String::from_utf8(bytes).map_err(|_| "is not UTF-8 text".to_owned())?;
    let text = text.trim_end_matches(['\r', '\n']);
    if text.is_empty() {
        return Err("is empty".to_owned());
    }
    Ok(text.to_owned())
}

fn report_unknown_in_file(assignments: &[dotenv::Assignment], found: &mut Found) {
    for dotenv::Assignment { line, name, .. } in assignments {
        if variables::is_known(name) {
            continue;
        }
        found.mistakes.push(match variables::nearest(name) {
            Some(meant) => format!(
                "{name} in line {line} of .env is not a variable of this service; did you mean {meant}?"
            ),
            None if dotenv::may_be_shown(name) => format!(
                "{name} in line {line} of .env is not a variable of this service; .env.example lists them all"
            ),
            None => format!(
                "line {line} of .env sets no variable of this service; .env.example lists them all"
            ),
        });
    }
}

fn report_unknown_in_environment(environment: &BTreeMap<String, String>, found: &mut Found) {
    for name in environment.keys().filter(|name| !variables::is_known(name)) {
        match variables::nearest(name) {
            Some(meant) => found.mistakes.push(format!(
                "{name} is not a variable of this service; did you mean {meant}?"
            )),
            None if variables::has_our_prefix(name) => found.warnings.push(format!(
                "{name} is set, but is not a variable of this service"
            )),
            None => {}
        }
    }
}

/// The variables of the environment. A value that is not text is a mistake if the name is this
/// service's, and is ignored otherwise.
pub(super) fn environment(mistakes: &mut Vec<String>) -> BTreeMap<String, String> {
    let mut environment = BTreeMap::new();
    for (name, value) in std::env::vars_os() {
        let Ok(name) = name.into_string() else {
            continue;
        };
        match value.into_string() {
            Ok(value) => {
                environment.insert(name, value);
            }
            Err(_) if variables::is_known(&name) => {
                mistakes.push(format!("{name} holds something that is not UTF-8 text"));
            }
            Err(_) => {}
        }
    }
    environment
}
