//! A field in each language: its column, its type in Rust, its rules, its description and its values in the test.
//!
//! Come here to change how a type is stored, checked or tested. Which types there are stands in `field`.

use crate::field::{Field, Kind};
use crate::name::camel_case;

/// The most characters of a text, and of one that is unique and so stands in an index.
const MAX_TEXT: usize = 2000;
const MAX_UNIQUE_TEXT: usize = 200;

/// The type of the column.
pub const fn sql_type(kind: &Kind) -> &'static str {
    match kind {
        Kind::Text | Kind::Enum(_) => "text",
        Kind::Integer => "integer",
        Kind::BigInteger | Kind::Reference(_) => "bigint",
        Kind::Decimal => "numeric",
        Kind::Boolean => "boolean",
        Kind::Date => "date",
        Kind::Timestamp => "timestamptz",
        Kind::Uuid => "uuid",
        Kind::Json => "jsonb",
    }
}

/// The type without `Option`.
pub fn rust_type(field: &Field, type_name: &str) -> String {
    match &field.kind {
        // A decimal number is a text outside the database: no binary fraction is equal to it.
        Kind::Text | Kind::Decimal => "String".to_owned(),
        Kind::Integer => "i32".to_owned(),
        Kind::BigInteger | Kind::Reference(_) => "i64".to_owned(),
        Kind::Boolean => "bool".to_owned(),
        Kind::Date => "NaiveDate".to_owned(),
        Kind::Timestamp => "DateTime<Utc>".to_owned(),
        Kind::Uuid => "Uuid".to_owned(),
        Kind::Json => "serde_json::Value".to_owned(),
        Kind::Enum(_) => format!("{type_name}{}", camel_case(&field.column)),
    }
}

/// The most characters of a text.
const fn max_length(field: &Field) -> usize {
    if field.is_unique {
        MAX_UNIQUE_TEXT
    } else {
        MAX_TEXT
    }
}

/// The constraints of the column.
pub fn constraints(field: &Field) -> String {
    let column = &field.column;
    let mut words = Vec::new();
    if !field.is_optional {
        words.push("NOT NULL".to_owned());
    }
    if field.is_unique {
        words.push("UNIQUE".to_owned());
    }
    match &field.kind {
        Kind::Text => words.push(format!(
            "CHECK (length({column}) BETWEEN 1 AND {})",
            max_length(field)
        )),
        Kind::Decimal => words.push(format!("CHECK (abs({column}) < 1000000000000)")),
        Kind::Enum(values) => {
            words.push(format!("CHECK ({column} IN ('{}'))", values.join("', '")));
        }
        Kind::Reference(table) => words.push(format!("REFERENCES {table} (id)")),
        _ => {}
    }
    words.join(" ")
}

/// The rules of a field of the input.
pub fn garde(field: &Field) -> String {
    match field.kind {
        Kind::Text => {
            let without_nul = if field.is_optional {
                "inner(custom(without_nul))"
            } else {
                "custom(without_nul)"
            };
            format!(
                "length(chars, min = 1, max = {}), {without_nul}",
                max_length(field)
            )
        }
        Kind::Decimal => r#"pattern(r"^-?[0-9]{1,12}(\.[0-9]{1,6})?$")"#.to_owned(),
        Kind::Reference(_) => "range(min = 1)".to_owned(),
        _ => "skip".to_owned(),
    }
}

/// The example of a field in the description of the API, where the one of its type would be refused: a value that the test sends.
pub fn example(field: &Field) -> String {
    match field.kind {
        Kind::Decimal => samples(field).0,
        _ => String::new(),
    }
}

/// The sentence about a field of the input, for the description of the API.
pub fn documentation(field: &Field) -> String {
    match &field.kind {
        Kind::Text => format!("1–{} characters.", max_length(field)),
        Kind::Decimal => {
            "A decimal number: up to 12 digits before the point and up to 6 behind it.".to_owned()
        }
        Kind::Timestamp => "A time with its zone (RFC 3339).".to_owned(),
        Kind::Json => "Any JSON.".to_owned(),
        Kind::Reference(table) => format!("The id in `{table}`."),
        _ => String::new(),
    }
}

/// Two values for the test, and one that is refused, as JSON. None is refused where that is empty.
pub fn samples(field: &Field) -> (String, String, String) {
    let column = &field.column;
    let (first, second, wrong) = match &field.kind {
        Kind::Text => (r#""tea""#, r#""coffee""#, r#""""#),
        Kind::Integer | Kind::BigInteger => ("1", "2", r#""one""#),
        Kind::Decimal => (r#""12.50""#, r#""-0.99""#, r#""1,5""#),
        Kind::Boolean => ("true", "false", r#""yes""#),
        Kind::Date => (r#""2026-01-31""#, r#""2026-02-28""#, r#""2026-02-31""#),
        Kind::Timestamp => (
            r#""2026-01-31T12:00:00Z""#,
            r#""2026-02-28T12:00:00Z""#,
            r#""noon""#,
        ),
        Kind::Uuid => (
            r#""0190b6c8-8f3a-7c31-9a52-1f2e3d4c5b6a""#,
            r#""0190b6c8-8f3a-7c31-9a52-1f2e3d4c5b6b""#,
            r#""none""#,
        ),
        Kind::Json => (r#"{"tea": ["green", 1]}"#, r#"["coffee"]"#, ""),
        Kind::Enum(values) => {
            let quoted = |value: &str| format!("\"{value}\"");
            return (quoted(&values[0]), quoted(&values[1]), quoted("no value"));
        }
        Kind::Reference(_) => return (column.clone(), column.clone(), "0".to_owned()),
    };
    (first.to_owned(), second.to_owned(), wrong.to_owned())
}
