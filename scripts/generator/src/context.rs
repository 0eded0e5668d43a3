//! What the templates know of a module: its names in every form, and its fields.
//!
//! Come here to give the templates another value. How a type is stored, checked and tested stands in `field_text`, the order
//! and the words of the files in `templates/`.

use serde::Serialize;

use crate::field::{Field, Kind};
use crate::field_text::{constraints, documentation, example, garde, rust_type, samples, sql_type};
use crate::module::{Module, USERS};
use crate::name::{camel_case, with_article, words};

/// The values of the templates.
#[derive(Debug, Serialize)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a question of a template"
)]
pub struct Context {
    command: String,
    plural: String,
    singular: String,
    type_name: String,
    one: String,
    many: String,
    words: String,
    words_of_one: String,
    an: String,
    fields: Vec<FieldContext>,
    filters: Vec<FieldContext>,
    enums: Vec<EnumContext>,
    parents: Vec<ParentContext>,
    columns: Vec<String>,
    owned: bool,
    per_caller: bool,
    has_unique: bool,
    can_conflict: bool,
    has_text: bool,
    has_date: bool,
    has_uuid: bool,
    has_decimal: bool,
    many_booleans: bool,
}

/// What the templates know of a field.
#[derive(Clone, Debug, Serialize)]
struct FieldContext {
    name: String,
    words: String,
    sql_type: &'static str,
    constraints: String,
    rust_type: String,
    garde: String,
    documentation: String,
    example: String,
    select: String,
    bind: String,
    sql_cast: &'static str,
    filter_type: String,
    filter_bind: String,
    reference: Option<String>,
    optional: bool,
    unique: bool,
    first: String,
    second: String,
    /// A reference to a table of which the test cannot make a row.
    unknown: bool,
    filter_first: String,
    filter_second: String,
    wrong: String,
}

/// An enumeration of Rust.
#[derive(Debug, Serialize)]
struct EnumContext {
    name: String,
    words: String,
    values: Vec<ValueContext>,
}

/// A value of an enumeration.
#[derive(Debug, Serialize)]
struct ValueContext {
    text: String,
    variant: String,
}

/// A row of another module that the test makes first.
#[derive(Debug, Serialize)]
struct ParentContext {
    /// The variable with its id.
    variable: String,
    /// The expression that makes it.
    made_by: String,
}

impl Context {
    /// The values for a module. `known` are the modules that its references may lead to.
    pub fn of(module: &Module, known: &[Module]) -> Self {
        let name = &module.name;
        let type_name = name.type_name();
        let fields: Vec<FieldContext> = module
            .fields
            .iter()
            .map(|field| FieldContext::of(field, &type_name, known))
            .collect();
        let has = |wanted: fn(&Kind) -> bool| module.fields.iter().any(|field| wanted(&field.kind));
        let booleans = module
            .fields
            .iter()
            .filter(|field| field.kind == Kind::Boolean && !field.is_optional);
        let has_unique = module.fields.iter().any(|field| field.is_unique);
        let own = |name: &str| name.to_owned();
        let owner = module.is_owned.then(|| own("owner_id"));
        let mut columns = vec![own("id")];
        columns.extend(owner);
        columns.extend(fields.iter().map(|field| field.select.clone()));
        columns.push(own("created_at"));
        let mut parents = Vec::new();
        add_parents(module, "", known, &mut parents);
        Self {
            command: module.command.clone(),
            plural: name.plural.clone(),
            singular: name.singular.clone(),
            one: name.singular.to_uppercase(),
            many: name.plural.to_uppercase(),
            words: words(&name.plural),
            words_of_one: words(&name.singular),
            an: with_article(&name.singular),
            filters: module
                .fields
                .iter()
                .zip(&fields)
                .filter(|(field, _)| field.is_filter())
                .map(|(_, context)| context.clone())
                .collect(),
            enums: module
                .fields
                .iter()
                .filter_map(|field| EnumContext::of(field, &type_name))
                .collect(),
            parents,
            columns,
            owned: module.is_owned,
            per_caller: module.is_per_caller,
            has_unique,
            can_conflict: has_unique || has(|kind| matches!(kind, Kind::Reference(_))),
            has_text: has(|kind| *kind == Kind::Text),
            has_date: has(|kind| *kind == Kind::Date),
            has_uuid: has(|kind| *kind == Kind::Uuid),
            has_decimal: has(|kind| *kind == Kind::Decimal),
            many_booleans: booleans.count() > 3,
            type_name,
            fields,
        }
    }
}

impl FieldContext {
    fn of(field: &Field, type_name: &str, known: &[Module]) -> Self {
        let column = &field.column;
        let base = rust_type(field, type_name);
        let optional = |text: &str| format!("Option<{text}>");
        let rust_type = if field.is_optional {
            optional(&base)
        } else {
            base.clone()
        };
        let is_enum = matches!(field.kind, Kind::Enum(_));
        let cast = |rust_type: &str| {
            if is_enum {
                format!(" as {rust_type}")
            } else {
                String::new()
            }
        };
        let (first, second, wrong) = samples(field);
        let is_unknown = field
            .references()
            .is_some_and(|table| !can_make(table, known));
        let first = if is_unknown { "null".to_owned() } else { first };
        Self {
            name: column.clone(),
            words: words(column),
            sql_type: sql_type(&field.kind),
            constraints: constraints(field),
            garde: garde(field),
            documentation: documentation(field),
            example: example(field),
            select: match &field.kind {
                Kind::Enum(_) => format!("{column} AS \"{column}: {base}\""),
                // An expression has no constraint NOT NULL, so the macro needs the mark.
                Kind::Decimal if field.is_optional => format!("{column}::text AS \"{column}?\""),
                Kind::Decimal => format!("{column}::text AS \"{column}!\""),
                _ => column.clone(),
            },
            bind: format!("content.{column}{}", cast(&rust_type)),
            sql_cast: if field.kind == Kind::Decimal {
                "::text::numeric"
            } else {
                ""
            },
            filter_bind: format!("query.{column}{}", cast(&optional(&base))),
            filter_type: optional(&base),
            rust_type,
            reference: field.references().map(str::to_owned),
            unknown: is_unknown,
            optional: field.is_optional,
            unique: field.is_unique,
            filter_first: first.trim_matches('"').to_owned(),
            filter_second: second.trim_matches('"').to_owned(),
            second: if field.is_optional {
                "null".to_owned()
            } else {
                second
            },
            first,
            wrong,
        }
    }
}

impl EnumContext {
    fn of(field: &Field, type_name: &str) -> Option<Self> {
        let Kind::Enum(values) = &field.kind else {
            return None;
        };
        let value = |text: &String| ValueContext {
            text: text.clone(),
            variant: camel_case(text),
        };
        Some(Self {
            name: rust_type(field, type_name),
            words: words(&field.column),
            values: values.iter().map(value).collect(),
        })
    }
}

/// Adds the rows that the references of a module lead to, those that they need first. Variables begin with `prefix`.
fn add_parents(module: &Module, prefix: &str, known: &[Module], parents: &mut Vec<ParentContext>) {
    for field in &module.fields {
        let Some(table) = field.references().filter(|table| can_make(table, known)) else {
            continue;
        };
        let variable = format!("{prefix}{}", field.column);
        let parent = known.iter().find(|known| known.name.plural == table);
        let made_by = if let Some(parent) = parent {
            let prefix = format!("{prefix}{}_", parent.name.singular);
            add_parents(parent, &prefix, known, parents);
            let value = |field: &Field| match field.references() {
                Some(table) if can_make(table, known) => {
                    format!("\"{0}\": {prefix}{0}", field.column)
                }
                Some(_) => format!("\"{}\": null", field.column),
                None => format!("\"{}\": {}", field.column, samples(field).0),
            };
            let body: Vec<String> = parent.fields.iter().map(value).collect();
            format!(
                "service.post(&ada, \"/{table}\", json!({{{}}})).await.expect(201).json()[\"id\"].clone()",
                body.join(", ")
            )
        } else {
            format!("service.sign_up(\"{variable}\").await.expect(201).json()[\"id\"].clone()")
        };
        parents.push(ParentContext { variable, made_by });
    }
}

/// Whether a test can make a row of this table: a user, or a row of a module that this program has written.
pub fn can_make(table: &str, known: &[Module]) -> bool {
    table == USERS || known.iter().any(|known| known.name.plural == table)
}
