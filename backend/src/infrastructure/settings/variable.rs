//! A row of the table of variables: name, kind, default and meaning.
//!
//! Come here to add a kind of value. The rows are beside the structs, in the file of each concern.

/// A variable of this service.
#[derive(Clone, Copy, Debug)]
pub struct Variable {
    /// Its name.
    pub name: &'static str,
    /// The kind of its values.
    pub kind: Kind,
    /// The default in the form of `.env`; empty for none.
    pub default: &'static str,
    /// Its meaning, with the unit, without a full stop at the end.
    pub meaning: &'static str,
}

/// The kind of a variable's values. A value of another kind is refused before a struct gets it: `config`
/// would take `true` for the number 1, and `1` for `true`.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// `true` or `false`.
    Flag,
    /// Digits only.
    Number {
        /// The unit, to begin "… from 1 to 10".
        unit: &'static str,
        /// The smallest value.
        least: u64,
        /// The largest value; `u64::MAX` for no bound.
        most: u64,
    },
    /// From 0 to 100, with or without a fraction.
    Percentage,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// Text. The words complete "it may hold …", and the struct checks the value.
    Text(&'static str),
    /// Text that is never shown, and that can come from a file named by `{name}_FILE`.
    Secret(&'static str),
}

impl Kind {
    /// A number with its unit and bounds.
    #[must_use]
    pub const fn number(unit: &'static str, least: u64, most: u64) -> Self {
        Self::Number { unit, least, most }
    }

    /// Whether a value is of this kind. The text itself is checked by the struct.
    #[must_use]
    pub fn fits(self, value: &str) -> bool {
        match self {
            Self::Flag => value == "true" || value == "false",
            // Digits only: `parse` would accept a plus sign.
            Self::Number { least, most, .. } => {
                value.bytes().all(|byte| byte.is_ascii_digit())
                    && value
                        .parse::<u64>()
                        .is_ok_and(|number| (least..=most).contains(&number))
            }
            // Neither an exponent nor `nan`, which `parse` would accept.
            Self::Percentage => {
                value.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'.'))
                    && value
                        .parse::<f64>()
                        .is_ok_and(|percent| (0.0..=100.0).contains(&percent))
            }
            Self::Choice(words) => words.contains(&value),
            Self::Text(_) | Self::Secret(_) => true,
        }
    }

    /// Completes "it may hold …".
    #[must_use]
    pub fn allowed(self) -> String {
        match self {
            Self::Flag => "true or false".to_owned(),
            Self::Number {
                unit,
                least,
                most: u64::MAX,
            } => format!("{unit}, at least {least}"),
            Self::Number { unit, least, most } => format!("{unit} from {least} to {most}"),
            Self::Percentage => "a percentage from 0 to 100, such as 0.5".to_owned(),
            Self::Choice(words) => match words {
                [before @ .., last] if !before.is_empty() => {
                    format!("{} or {last}", before.join(", "))
                }
                words => words.concat(),
            },
            Self::Text(words) | Self::Secret(words) => words.to_owned(),
        }
    }

    /// Whether a value must not be shown.
    #[must_use]
    pub fn is_secret(self) -> bool {
        matches!(self, Self::Secret(_))
    }
}

/// The variables of one concern.
#[derive(Clone, Copy, Debug)]
pub struct Section {
    /// The concern of the variables.
    pub title: &'static str,
    /// The variables, in the order of the struct's fields.
    pub variables: &'static [Variable],
}
