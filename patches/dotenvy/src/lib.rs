//! Stands in for the crate `dotenvy`, which sqlx uses, and finds no `.env`.
//!
//! sqlx's macros read every `.env` above the crate while it is compiled, and stop the build at a line or a byte order
//! mark that the real crate cannot read, before the service can say which line is wrong. A build of this project needs
//! no `.env`: queries are checked against `.sqlx`. The service itself reads `.env` with
//! `backend/src/infrastructure/settings/dotenv.rs`. Do not depend on this crate.

use std::io;
use std::iter::Empty;
use std::path::Path;

/// The error that says that there is no file.
#[derive(Debug)]
pub enum Error {
    /// Always "not found".
    Io(io::Error),
}

impl std::fmt::Display for Error {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self::Io(error) = self;
        error.fmt(formatter)
    }
}

impl std::error::Error for Error {}

/// The lines of a file that is not there.
///
/// # Errors
/// Always "not found", which the macros take for a directory without `.env`.
pub fn from_path_iter<P: AsRef<Path>>(
    _: P,
) -> Result<Empty<Result<(String, String), Error>>, Error> {
    Err(Error::Io(io::ErrorKind::NotFound.into()))
}

/// A variable of the environment alone.
///
/// # Errors
/// Where it is not set, or not UTF-8.
pub fn var(name: &str) -> Result<String, std::env::VarError> {
    std::env::var(name)
}
