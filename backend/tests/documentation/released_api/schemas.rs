//! The rules for schemas. One idea holds them: the reader accepts all that the writer may send.
//!
//! Of a request the reader is the new service, and the writer an old client. Of an answer the reader is the old client, and the writer
//! the new service, which may add fields. Come here for a rule about a field or a bound.

use std::collections::BTreeSet;

use serde_json::Value;

use super::Change;
use super::operations::members;

/// Who writes what the schema describes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Direction {
    /// The client.
    Request,
    /// The service.
    Answer,
}

/// Bounds of which a higher one accepts less.
const LOWER_BOUNDS: [&str; 5] = [
    "minLength",
    "minimum",
    "exclusiveMinimum",
    "minItems",
    "minProperties",
];
/// Bounds of which a lower one accepts less.
const UPPER_BOUNDS: [&str; 5] = [
    "maxLength",
    "maximum",
    "exclusiveMaximum",
    "maxItems",
    "maxProperties",
];
/// Words that accept less if they are there, and something else if they differ.
const RESTRICTIONS: [&str; 5] = ["pattern", "format", "multipleOf", "uniqueItems", "not"];
const COMBINATIONS: [&str; 3] = ["anyOf", "oneOf", "allOf"];

/// The comparison of the schemas of two documents.
pub struct Schemas<'a> {
    old: &'a Value,
    new: &'a Value,
    direction: Direction,
    changes: &'a mut BTreeSet<Change>,
    /// The names that are being compared: a schema may contain itself.
    open: Vec<(String, String)>,
}

/// What a reference stands for.
pub fn resolve<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    let target = name(value).and_then(|name| document.pointer(name.strip_prefix('#')?));
    target.unwrap_or(value)
}

fn name(value: &Value) -> Option<&str> {
    value["$ref"].as_str()
}

impl<'a> Schemas<'a> {
    pub fn new(
        (old, new): (&'a Value, &'a Value),
        direction: Direction,
        changes: &'a mut BTreeSet<Change>,
    ) -> Self {
        Self {
            old,
            new,
            direction,
            changes,
            open: Vec::new(),
        }
    }

    fn report(&mut self, place: &[String], text: String) {
        let names = place.to_vec();
        self.changes.insert(Change { names, text });
    }

    /// Adds the incompatible changes of a schema at a place: the name of an operation or a schema, and what is in it.
    pub fn compare(&mut self, place: &[String], old: &Value, new: &Value) {
        let names = (name(old), name(new));
        let (old, new) = (resolve(self.old, old), resolve(self.new, new));
        let (Some(old_name), Some(new_name)) = names else {
            self.compare_resolved(place, old, new);
            return;
        };
        let pair = (old_name.to_owned(), new_name.to_owned());
        if self.open.contains(&pair) {
            return;
        }
        let own_place = [old_name.rsplit('/').next().unwrap_or_default().to_owned()];
        self.open.push(pair);
        self.compare_resolved(&own_place, old, new);
        self.open.pop();
    }

    fn compare_resolved(&mut self, place: &[String], old: &Value, new: &Value) {
        self.compare_types(place, old, new);
        self.compare_values(place, old, new);
        self.compare_bounds(place, old, new);
        self.compare_fields(place, old, new);
        for inner in ["items", "additionalProperties", "propertyNames"] {
            if old[inner].is_object() && new[inner].is_object() {
                self.compare(place, &old[inner], &new[inner]);
            }
        }
        for combination in COMBINATIONS {
            self.compare_combinations(place, combination, old, new);
        }
        if self.direction == Direction::Request && old["default"] != new["default"] {
            let (old, new) = (&old["default"], &new["default"]);
            self.report(
                place,
                format!("the default was {old} and is {new} (null: none)"),
            );
        }
    }

    /// The schema that has to accept everything, and the one that says what there is.
    fn reader_and_writer<'v>(&self, old: &'v Value, new: &'v Value) -> (&'v Value, &'v Value) {
        match self.direction {
            Direction::Request => (new, old),
            Direction::Answer => (old, new),
        }
    }

    fn compare_types(&mut self, place: &[String], old: &Value, new: &Value) {
        let (reader, writer) = self.reader_and_writer(old, new);
        let (read, written) = (list(&reader["type"]), list(&writer["type"]));
        let accepts = |kind: &&Value| {
            read.contains(kind)
                || (**kind == "integer" && read.iter().any(|read| *read == "number"))
        };
        let is_any = |kinds: &[&Value]| kinds.is_empty();
        if !is_any(&read) && (is_any(&written) || !written.iter().all(accepts)) {
            let (old, new) = (&old["type"], &new["type"]);
            self.report(place, format!("the type was {old} and is {new}"));
        }
    }

    fn compare_values(&mut self, place: &[String], old: &Value, new: &Value) {
        let (reader, writer) = self.reader_and_writer(old, new);
        let Some(read) = values(reader) else {
            return;
        };
        let strange = match values(writer) {
            None => "other values than the listed ones".to_owned(),
            Some(written) => {
                let strange = written.iter().filter(|value| !read.contains(value));
                let strange: Vec<String> = strange.map(ToString::to_string).collect();
                strange.join(", ")
            }
        };
        if !strange.is_empty() {
            let text = match self.direction {
                Direction::Request => format!("these values are no longer accepted: {strange}"),
                Direction::Answer => format!("these values are new in an answer: {strange}"),
            };
            self.report(place, text);
        }
    }

    fn compare_bounds(&mut self, place: &[String], old: &Value, new: &Value) {
        let (reader, writer) = self.reader_and_writer(old, new);
        let number = |schema: &Value, word: &str| schema[word].as_f64();
        let exceeds = |word: &&str, is_beyond: fn(f64, f64) -> bool| match (
            number(reader, word),
            number(writer, word),
        ) {
            (None, _) => false,
            (Some(_), None) => true,
            (Some(read), Some(written)) => is_beyond(written, read),
        };
        let lower = LOWER_BOUNDS.into_iter();
        let upper = UPPER_BOUNDS.into_iter();
        let differs = |word: &&str| {
            !matches!(reader[*word], Value::Null | Value::Bool(false))
                && reader[*word] != writer[*word]
        };
        let changed: Vec<&str> = lower
            .filter(|word| exceeds(word, |written, read| written < read))
            .chain(upper.filter(|word| exceeds(word, |written, read| written > read)))
            .chain(RESTRICTIONS.into_iter().filter(differs))
            .collect();
        for word in changed {
            let (old, new) = (&old[word], &new[word]);
            self.report(place, format!("{word} was {old} and is {new} (null: none)"));
        }
    }

    fn compare_fields(&mut self, place: &[String], old: &Value, new: &Value) {
        let (old_required, new_required) = (list(&old["required"]), list(&new["required"]));
        for (field, was) in members(&old["properties"]) {
            let place = inside(place, field);
            match new["properties"].get(field) {
                None => self.report(&place, "the field is gone".to_owned()),
                Some(is) => self.compare(&place, was, is),
            }
        }
        let (needed, given, text) = match self.direction {
            Direction::Request => (new_required, old_required, "the field has become required"),
            Direction::Answer => (
                old_required,
                new_required,
                "the field may be missing in an answer",
            ),
        };
        for field in needed.iter().filter(|field| !given.contains(field)) {
            let field = field.as_str().unwrap_or_default();
            // A field that is gone was reported as such.
            if new["properties"].get(field).is_some() {
                self.report(&inside(place, field), text.to_owned());
            }
        }
        let is_closed = |schema: &Value| schema["additionalProperties"] == false;
        if self.direction == Direction::Request && is_closed(new) && !is_closed(old) {
            self.report(place, "unknown fields are refused".to_owned());
        }
    }

    /// Each alternative of the writer is accepted by one of the reader's. Of `allOf`, each one of the reader's is met.
    fn compare_combinations(&mut self, place: &[String], word: &str, old: &Value, new: &Value) {
        let (reader, writer) = self.reader_and_writer(old, new);
        let (read, written) = (list(&reader[word]), list(&writer[word]));
        if read.is_empty() || reader[word] == writer[word] && self.is_same_document(&reader[word]) {
            return;
        }
        let accepts = |reader: &Value, writer: &Value| {
            let (old, new) = match self.direction {
                Direction::Request => (writer, reader),
                Direction::Answer => (reader, writer),
            };
            let mut changes = BTreeSet::new();
            let mut inner = Schemas::new((self.old, self.new), self.direction, &mut changes);
            inner.open.clone_from(&self.open);
            inner.compare(place, old, new);
            changes.is_empty()
        };
        let is_accepted = if word == "allOf" {
            read.iter()
                .all(|reader| written.iter().any(|writer| accepts(reader, writer)))
        } else {
            !written.is_empty()
                && written
                    .iter()
                    .all(|writer| read.iter().any(|reader| accepts(reader, writer)))
        };
        if !is_accepted {
            self.report(place, format!("{word} has other alternatives"));
        }
    }

    /// Whether a value without references means the same in both documents.
    fn is_same_document(&self, value: &Value) -> bool {
        !value.to_string().contains("\"$ref\"") || self.old == self.new
    }
}

fn inside(place: &[String], field: &str) -> Vec<String> {
    [place, &[field.to_owned()]].concat()
}

/// A list, or a single value as one.
fn list(value: &Value) -> Vec<&Value> {
    match value {
        Value::Null => Vec::new(),
        Value::Array(values) => values.iter().collect(),
        value => vec![value],
    }
}

/// The values that a schema lists, if it does.
fn values(schema: &Value) -> Option<Vec<&Value>> {
    let single = schema.get("const").map(|value| vec![value]);
    single.or_else(|| schema.get("enum").map(list))
}
