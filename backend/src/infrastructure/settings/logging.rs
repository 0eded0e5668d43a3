//! The settings of the logs (`LOG_*`).
//!
//! Come here to add or change such a setting. Log lines are written in `infrastructure::telemetry`.

use garde::Validate;
use serde::Deserialize;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

use super::variable::{Kind, Section, Variable};

/// The crates of the service. A line of the log belongs to one of them.
const CRATES: [&str; 3] = ["backend", "infrastructure", "response_cache"];

/// The form of log lines.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Text for people.
    Pretty,
    /// One JSON object per line.
    Json,
}

/// The variables of the logs.
pub(super) const SECTION: Section = Section {
    title: "Logs",
    variables: &[
        Variable {
            name: "LOG_LEVEL",
            kind: Kind::Text(
                "trace, debug, info, warn, error, off, or directives such as info,backend=debug,infrastructure=debug,response_cache=debug",
            ),
            default: "info",
            meaning: "The lowest level that is written, or directives for single parts of the program",
        },
        Variable {
            name: "LOG_FORMAT",
            kind: Kind::Choice(&["pretty", "json"]),
            default: "pretty",
            meaning: "Form of the lines; `json` is one object a line",
        },
    ],
};

/// Settings of the logs.
#[derive(Clone, Debug, Deserialize, Validate)]
#[serde(default)]
pub struct LoggingSettings {
    /// `LOG_LEVEL`: a level, or directives such as `info,backend=debug,infrastructure=debug,response_cache=debug`.
    #[garde(custom(is_filter))]
    pub log_level: String,
    /// `LOG_FORMAT`: `pretty` or `json`.
    #[garde(skip)]
    pub log_format: LogFormat,
}

impl Default for LoggingSettings {
    fn default() -> Self {
        Self {
            log_level: "info".to_owned(),
            log_format: LogFormat::Pretty,
        }
    }
}

impl LoggingSettings {
    /// The warning of directives that name a crate of the service, and leave out the lines of another one.
    pub(crate) fn warning(&self) -> Option<String> {
        let directives = || self.log_level.split(',').map(str::trim);
        // A level by itself is for everything that no directive names.
        if directives().any(|directive| directive.parse::<LevelFilter>().is_ok()) {
            return None;
        }
        let is_named = |name: &&str| {
            directives().any(|directive| directive.split(['=', ':', '[']).next() == Some(*name))
        };
        let (named, silent): (Vec<&str>, Vec<&str>) = CRATES.into_iter().partition(is_named);
        if named.is_empty() || silent.is_empty() {
            return None;
        }
        Some(format!(
            "LOG_LEVEL holds `{}`, so no line of {} is written: name that too, or put a level for everything in front, such as `info,{}`",
            self.log_level,
            silent.join(" and "),
            self.log_level
        ))
    }
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "garde passes the context by reference"
)]
fn is_filter(directives: &str, _: &()) -> garde::Result {
    // A single word is a level, not the name of a crate.
    let word = directives.split([',', '=']).count() == 1;
    let known = !word || directives.parse::<LevelFilter>().is_ok();
    if known && EnvFilter::builder().parse(directives).is_ok() {
        Ok(())
    } else {
        Err(garde::Error::new("not a log filter"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn warning(log_level: &str) -> Option<String> {
        let settings = LoggingSettings {
            log_level: log_level.to_owned(),
            ..LoggingSettings::default()
        };
        settings.warning()
    }

    #[test]
    fn directives_that_leave_out_a_crate_of_the_service_are_named() {
        assert_eq!(
            warning("backend=debug").unwrap(),
            "LOG_LEVEL holds `backend=debug`, so no line of infrastructure and response_cache is written: name that too, or put a level \
             for everything in front, such as `info,backend=debug`"
        );
        for (log_level, silent) in [
            (
                "backend::startup=trace, infrastructure=info",
                "response_cache",
            ),
            (
                "infrastructure[request]=debug",
                "backend and response_cache",
            ),
            ("response_cache", "backend and infrastructure"),
        ] {
            let warning = warning(log_level).unwrap();
            assert!(
                warning.contains(&format!("no line of {silent} is")),
                "{warning}"
            );
        }
    }

    #[test]
    fn directives_for_everything_for_each_crate_or_for_none_leave_nothing_out() {
        for log_level in [
            "info",
            "backend=debug,warn",
            "off,response_cache=debug",
            "backend=info,infrastructure=info,response_cache=info",
            "sqlx=debug",
        ] {
            assert_eq!(warning(log_level), None, "{log_level}");
        }
    }
}
