//! The documents that are made from the table of variables: `.env.example`, `docs/settings.md`, and the
//! output of `backend settings`.
//!
//! Come here to change their form. A test compares both files with this output: after a change, write
//! them again with `./scripts/test prepare`.

use std::fmt::Write;

use secrecy::ExposeSecret;

use super::Settings;
use super::variable::Variable;
use super::variables::{SECTIONS, all};

/// The content of `.env.example`.
#[must_use]
pub fn example() -> String {
    let mut text = "\
# Settings of the service. Copy this file to `.env` to change some; the environment wins over it.
# Each line shows the default. docs/settings.md says what each may hold, and how this file is written:
# put a value with spaces, quotes or backslashes in single quotes.
"
    .to_owned();
    for section in SECTIONS {
        let _ = writeln!(text, "\n# --- {}", section.title);
        for variable in section.variables {
            let Variable { name, default, .. } = variable;
            let _ = writeln!(text, "# {}\n{name}={default}", variable.meaning);
        }
    }
    text
}

/// The content of `docs/settings.md`.
#[must_use]
pub fn document() -> String {
    let mut text = INTRODUCTION.to_owned();
    for section in SECTIONS {
        let _ = writeln!(text, "\n### {}\n", section.title);
        text.push_str("| Variable | Default | May hold | Meaning |\n|---|---|---|---|\n");
        for variable in section.variables {
            let default = match variable.default {
                "" => "empty".to_owned(),
                default => format!("`{default}`"),
            };
            let file = if variable.kind.is_secret() {
                format!(", or `{}_FILE`", variable.name)
            } else {
                String::new()
            };
            let _ = writeln!(
                text,
                "| `{}`{file} | {default} | {} | {} |",
                variable.name,
                variable.kind.allowed(),
                variable.meaning
            );
        }
    }
    text
}

const INTRODUCTION: &str = "\
# Settings

Every variable of the service: what it may hold, its default, its unit and its meaning, how `.env` is
written, and how secrets come from files. `backend settings` prints what counts on your machine and where
it comes from. This page is written by `./scripts/test prepare` from the tables in
`backend/src/infrastructure/settings`.

## Where settings come from

- From the environment, and from a file `.env` in the working directory. The environment wins.
- An empty value counts as one that is not set: the default holds.
- `backend settings` prints every value and where it comes from, secrets as `***`.
  `backend settings --get NAME` prints the value of one variable and nothing else, a secret too.

## Mistakes

The service does not start with a wrong setting. It prints one line for each mistake, all at once, and no
line shows a secret. A mistake is: a value of the wrong kind (`1` or `yes` for `true`, `true` or `1.5` for a number) or
out of its bounds, an unknown name in `.env`, a name in the environment that is close to one of these
(`CACHE_BACKND`), and a line of `.env` that cannot be read. Other unknown names in the environment that begin like one of
these (`CACHE_PORT`) are a warning in the log: orchestrators set such names. In Kubernetes, `enableServiceLinks: false` in the
pod keeps it from setting names such as `CACHE_REDIS_PORT` for a service called `cache-redis`.

## How `.env` is written

- One `NAME=value` in a line. `export` in front and spaces around `=` do no harm. A line that begins with
  `#` is a comment, and so is the rest of a line from a space and `#` on. The last line of a name counts.
- Nothing is replaced in values. A `$` is a `$`, also in a password. `${` and `$(` are refused outside of
  single quotes, since they would be replaced elsewhere.
- A value with a space, a quote, a backslash or a backtick stands in quotes. Between single quotes every
  character is itself. Between double quotes a backslash stands before `\"`, `\\`, `$` or a backtick that is meant.
- A value ends on its line.
- The file is UTF-8. A byte order mark and the line ends of Windows do no harm.

The scripts ask the program for settings, so they read the file in the same way.

## Secrets from files

Each secret can come from a file, as orchestrators mount them: `DATABASE_URL_FILE=/run/secrets/database-url` instead
of `DATABASE_URL`. Line ends at the end of the file are left out. To set both is a mistake, unless one is in the environment
and the other in `.env`: then the environment wins. A file that cannot be read, is empty, is no UTF-8 text, or
has more than 64 KiB is a mistake.

## One cache server, several programs

`CACHE_NAMESPACE` stands before every key. Programs with the same namespace on one server read each other's entries,
so only instances of one deployment may share it. If it is not set, it is the name of the program
and `ENVIRONMENT`, for example `backend-development`, so that two programs never share entries by accident. There is
no way to have none. Two deployments of one program on one server, such as staging and production, need a namespace each; in
production the log warns when it is not set.

## All variables
";

impl Settings {
    /// Every variable with its effective value, one a line: `NAME=value`, and its source unless it is
    /// the default. Secrets that are set are shown as `***`.
    #[must_use]
    pub fn listing(&self) -> String {
        let mut text = String::new();
        for variable in all() {
            let value = self.values.get(variable.name);
            let shown = match value {
                Some(value)
                    if variable.kind.is_secret() && !value.text.expose_secret().is_empty() =>
                {
                    "***".to_owned()
                }
                _ => self.get(variable.name).unwrap_or_default(),
            };
            let origin = match value {
                None => String::new(),
                Some(value) => format!("  # {}", value.origin.description()),
            };
            let _ = writeln!(text, "{}={shown}{origin}", variable.name);
        }
        text
    }
}
