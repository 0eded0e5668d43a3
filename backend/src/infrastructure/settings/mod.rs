//! Settings from the environment and `.env`, one struct a concern, checked at start.
//!
//! A field is named like its variable, in lower case. The environment wins over `.env`, and an empty
//! variable counts as one that is not set. Every mistake is reported at once, one line each.

mod administrator;
mod cache;
mod database;
mod logging;
mod server;
mod variables;

use std::collections::BTreeMap;
use std::fmt;

use config::{Config, Environment as EnvironmentSource};
use garde::Validate;
use serde::de::DeserializeOwned;

pub use administrator::AdministratorSettings;
pub use cache::{CacheBackendKind, CacheSettings};
pub use database::DatabaseSettings;
pub use logging::{LogFormat, LoggingSettings};
pub use server::{Environment, ServerSettings};
pub use variables::{VARIABLES, Variable};

/// All settings.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// `ENVIRONMENT`, `SERVER_*`.
    pub server: ServerSettings,
    /// `DATABASE_*`.
    pub database: DatabaseSettings,
    /// `CACHE_*`.
    pub cache: CacheSettings,
    /// `LOG_*`.
    pub logging: LoggingSettings,
    /// `ADMIN_*`.
    pub administrator: AdministratorSettings,
    /// What looks odd but does not stop the start, to be logged.
    pub warnings: Vec<String>,
}

/// Everything that is wrong with the settings.
#[derive(Debug)]
pub struct SettingsError {
    mistakes: Vec<String>,
}

impl fmt::Display for SettingsError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.mistakes.join("\n"))
    }
}

impl std::error::Error for SettingsError {}

type Values = BTreeMap<String, String>;

impl Settings {
    /// Loads the settings of this process: `.env` in the working directory, and the environment.
    ///
    /// # Errors
    /// All mistakes, one line each.
    pub fn load() -> Result<Self, SettingsError> {
        // Names and values that are not text cannot be ours.
        let environment = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        let file = match dotenvy::from_path_iter(".env") {
            Ok(lines) => lines
                .collect::<Result<Values, _>>()
                .map_err(|error| SettingsError {
                    mistakes: vec![format!(".env cannot be read: {error}")],
                })?,
            Err(dotenvy::Error::Io(error)) if error.kind() == std::io::ErrorKind::NotFound => {
                Values::new()
            }
            Err(error) => {
                return Err(SettingsError {
                    mistakes: vec![format!(".env cannot be read: {error}")],
                });
            }
        };
        Self::from_values(environment, file)
    }

    /// Loads the settings from the values of the environment and of `.env`.
    ///
    /// # Errors
    /// All mistakes, one line each.
    pub fn from_values(environment: Values, file: Values) -> Result<Self, SettingsError> {
        let mut mistakes = Vec::new();
        let mut warnings = Vec::new();
        for name in file.keys().filter(|name| variables::find(name).is_none()) {
            mistakes.push(match variables::nearest(name) {
                Some(meant) => format!(
                    "{name} in .env is not a variable of this service; did you mean {}?",
                    meant.name
                ),
                None => format!(
                    "{name} in .env is not a variable of this service; .env.example lists them all"
                ),
            });
        }
        for name in environment
            .keys()
            .filter(|name| variables::find(name).is_none())
        {
            match variables::nearest(name) {
                Some(meant) => {
                    mistakes.push(format!(
                        "{name} is not a variable of this service; did you mean {}?",
                        meant.name
                    ));
                }
                None if variables::has_our_prefix(name) => {
                    warnings.push(format!(
                        "{name} is set, but is not a variable of this service"
                    ));
                }
                None => {}
            }
        }
        let mut values = file;
        values.extend(
            environment
                .into_iter()
                .filter(|(_, value)| !value.is_empty()),
        );
        values.retain(|name, value| variables::find(name).is_some() && !value.is_empty());
        let settings = Self {
            server: read(&values, &mut mistakes),
            database: read(&values, &mut mistakes),
            cache: read(&values, &mut mistakes),
            logging: read(&values, &mut mistakes),
            administrator: read(&values, &mut mistakes),
            warnings,
        };
        if settings.cache.cache_near && settings.cache.cache_backend != CacheBackendKind::Redis {
            mistakes.push(mistake("CACHE_NEAR", "true"));
        }
        let administrator = ["ADMIN_USERNAME", "ADMIN_EMAIL", "ADMIN_PASSWORD"];
        let given = administrator
            .iter()
            .filter(|name| values.contains_key(**name))
            .count();
        if given != 0 && given != administrator.len() {
            mistakes.extend(administrator.iter().filter(|name| !values.contains_key(**name)).map(|name| {
                format!("{name} is not set; ADMIN_USERNAME, ADMIN_EMAIL and ADMIN_PASSWORD belong together")
            }));
        }
        if mistakes.is_empty() {
            Ok(settings)
        } else {
            Err(SettingsError { mistakes })
        }
    }
}

/// Reads one concern; each variable that does not fit is a mistake of its own, and left out.
fn read<T>(values: &Values, mistakes: &mut Vec<String>) -> T
where
    T: DeserializeOwned + Default + Validate<Context = ()>,
{
    let mut fitting = Values::new();
    for (name, value) in values {
        let alone = Values::from([(name.clone(), value.clone())]);
        let problem = match deserialize::<T>(alone) {
            Ok(settings) => settings.validate().err().is_some_and(|report| {
                report.iter().any(|(path, _)| {
                    path.to_string().split(['[', '.']).next() == Some(&name.to_lowercase())
                })
            }),
            Err(_) => true,
        };
        if problem {
            mistakes.push(mistake(name, value));
        } else {
            fitting.insert(name.clone(), value.clone());
        }
    }
    deserialize(fitting).unwrap_or_default()
}

fn deserialize<T: DeserializeOwned>(values: Values) -> Result<T, config::ConfigError> {
    // Not `try_parsing`: it would turn the password `007` into `7`.
    let source = EnvironmentSource::default().source(Some(values.into_iter().collect()));
    Config::builder()
        .add_source(source)
        .build()?
        .try_deserialize()
}

fn mistake(name: &str, value: &str) -> String {
    let (allowed, secret) =
        variables::find(name).map_or(("", true), |variable| (variable.allowed, variable.secret));
    let shown: String = if secret {
        "***".to_owned()
    } else {
        value.chars().take(80).collect()
    };
    format!(
        "{name} holds `{}`; it may hold {allowed}",
        shown.escape_debug()
    )
}

#[cfg(test)]
mod tests;
