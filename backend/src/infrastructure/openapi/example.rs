//! An example of a schema, put together from the examples and bounds of its parts.
//!
//! Come here when an example is not a good one. A field's own example is given at the field: `#[schemars(example = …)]`.

use serde_json::{Map, Value, json};

/// The deepest schema that gets an example: a type that contains itself ends somewhere.
const DEEPEST: usize = 8;

/// An example; `None` for a schema that allows anything.
pub(super) fn of(schema: &Value, schemas: &Map<String, Value>) -> Option<Value> {
    build(schema, schemas, 0)
}

fn build(schema: &Value, schemas: &Map<String, Value>, depth: usize) -> Option<Value> {
    if depth > DEEPEST {
        return None;
    }
    let deeper = |inner: &Value| build(inner, schemas, depth + 1);
    let given = schema["examples"]
        .get(0)
        .or_else(|| schema.get("const"))
        .or_else(|| schema["enum"].get(0))
        .or_else(|| schema.get("default"));
    if let Some(given) = given {
        return Some(given.clone());
    }
    if let Some(reference) = schema["$ref"].as_str() {
        return deeper(schemas.get(reference.rsplit('/').next()?)?);
    }
    for word in ["anyOf", "oneOf", "allOf"] {
        if let Some(first) = schema[word].get(0) {
            return deeper(first);
        }
    }
    let kind = schema["type"]
        .as_str()
        .or_else(|| schema["type"][0].as_str())?;
    Some(match kind {
        "object" => {
            let properties = schema["properties"].as_object();
            let fields = properties.into_iter().flatten();
            fields
                .filter_map(|(name, property)| Some((name.clone(), deeper(property)?)))
                .collect::<Map<_, _>>()
                .into()
        }
        "array" => schema.get("items").and_then(deeper).into_iter().collect(),
        "integer" | "number" => schema.get("minimum").cloned().unwrap_or_else(|| json!(1)),
        "boolean" => json!(false),
        "string" => json!(match schema["format"].as_str() {
            Some("date-time") => "2026-01-31T12:00:00Z",
            Some("date") => "2026-01-31",
            Some("email") => "ada@example.com",
            Some("uuid") => "0b9f2c4e-7f0a-4c1d-9d55-3f6f2c1f8f4e",
            _ => "text",
        }),
        _ => Value::Null,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_example_has_every_field_and_ends_in_a_type_that_contains_itself() {
        let node = json!({
            "type": "object",
            "properties": {
                "name": {"type": "string", "examples": ["Cog"]},
                "size": {"type": ["integer", "null"], "minimum": 3},
                "since": {"type": "string", "format": "date"},
                "below": {"$ref": "#/components/schemas/Node"},
            },
        });
        let schemas = Map::from_iter([("Node".to_owned(), node)]);
        let example = of(&json!({"$ref": "#/components/schemas/Node"}), &schemas).unwrap();
        assert_eq!(example["name"], "Cog");
        assert_eq!(example["size"], 3);
        assert_eq!(example["since"], "2026-01-31");
        assert_eq!(example["below"]["name"], "Cog");
    }
}
