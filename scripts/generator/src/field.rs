//! The fields of a module, as the command line gives them: `NAME:TYPE`, with `?` for one that may be missing and `!` for one that
//! no other has.
//!
//! Come here to add a type. What the templates need of one stands in `context`.

use crate::name::{check, check_form};
use crate::refusal::{Result, refuse};

/// The types, for messages and for the help.
pub const TYPES: &str = "text, integer, bigint, decimal, boolean, date, timestamp, uuid, json, enum:a,b and references:table";

/// Names that every module gives a meaning.
const TAKEN: &[&str] = &["id", "created_at", "page", "items_per_page"];

/// A field of a module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// The name of its column, and of it in JSON. That of a reference ends in `_id`.
    pub column: String,
    /// The type of its values.
    pub kind: Kind,
    /// Whether it may be missing.
    pub is_optional: bool,
    /// Whether no two have the same value.
    pub is_unique: bool,
    /// The argument that declared it.
    pub argument: String,
}

/// The type of a field's values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A text that is not empty.
    Text,
    /// A number of 32 bits.
    Integer,
    /// A number of 64 bits.
    BigInteger,
    /// An exact number with a point, such as a price.
    Decimal,
    /// True or false.
    Boolean,
    /// A day.
    Date,
    /// A moment.
    Timestamp,
    /// A UUID.
    Uuid,
    /// Any JSON.
    Json,
    /// One of these words.
    Enum(Vec<String>),
    /// The id of a row of this table.
    Reference(String),
}

impl Field {
    /// The field that an argument declares.
    pub fn parse(argument: &str) -> Result<Self> {
        let Some((name, declared)) = argument.split_once(':') else {
            return refuse(format!(
                "`{argument}` is no field: write NAME:TYPE, such as `title:text`"
            ));
        };
        check_form("field", name)?;
        let kind = declared.trim_end_matches(['?', '!']);
        let marks = &declared[kind.len()..];
        if marks.len() > 2 || marks == "??" || marks == "!!" {
            return refuse(format!(
                "`{argument}`: `?` and `!` may each stand once at the end"
            ));
        }
        let kind = Kind::parse(kind, argument)?;
        let column = match kind {
            Kind::Reference(_) if !name.ends_with("_id") => format!("{name}_id"),
            _ => name.to_owned(),
        };
        check("field", &column)?;
        if TAKEN.contains(&column.as_str()) {
            return refuse(format!(
                "every module has a field `{column}` of its own: choose another name"
            ));
        }
        let field = Self {
            column,
            kind,
            is_optional: marks.contains('?'),
            is_unique: marks.contains('!'),
            argument: argument.to_owned(),
        };
        if field.is_unique && matches!(field.kind, Kind::Boolean | Kind::Json | Kind::Enum(_)) {
            return refuse(format!(
                "`{argument}`: this type has too few values for a field that is unique"
            ));
        }
        Ok(field)
    }

    /// The table that it refers to.
    pub fn references(&self) -> Option<&str> {
        match &self.kind {
            Kind::Reference(table) => Some(table),
            _ => None,
        }
    }

    /// Whether a list can be filtered by it: its values are few, or each finds few rows.
    pub const fn is_filter(&self) -> bool {
        matches!(
            self.kind,
            Kind::Boolean | Kind::Date | Kind::Uuid | Kind::Enum(_) | Kind::Reference(_)
        )
    }
}

impl Kind {
    fn parse(kind: &str, argument: &str) -> Result<Self> {
        let (kind, detail) = match kind.split_once(':') {
            Some((kind, detail)) => (kind, Some(detail)),
            None => (kind, None),
        };
        match (kind, detail) {
            ("text", None) => Ok(Self::Text),
            ("integer", None) => Ok(Self::Integer),
            ("bigint", None) => Ok(Self::BigInteger),
            ("decimal", None) => Ok(Self::Decimal),
            ("boolean", None) => Ok(Self::Boolean),
            ("date", None) => Ok(Self::Date),
            ("timestamp", None) => Ok(Self::Timestamp),
            ("uuid", None) => Ok(Self::Uuid),
            ("json", None) => Ok(Self::Json),
            ("enum", Some(values)) => Ok(Self::Enum(values_of(values, argument)?)),
            ("enum", None) => refuse(format!(
                "`{argument}`: name the values, such as `enum:draft,sent,paid`"
            )),
            ("references", Some(table)) => {
                check("table", table)?;
                Ok(Self::Reference(table.to_owned()))
            }
            ("references", None) => refuse(format!(
                "`{argument}`: name the table, such as `references:users`"
            )),
            (_, Some(_)) => refuse(format!(
                "`{argument}`: only `enum` and `references` are followed by `:`"
            )),
            (_, None) => refuse(format!(
                "`{argument}`: there is no type `{kind}`; the types are {TYPES}"
            )),
        }
    }
}

/// The values of an `enum`, each once.
fn values_of(values: &str, argument: &str) -> Result<Vec<String>> {
    let mut known: Vec<String> = Vec::new();
    for value in values.split(',') {
        check_form("value", value)?;
        if known.iter().any(|known| known == value) {
            return refuse(format!("`{argument}`: the value `{value}` stands twice"));
        }
        known.push(value.to_owned());
    }
    if known.len() < 2 {
        return refuse(format!("`{argument}`: an `enum` has at least two values"));
    }
    Ok(known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_read_from_its_argument() {
        let field = Field::parse("owner:references:users?").expect("a field");
        assert_eq!(field.column, "owner_id");
        assert_eq!(field.references(), Some("users"));
        assert!(field.is_optional && !field.is_unique);
        let field = Field::parse("code:text!").expect("a field");
        assert_eq!((field.column.as_str(), &field.kind), ("code", &Kind::Text));
        assert!(field.is_unique && !field.is_optional);
        let field = Field::parse("order_id:references:orders?!").expect("a field");
        assert_eq!(field.column, "order_id");
        assert!(field.is_unique && field.is_optional);
        let field = Field::parse("status:enum:draft,sent").expect("a field");
        assert_eq!(
            field.kind,
            Kind::Enum(vec!["draft".to_owned(), "sent".to_owned()])
        );
    }

    #[test]
    fn a_mistake_is_named_in_one_line() {
        for (argument, sentence) in [
            ("title", "write NAME:TYPE"),
            (
                "title:string",
                "there is no type `string`; the types are text",
            ),
            ("title:", "there is no type ``"),
            ("title:text:20", "only `enum` and `references`"),
            ("title:text??", "may each stand once"),
            ("title:text?x", "there is no type `text?x`"),
            ("type:text", "a word that Rust reserves"),
            ("Title:text", "must be of a-z"),
            ("id:bigint", "every module has a field `id`"),
            ("status:enum", "name the values"),
            ("status:enum:a", "at least two values"),
            ("status:enum:a,a", "stands twice"),
            ("status:enum:a,,b", "must be of a-z"),
            ("status:enum:self,other", "a word that Rust reserves"),
            ("owner:references", "name the table"),
            ("done:boolean!", "too few values"),
        ] {
            let refusal = Field::parse(argument).expect_err(argument).0;
            assert!(refusal.contains(sentence), "{argument}: {refusal}");
            assert!(!refusal.contains('\n'), "{refusal}");
        }
    }
}
