//! The reason that nothing is done, as one line for a person.
//!
//! Come here when a message needs another form. The sentences stand where the mistakes are found.

use std::fmt::{self, Display};
use std::fs;
use std::io;
use std::path::Path;

/// What was wrong, and what would be right. It has one line.
#[derive(Debug, PartialEq, Eq)]
pub struct Refusal(pub String);

/// A value, or the reason that there is none.
pub type Result<T> = std::result::Result<T, Refusal>;

impl Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// An error with this sentence.
pub fn refuse<T>(sentence: impl Into<String>) -> Result<T> {
    Err(Refusal(sentence.into()))
}

/// The refusal of an operation on a file.
pub fn failed(path: &Path, error: &io::Error) -> Refusal {
    Refusal(format!("{}: {error}", path.display()))
}

/// The text of a file.
pub fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).map_err(|error| failed(path, &error))
}
