//! The parameters of an operation: path, query and header fields.
//!
//! Come here to change how a parameter is described. Which ones a handler has is said by its types, in
//! `resource::handler_input`.

use serde_json::{Value, json};

use super::operation::path_template;
use super::schemas::Schemas;
use crate::resource::{Operation, PathPlace};

/// All parameters but those that caching adds.
pub(super) fn of(operation: &Operation, schemas: &mut Schemas) -> Vec<Value> {
    let mut parameters = in_path(operation, schemas);
    if let Some(schema) = operation.input.query_schema {
        parameters.extend(in_query(&schemas.inline_input(schema)));
    }
    parameters.extend(operation.input.headers.iter().map(|header| {
        json!({
            "name": header.name,
            "in": "header",
            "description": header.description,
            "schema": {"type": "string", "minLength": 1, "pattern": header.pattern, "examples": [header.example]},
        })
    }));
    parameters
}

/// A parameter that no type of the handler describes is a text.
fn in_path(operation: &Operation, schemas: &mut Schemas) -> Vec<Value> {
    let path = path_template(&operation.route.path);
    let names: Vec<&str> = path
        .split('{')
        .skip(1)
        .filter_map(|rest| rest.split('}').next())
        .collect();
    let inputs: Vec<(Option<&str>, Value)> = operation
        .input
        .path
        .iter()
        .map(|input| {
            (
                name_at(input.place, &names),
                schemas.inline_input(input.schema),
            )
        })
        .collect();
    let describe = |name: &&str| {
        let described = inputs.iter().find(|(place, _)| *place == Some(*name));
        let mut schema =
            described.map_or_else(|| json!({"type": "string"}), |(_, schema)| schema.clone());
        // The documentation of the extractor is not for clients.
        if let Some(schema) = schema.as_object_mut() {
            schema.remove("description");
        }
        json!({"name": name, "in": "path", "required": true, "schema": schema})
    };
    names.iter().map(describe).collect()
}

/// The parameter that an extractor reads: the rule of `http::path`.
fn name_at<'a>(place: PathPlace, names: &[&'a str]) -> Option<&'a str> {
    let is_id = |name: &str| name == "id" || name.ends_with("_id");
    let last_or_first = |like_an_id: bool| {
        let last = names.iter().rev().find(|name| is_id(name) == like_an_id);
        last.or(names.first()).copied()
    };
    match place {
        PathPlace::Id => last_or_first(true),
        PathPlace::Text => last_or_first(false),
        PathPlace::Named(name) => names.iter().find(|known| **known == name).copied(),
    }
}

/// A parameter for each property of the query's type.
fn in_query(schema: &Value) -> Vec<Value> {
    let Some(properties) = schema["properties"].as_object() else {
        return Vec::new();
    };
    let is_required = |name: &String| {
        schema["required"]
            .as_array()
            .is_some_and(|required| required.iter().any(|required| required == name))
    };
    let describe = |(name, property): (&String, &Value)| {
        let mut property = property.clone();
        let description = property
            .as_object_mut()
            .and_then(|property| property.remove("description"));
        let mut parameter =
            json!({"name": name, "in": "query", "required": is_required(name), "schema": property});
        if let Some(description) = description {
            parameter["description"] = description;
        }
        parameter
    };
    properties.iter().map(describe).collect()
}
