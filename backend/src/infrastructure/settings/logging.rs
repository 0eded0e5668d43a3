//! The settings of the logs (`LOG_*`).
//!
//! Come here to add or change such a setting. Log lines are written in `infrastructure::telemetry`.

use garde::Validate;
use serde::Deserialize;
use tracing_subscriber::EnvFilter;

use super::variable::{Kind, Section, Variable};

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

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "garde passes the context by reference"
)]
fn is_filter(directives: &str, _: &()) -> garde::Result {
    // A single word is a level, not the name of a crate.
    let word = directives.split([',', '=']).count() == 1;
    let known = !word
        || directives
            .parse::<tracing_subscriber::filter::LevelFilter>()
            .is_ok();
    if known && EnvFilter::builder().parse(directives).is_ok() {
        Ok(())
    } else {
        Err(garde::Error::new("not a log filter"))
    }
}
