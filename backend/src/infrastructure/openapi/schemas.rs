//! The schemas of inputs and answers, and their place in the document.
//!
//! Come here to change what a schema says beyond its type. A type that is read and written differently (a field that may be
//! left out is always in an answer) has two schemas: `Item` and `ItemInput`.

use std::collections::BTreeSet;

use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value};

use super::example;
use crate::http::problem_schema;
use crate::resource::SchemaOf;

const PLACE: &str = "#/components/schemas/";
/// Text in PostgreSQL cannot contain NUL (`http::without_nul`).
const WITHOUT_NUL: &str = r"^[^\u0000]*$";

/// The schemas that the document refers to.
#[derive(Debug)]
pub(super) struct Schemas {
    inputs: SchemaGenerator,
    answers: SchemaGenerator,
}

fn settings() -> SchemaSettings {
    SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
    })
}

impl Schemas {
    pub(super) fn new() -> Self {
        Self {
            inputs: settings().for_deserialize().into_generator(),
            answers: settings().for_serialize().into_generator(),
        }
    }

    /// A reference to the schema of a body that is read.
    pub(super) fn input(&mut self, schema: SchemaOf) -> Value {
        as_input(schema(&mut self.inputs).to_value())
    }

    /// The schema of something that is read, without references.
    pub(super) fn inline_input(&self, schema: SchemaOf) -> Value {
        let mut settings = self.inputs.settings().clone();
        settings.inline_subschemas = true;
        as_input(schema(&mut settings.into_generator()).to_value())
    }

    /// A reference to the schema of a body that is written.
    pub(super) fn output(&mut self, schema: SchemaOf) -> Value {
        schema(&mut self.answers).to_value()
    }

    /// A reference to the schema of problem documents.
    pub(super) fn problem(&mut self) -> Value {
        problem_schema(&mut self.answers).to_value()
    }

    /// Puts all schemas into the document, and an example beside each of them.
    pub(super) fn finish(mut self, document: &mut Value) {
        let mut all = self.answers.take_definitions(true);
        let mut renamed = BTreeSet::new();
        let inputs: Map<String, Value> = self
            .inputs
            .take_definitions(true)
            .into_iter()
            .map(|(name, schema)| (name, as_input(schema)))
            .collect();
        for (name, schema) in &inputs {
            if all.get(name).is_some_and(|answer| answer != schema) {
                renamed.insert(name.clone());
            }
        }
        for (name, mut schema) in inputs {
            rename(&mut schema, &renamed);
            let name = if renamed.contains(&name) {
                format!("{name}Input")
            } else {
                name
            };
            all.insert(name, schema);
        }
        let operations = document["paths"]
            .as_object_mut()
            .into_iter()
            .flat_map(|paths| paths.values_mut())
            .filter_map(Value::as_object_mut)
            .flat_map(|methods| methods.values_mut());
        for operation in operations {
            if let Some(body) = operation.get_mut("requestBody") {
                rename(body, &renamed);
                add_examples(&mut body["content"], &all);
            }
            let responses = operation["responses"].as_object_mut();
            for response in responses.into_iter().flat_map(|all| all.values_mut()) {
                if let Some(content) = response.get_mut("content") {
                    add_examples(content, &all);
                }
            }
        }
        document["components"]["schemas"] = all.into();
    }
}

fn add_examples(content: &mut Value, schemas: &Map<String, Value>) {
    for media in content
        .as_object_mut()
        .into_iter()
        .flat_map(Map::values_mut)
    {
        if let Some(example) = example::of(&media["schema"], schemas) {
            media["example"] = example;
        }
    }
}

/// Adds what is true of everything that is read.
fn as_input(mut schema: Value) -> Value {
    visit(&mut schema, &mut |object| {
        // From `#[serde(default)]`: the field may be left out, which `required` says.
        if object.get("default").is_some_and(Value::is_null) {
            object.remove("default");
        }
        let is_text = match object.get("type") {
            Some(Value::String(kind)) => kind == "string",
            Some(Value::Array(kinds)) => kinds.iter().any(|kind| kind == "string"),
            _ => false,
        };
        let is_restricted = ["pattern", "format", "enum", "const"]
            .iter()
            .any(|word| object.contains_key(*word));
        if is_text && !is_restricted {
            object.insert("pattern".to_owned(), WITHOUT_NUL.into());
        }
    });
    schema
}

fn rename(value: &mut Value, names: &BTreeSet<String>) {
    visit(value, &mut |object| {
        if let Some(Value::String(reference)) = object.get_mut("$ref")
            && let Some(name) = reference.strip_prefix(PLACE)
            && names.contains(name)
        {
            *reference = format!("{PLACE}{name}Input");
        }
    });
}

/// Calls the function with every object in the value.
fn visit(value: &mut Value, function: &mut impl FnMut(&mut Map<String, Value>)) {
    match value {
        Value::Object(object) => {
            function(object);
            object.values_mut().for_each(|inner| visit(inner, function));
        }
        Value::Array(list) => list.iter_mut().for_each(|inner| visit(inner, function)),
        _ => {}
    }
}
