//! The table of all variables, and the search for a name in it.
//!
//! Come here to add a section, another name for a variable, or a prefix. A new variable is a field of a
//! struct and a row beside it.

use super::variable::{Section, Variable};
use super::{
    accounts, administrator, cache_variables, database, logging, protection, server, traces,
};

/// All sections, in the order of the settings and of `.env.example`.
pub const SECTIONS: &[Section] = &[
    server::SECTION,
    database::SECTION,
    cache_variables::SECTION,
    logging::SECTION,
    traces::SECTION,
    protection::SECTION,
    accounts::SECTION,
    administrator::SECTION,
];

/// A name that is used where another variable is not set: platforms give the port by `PORT`.
pub(super) const OTHER_NAMES: &[(&str, &str)] = &[("PORT", "SERVER_PORT")];

/// All variables.
pub fn all() -> impl Iterator<Item = &'static Variable> {
    SECTIONS.iter().flat_map(|section| section.variables)
}

/// The variable of that name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Variable> {
    all().find(|variable| variable.name == name)
}

/// The name of the variable that names the file of a secret.
pub(super) fn file_name(variable: &Variable) -> Option<String> {
    variable
        .kind
        .is_secret()
        .then(|| format!("{}_FILE", variable.name))
}

/// Whether this service uses the name.
pub(super) fn is_known(name: &str) -> bool {
    let is_file = || name.strip_suffix("_FILE").and_then(find);
    find(name).is_some()
        || is_file().is_some_and(|variable| variable.kind.is_secret())
        || OTHER_NAMES.iter().any(|(other, _)| *other == name)
}

/// The known name that was probably meant.
#[must_use]
pub fn nearest(name: &str) -> Option<String> {
    all()
        .flat_map(|variable| [Some(variable.name.to_owned()), file_name(variable)])
        .flatten()
        .map(|known| (strsim::damerau_levenshtein(&known, name), known))
        // Short names are similar to many others by accident.
        .filter(|(distance, known)| *distance <= if known.len() < 9 { 1 } else { 2 })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, known)| known)
}

/// Whether a name begins with a prefix of this service.
#[must_use]
pub fn has_our_prefix(name: &str) -> bool {
    [
        "CACHE_",
        "DEFAULT_CACHE_",
        "DATABASE_",
        "SERVER_",
        "MANAGEMENT_",
        "METRICS_",
        "LOG_",
        "LOGIN_",
        "RATE_",
        "CORS_",
        "TRUSTED_",
        "SIGN_",
        "ACCOUNT_",
        "ADMIN_",
    ]
    .iter()
    .any(|prefix| name.starts_with(prefix))
}
