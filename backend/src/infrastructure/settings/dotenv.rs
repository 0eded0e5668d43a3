//! The syntax of `.env`.
//!
//! Come here to change which lines are accepted. `docs/settings.md` describes the syntax for users. Which variables
//! there are is not decided here. No message of this file may contain a value.
//!
//! This is a parser of our own, because `dotenvy` replaces `$` in values, stops at the first mistake, and puts the line
//! into its message, which may contain a password.

/// A line that sets a variable.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Assignment {
    /// The number of the line, from 1.
    pub line: usize,
    /// The name of the variable.
    pub name: String,
    /// The value, without quotes; it may be secret.
    pub value: String,
}

/// The assignments of a file, and its mistakes. Each mistake names the line, and the variable if there
/// is one.
pub(super) fn parse(file: &[u8]) -> (Vec<Assignment>, Vec<String>) {
    // Editors on Windows write a byte order mark.
    let file = file.strip_prefix(b"\xef\xbb\xbf").unwrap_or(file);
    let Ok(text) = std::str::from_utf8(file) else {
        return (
            Vec::new(),
            vec![".env is not UTF-8 text: save it as UTF-8".to_owned()],
        );
    };
    let mut assignments = Vec::new();
    let mut mistakes = Vec::new();
    // After a missing end quote, the next lines are probably the rest of that value.
    let mut is_rest = false;
    for (index, line) in text.lines().enumerate() {
        let number = index + 1;
        match read(line) {
            Ok(None) => {}
            Ok(Some((name, value))) => {
                is_rest &= !super::variables::is_known(name);
                if !is_rest {
                    assignments.push(Assignment {
                        line: number,
                        name: name.to_owned(),
                        value,
                    });
                }
            }
            Err(mistake) => {
                let known = mistake.name.filter(|name| super::variables::is_known(name));
                if known.is_some() {
                    is_rest = false;
                }
                if !is_rest {
                    let name = mistake.name.filter(|name| may_be_shown(name));
                    mistakes.push(match name {
                        Some(name) => format!("{name} in line {number} of .env {}", mistake.words),
                        None => format!("line {number} of .env {}", mistake.words),
                    });
                }
                is_rest |= mistake.words == UNCLOSED;
            }
        }
    }
    (assignments, mistakes)
}

/// Whether a name from `.env` may be shown in a message. Any other text may be a part of a secret.
pub(super) fn may_be_shown(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_uppercase())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
}

/// The reason that a line cannot be read.
struct Mistake<'a> {
    name: Option<&'a str>,
    words: &'static str,
}

const NO_NAME: &str = "is neither NAME=value, nor a comment that begins with `#`, nor empty";
const UNCLOSED: &str = "has a quote that is not closed: a value ends on its line";
const FOLLOWED: &str = "has something behind the closing quote that is no comment";
const NEEDS_QUOTES: &str =
    "has a space, a quote, a backslash or a backtick in its value: put the value in single quotes";
const EXPANDS: &str = "has `${` or `$(` in its value: nothing is replaced in .env, so write the value itself, or \
                       put it in single quotes if it is meant so";

fn read(line: &str) -> Result<Option<(&str, String)>, Mistake<'_>> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return Ok(None);
    }
    let without_name = Mistake {
        name: None,
        words: NO_NAME,
    };
    let Some((name, value)) = line.split_once('=') else {
        return Err(without_name);
    };
    let name = name.trim_end();
    let name = match name.strip_prefix("export") {
        Some(exported) if exported.starts_with(char::is_whitespace) => exported.trim_start(),
        _ => name,
    };
    let is_name = !name.is_empty()
        && !name.starts_with(|first: char| first.is_ascii_digit())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if !is_name {
        return Err(without_name);
    }
    let value = match value.trim_start().chars().next() {
        Some('\'') => single_quoted(value.trim_start()),
        Some('"') => double_quoted(value.trim_start()),
        _ => unquoted(value),
    };
    match value {
        Ok(value) => Ok(Some((name, value))),
        Err(words) => Err(Mistake {
            name: Some(name),
            words,
        }),
    }
}

/// A value in single quotes: all characters up to the next quote.
fn single_quoted(text: &str) -> Result<String, &'static str> {
    let (value, rest) = text[1..].split_once('\'').ok_or(UNCLOSED)?;
    nothing_but_a_comment(rest)?;
    Ok(value.to_owned())
}

/// A value in double quotes. As in a shell, `\` has a meaning before `"`, `\`, `$` and a backtick, and
/// is itself elsewhere.
fn double_quoted(text: &str) -> Result<String, &'static str> {
    let mut value = String::new();
    let mut characters = text[1..].chars();
    loop {
        match characters.next().ok_or(UNCLOSED)? {
            '"' => break,
            '\\' => match characters.next().ok_or(UNCLOSED)? {
                escaped @ ('"' | '\\' | '$' | '`') => value.push(escaped),
                other => value.extend(['\\', other]),
            },
            '$' if characters.as_str().starts_with(['{', '(']) => return Err(EXPANDS),
            character => value.push(character),
        }
    }
    nothing_but_a_comment(characters.as_str())?;
    Ok(value)
}

fn nothing_but_a_comment(rest: &str) -> Result<(), &'static str> {
    let comment = rest.trim_start();
    if comment.is_empty() || (comment.starts_with('#') && comment.len() < rest.len()) {
        Ok(())
    } else {
        Err(FOLLOWED)
    }
}

/// A value without quotes. It contains no character that a shell or another program would read
/// differently, except `$`, which is a plain `$`. A comment begins with a `#` behind a space.
fn unquoted(text: &str) -> Result<String, &'static str> {
    let comment =
        text.char_indices()
            .zip(text.chars().skip(1))
            .find_map(|((index, character), next)| {
                (character.is_whitespace() && next == '#').then_some(index)
            });
    let text = text[..comment.unwrap_or(text.len())].trim();
    // Earlier versions of this service needed `\$`, and other programs still do.
    let value = text.replace("\\$", "$");
    if value.contains("${") || value.contains("$(") {
        return Err(EXPANDS);
    }
    let needs_quotes = |character: char| character.is_whitespace() || "'\"\\`".contains(character);
    if value.contains(needs_quotes) {
        return Err(NEEDS_QUOTES);
    }
    Ok(value)
}
