//! Settings from the environment and `.env`, one struct for each concern, checked at start.
//!
//! A field is named like its variable, in lower case, and has a row in the table beside its struct: its kind, default
//! and meaning. From the tables come `.env.example`, `docs/settings.md` and `backend settings`. All mistakes are
//! reported at once, one line each, and none shows a secret.
//!
//! Come here to add a concern. A variable is added in the file of its concern. Only this folder may read the
//! environment.

mod accounts;
mod administrator;
mod cache;
mod cache_options;
mod cache_variables;
mod database;
mod document;
mod dotenv;
mod extra_backends;
mod logging;
mod protection;
mod redis_address;
mod server;
mod server_addresses;
mod sources;
mod traces;
mod variable;
mod variables;

use std::collections::BTreeMap;
use std::fmt;

use config::{Config, Environment as EnvironmentSource};
use garde::Validate;
use secrecy::ExposeSecret;
use serde::de::DeserializeOwned;

pub use accounts::{AccountSettings, SignUp};
pub use administrator::AdministratorSettings;
pub use cache::{CacheBackendKind, CacheRedisMode, CacheSettings};
pub use database::DatabaseSettings;
pub use document::{document, example};
pub use logging::{LogFormat, LoggingSettings};
pub use protection::ProtectionSettings;
pub use server::{Environment, ServerSettings};
pub use traces::TraceSettings;
pub use variable::{Kind, Section, Variable};
pub use variables::SECTIONS;

use sources::{Found, Value, Values};

/// All settings.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// `ENVIRONMENT`, `SERVER_*`, `MANAGEMENT_PORT`.
    pub server: ServerSettings,
    /// `DATABASE_*`.
    pub database: DatabaseSettings,
    /// `CACHE_*`.
    pub cache: CacheSettings,
    /// `LOG_*`.
    pub logging: LoggingSettings,
    /// `TRACING_OTLP_ENDPOINT`.
    pub traces: TraceSettings,
    /// `LOGIN_*`, `RATE_LIMIT`, `TRUSTED_PROXIES`, `HSTS`, `CORS_ALLOWED_ORIGINS`.
    pub protection: ProtectionSettings,
    /// `SIGN_UP`, `ACCOUNT_ERASURE_DAYS`.
    pub accounts: AccountSettings,
    /// `ADMIN_*`.
    pub administrator: AdministratorSettings,
    /// Unusual settings that do not stop the start, to be logged.
    pub warnings: Vec<String>,
    values: Values,
}

/// All mistakes in the settings.
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

impl Settings {
    /// Loads the settings of this process: `.env` in the working directory, and the environment. The program's name is a part of the
    /// default of `CACHE_NAMESPACE`.
    ///
    /// # Errors
    /// All mistakes, one line each.
    pub fn load(program: &str) -> Result<Self, SettingsError> {
        let mut mistakes = Vec::new();
        let environment = sources::environment(&mut mistakes);
        let file = match std::fs::read(".env") {
            Ok(file) => Some(file),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => {
                mistakes.push(format!(".env cannot be read: {error}"));
                None
            }
        };
        let mut found = sources::gather(environment, file.as_deref());
        found.mistakes.splice(0..0, mistakes);
        Self::from_found(program, found)
    }

    /// Loads the settings from the variables of an environment and the content of a `.env` file.
    ///
    /// # Errors
    /// All mistakes, one line each.
    pub fn from_sources(
        program: &str,
        environment: BTreeMap<String, String>,
        file: Option<&[u8]>,
    ) -> Result<Self, SettingsError> {
        Self::from_found(program, sources::gather(environment, file))
    }

    fn from_found(program: &str, found: Found) -> Result<Self, SettingsError> {
        let Found {
            values,
            mut mistakes,
            warnings,
        } = found;
        let right = of_the_right_kind(&values, &mut mistakes);
        let mut settings = Self {
            server: read(&right, &mut mistakes),
            database: read(&right, &mut mistakes),
            cache: read(&right, &mut mistakes),
            logging: read(&right, &mut mistakes),
            traces: read(&right, &mut mistakes),
            protection: read(&right, &mut mistakes),
            accounts: read(&right, &mut mistakes),
            administrator: read(&right, &mut mistakes),
            warnings,
            values,
        };
        settings.check_together(&mut mistakes);
        settings.choose_namespace(program);
        settings.warn_of_compression();
        settings.warnings.extend(settings.logging.warning());
        if mistakes.is_empty() {
            Ok(settings)
        } else {
            Err(SettingsError { mistakes })
        }
    }

    /// The value of a variable in the form of `.env`; `None` without such a variable. Secrets are not
    /// hidden.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<String> {
        let variable = variables::find(name)?;
        Some(match self.values.get(variable.name) {
            _ if name == "CACHE_NAMESPACE" => self.cache.cache_namespace.clone(),
            Some(value) => value.text.expose_secret().to_owned(),
            None => variable.default.to_owned(),
        })
    }

    /// Checks rules about several variables at once.
    fn check_together(&self, mistakes: &mut Vec<String>) {
        if self.cache.cache_near && self.cache.cache_backend != CacheBackendKind::Redis {
            mistakes.push(
                "CACHE_NEAR holds `true`; it may hold true only with CACHE_BACKEND=redis"
                    .to_owned(),
            );
        }
        if !self.cache.cache_memcached_servers.is_empty() {
            let both = ["CACHE_MEMCACHED_HOST", "CACHE_MEMCACHED_PORT"]
                .into_iter()
                .filter(|name| self.values.contains_key(*name));
            mistakes.extend(both.map(|name| {
                format!("{name} and CACHE_MEMCACHED_SERVERS are both set; CACHE_MEMCACHED_SERVERS replaces {name}, so remove one of them")
            }));
        }
        mistakes.extend(redis_address::mistakes(&self.values));
        mistakes.extend(self.traces.mistake());
        let port = self.server.server_port;
        // Each 0 is a port of its own.
        if port != 0 && self.server.management_port == Some(port) {
            let named = self.values.get("SERVER_PORT");
            let name = named.and_then(|value| value.origin.name);
            mistakes.push(format!(
                "MANAGEMENT_PORT holds `{port}`, which is the port of {}; it may hold another port",
                name.unwrap_or("SERVER_PORT")
            ));
        }
        let administrator = ["ADMIN_USERNAME", "ADMIN_EMAIL", "ADMIN_PASSWORD"];
        let missing: Vec<_> = administrator
            .iter()
            .filter(|name| !self.values.contains_key(**name))
            .collect();
        if missing.len() < administrator.len() {
            mistakes.extend(missing.into_iter().map(|name| {
                format!("{name} is not set; ADMIN_USERNAME, ADMIN_EMAIL and ADMIN_PASSWORD belong together")
            }));
        }
        if let Some(refusal) = self.administrator.refusal_of_password() {
            mistakes.push(format!("ADMIN_PASSWORD holds `***`; it {refusal}"));
        }
    }

    /// Warns of a size of compression that no stored answer has.
    fn warn_of_compression(&mut self) {
        let compressed = self.cache.cache_compress_min_bytes;
        let stored = self.cache.cache_max_body_bytes;
        if compressed > stored {
            self.warnings.push(format!(
                "CACHE_COMPRESS_MIN_BYTES holds `{compressed}`: nothing is compressed, because answers above `{stored}` bytes are not \
                 stored (CACHE_MAX_BODY_BYTES)"
            ));
        }
    }

    /// Chooses a namespace where none is set: without one, two programs that share a server would read
    /// each other's entries.
    fn choose_namespace(&mut self, program: &str) {
        if !self.cache.cache_namespace.is_empty() {
            return;
        }
        let environment = match self.server.environment {
            Environment::Development => "development",
            Environment::Production => "production",
        };
        self.cache.cache_namespace = format!("{program}-{environment}");
        if self.server.environment == Environment::Production
            && self.cache.cache_enabled
            && self.cache.cache_backend != CacheBackendKind::Memory
        {
            self.warnings.push(format!(
                "CACHE_NAMESPACE is not set: `{}` is used; where another deployment shares the cache server, such \
                 as staging, give each one its own",
                self.cache.cache_namespace
            ));
        }
    }
}

/// The values of the kind in the table. Each other value is a mistake.
fn of_the_right_kind<'a>(
    values: &'a Values,
    mistakes: &mut Vec<String>,
) -> Vec<(&'static Variable, &'a Value)> {
    let mut right = Vec::new();
    for variable in variables::all() {
        match values.get(variable.name) {
            // Its file could not be read, which is a mistake already.
            Some(value) if value.text.expose_secret().is_empty() => {}
            Some(value) if variable.kind.fits(value.text.expose_secret()) => {
                right.push((variable, value));
            }
            Some(value) => mistakes.push(mistake(variable, value)),
            None => {}
        }
    }
    right
}

/// Reads the settings of one concern. Each variable that its struct refuses is a mistake of its own, and
/// is left out.
fn read<T>(values: &[(&Variable, &Value)], mistakes: &mut Vec<String>) -> T
where
    T: DeserializeOwned + Default + Validate<Context = ()>,
{
    let mut fitting = BTreeMap::new();
    for (variable, value) in values {
        let text = value.text.expose_secret().to_owned();
        let alone = BTreeMap::from([(variable.name.to_owned(), text.clone())]);
        let field = variable.name.to_lowercase();
        let is_refused = match deserialize::<T>(alone) {
            Ok(settings) => settings.validate().err().is_some_and(|report| {
                report
                    .iter()
                    .any(|(path, _)| path.to_string().split(['[', '.']).next() == Some(&field))
            }),
            Err(_) => true,
        };
        if is_refused {
            mistakes.push(mistake(variable, value));
        } else {
            fitting.insert(variable.name.to_owned(), text);
        }
    }
    deserialize(fitting).unwrap_or_default()
}

fn deserialize<T: DeserializeOwned>(
    values: BTreeMap<String, String>,
) -> Result<T, config::ConfigError> {
    // Not `try_parsing`: it would convert the password `007` to `7`.
    let source = EnvironmentSource::default().source(Some(values.into_iter().collect()));
    Config::builder()
        .add_source(source)
        .build()?
        .try_deserialize()
}

fn mistake(variable: &Variable, value: &Value) -> String {
    let shown: String = if variable.kind.is_secret() {
        "***".to_owned()
    } else {
        value.text.expose_secret().chars().take(80).collect()
    };
    format!(
        "{}{} holds `{}`; it may hold {}",
        value.origin.name.unwrap_or(variable.name),
        value.origin,
        shown.escape_debug(),
        variable.kind.allowed()
    )
}

#[cfg(test)]
mod tests;
