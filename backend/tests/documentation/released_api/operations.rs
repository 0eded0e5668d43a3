//! The rules for operations: what a client sends, what it is answered, and who may call.
//!
//! Come here for a rule about a parameter, a body, a status or security. What stands in a body is compared in `schemas`.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::Change;
use super::schemas::{Direction, Schemas, resolve};

/// Adds the incompatible changes of all operations.
pub fn compare(old: &Value, new: &Value, changes: &mut BTreeSet<Change>) {
    let new_operations = operations(new);
    for (key, (name, operation)) in operations(old) {
        let mut comparison = Operation {
            name,
            old,
            new,
            changes: &mut *changes,
        };
        match new_operations.get(&key) {
            None => comparison.report(None, "the operation is gone"),
            Some((_, now)) => comparison.compare(operation, now),
        }
    }
}

/// The operations of a document by method and path without names of parameters, which do not go over the wire. Each has the
/// name that people know it by.
fn operations(document: &Value) -> BTreeMap<String, (String, &Value)> {
    let mut found = BTreeMap::new();
    for (path, methods) in members(&document["paths"]) {
        let mut key = String::new();
        for part in path.split_inclusive('}') {
            key += part.split_once('{').map_or(part, |(before, _)| before);
            key += if part.ends_with('}') { "{}" } else { "" };
        }
        for (method, operation) in members(methods) {
            let method = method.to_uppercase();
            found.insert(
                format!("{method} {key}"),
                (format!("{method} {path}"), operation),
            );
        }
    }
    found
}

pub fn members(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flat_map(Map::iter)
}

/// A scheme, or a role in it.
type Shown<'a> = (&'a Value, Option<&'a Value>);

struct Operation<'a> {
    name: String,
    old: &'a Value,
    new: &'a Value,
    changes: &'a mut BTreeSet<Change>,
}

impl Operation<'_> {
    fn report(&mut self, part: Option<&str>, text: &str) {
        let names = std::iter::once(self.name.as_str()).chain(part);
        self.changes.insert(Change {
            names: names.map(str::to_owned).collect(),
            text: text.to_owned(),
        });
    }

    fn compare(&mut self, old: &Value, new: &Value) {
        let (old_id, new_id) = (&old["operationId"], &new["operationId"]);
        if old_id != new_id {
            self.report(
                None,
                &format!("generated clients call it {new_id} and no longer {old_id}"),
            );
        }
        self.compare_security(old, new);
        self.compare_parameters(old, new);
        self.compare_body(&old["requestBody"], &new["requestBody"]);
        self.compare_answers(&old["responses"], &new["responses"]);
    }

    fn compare_schemas(&mut self, direction: Direction, place: &str, old: &Value, new: &Value) {
        let documents = (self.old, self.new);
        Schemas::new(documents, direction, &mut *self.changes).compare(
            &[self.name.clone(), place.to_owned()],
            old,
            new,
        );
    }

    /// A caller who may call stays one who may.
    fn compare_security(&mut self, old: &Value, new: &Value) {
        let callers = alternatives(old, self.old);
        let admitted = alternatives(new, self.new);
        let is_admitted = |caller: &Vec<_>| {
            admitted
                .iter()
                .any(|wanted| wanted.iter().all(|scheme| caller.contains(scheme)))
        };
        if !callers.iter().all(is_admitted) {
            self.report(
                Some("security"),
                "callers need another authentication than before",
            );
        }
    }

    fn compare_parameters(&mut self, old: &Value, new: &Value) {
        let (was, is) = (parameters(old), parameters(new));
        for (key, parameter) in &was {
            let name = parameter["name"].as_str().unwrap_or_default();
            let Some(now) = is.get(key) else {
                self.report(Some(name), "the parameter is gone");
                continue;
            };
            if now["required"] == true && parameter["required"] != true {
                self.report(Some(name), "the parameter has become required");
            }
            self.compare_schemas(
                Direction::Request,
                name,
                &parameter["schema"],
                &now["schema"],
            );
        }
        for (key, parameter) in &is {
            if !was.contains_key(key) && parameter["required"] == true {
                let name = parameter["name"].as_str().unwrap_or_default();
                self.report(Some(name), "the required parameter is new");
            }
        }
    }

    fn compare_body(&mut self, old: &Value, new: &Value) {
        if new["required"] == true && old["required"] != true {
            self.report(Some("body"), "a body has become required");
        }
        for (media_type, was) in members(&old["content"]) {
            match new["content"].get(media_type) {
                None => self.report(
                    Some("body"),
                    &format!("{media_type} is no longer read from requests"),
                ),
                Some(is) => {
                    self.compare_schemas(Direction::Request, "body", &was["schema"], &is["schema"]);
                }
            }
        }
    }

    fn compare_answers(&mut self, old: &Value, new: &Value) {
        for (status, was) in members(old) {
            let Some(is) = new.get(status) else {
                self.report(Some(status), "the status is no longer answered");
                continue;
            };
            let (was, is) = (resolve(self.old, was), resolve(self.new, is));
            for (field, _) in members(&was["headers"]) {
                if is["headers"].get(field).is_none() {
                    let text = format!("the answer no longer has the header field {field}");
                    self.report(Some(status), &text);
                }
            }
            for (media_type, content) in members(&was["content"]) {
                match is["content"].get(media_type) {
                    None => self.report(
                        Some(status),
                        &format!("the answer is no longer {media_type}"),
                    ),
                    Some(now) => self.compare_schemas(
                        Direction::Answer,
                        status,
                        &content["schema"],
                        &now["schema"],
                    ),
                }
            }
        }
        // Other new errors are handled by their class. This one says that callers are refused who were served before.
        if new.get("403").is_some() && old.get("403").is_none() {
            self.report(Some("403"), "some callers are refused");
        }
    }
}

/// What a caller can show to be admitted: lists of schemes and of roles in them, an empty one for nobody in particular.
fn alternatives<'a>(operation: &'a Value, document: &'a Value) -> Vec<Vec<Shown<'a>>> {
    let wanted = operation
        .get("security")
        .or_else(|| document.get("security"));
    let lists = wanted.and_then(Value::as_array);
    let shown = |(name, roles): (&String, &'a Value)| {
        let scheme = &document["components"]["securitySchemes"][name]["scheme"];
        let roles = roles.as_array().into_iter().flatten();
        std::iter::once((scheme, None)).chain(roles.map(move |role| (scheme, Some(role))))
    };
    match lists {
        Some(lists) if !lists.is_empty() => lists
            .iter()
            .map(|list| members(list).flat_map(shown).collect())
            .collect(),
        _ => vec![Vec::new()],
    }
}

/// Parameters by place and name; those of the path, by their number.
fn parameters(operation: &Value) -> BTreeMap<String, &Value> {
    let all = operation["parameters"].as_array().into_iter().flatten();
    let mut in_path = 0;
    all.map(|parameter| {
        let key = if parameter["in"] == "path" {
            in_path += 1;
            format!("path {in_path}")
        } else {
            format!("{} {}", parameter["in"], parameter["name"])
        };
        (key, parameter)
    })
    .collect()
}
