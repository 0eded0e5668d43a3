//! One operation: its name, parameters, answers, security and caching.
//!
//! Come here to change how an operation is described. Statuses of errors are worded in `problems`.

use std::collections::BTreeSet;

use actix_web::http::StatusCode;
use serde_json::{Map, Value, json};

use super::schemas::Schemas;
use super::{parameters, problems};
use crate::cache::{CacheMap, DeclaredRoute, MapRow, RequiredCaller};
use crate::resource::{AnswerDescription, Operation};

/// The object of one operation.
pub(super) fn describe(operation: &Operation, schemas: &mut Schemas) -> Value {
    let row = row(&operation.route);
    let (tag, name) = tag_and_name(operation);
    let mut object = json!({
        "operationId": format!("{tag}_{name}"),
        "tags": [tag],
        "summary": summary(&name),
        "description": description(&operation.route, &row) + unknown_parameters(operation, schemas),
        "responses": responses(operation, &row, schemas),
        "security": match operation.route.caller {
            RequiredCaller::Anyone => json!([]),
            RequiredCaller::SignedIn => json!([{"bearer": []}]),
            // The roles that are needed: OpenAPI 3.1, "Security Requirement Object".
            RequiredCaller::Superuser => json!([{"bearer": ["superuser"]}]),
        },
    });
    let mut parameters = parameters::of(operation, schemas);
    if row.cached {
        parameters.push(json!({
            "name": "If-None-Match",
            "in": "header",
            "description": "The `ETag` of the client's copy: 304 if the copy is current.",
            "schema": {"type": "string"},
        }));
    }
    if !parameters.is_empty() {
        object["parameters"] = parameters.into();
    }
    if let Some(body) = operation.input.body {
        object["requestBody"] = json!({
            "required": true,
            "content": {"application/json": {"schema": schemas.input(body)}},
        });
    }
    if let Some(cache) = x_cache(&row) {
        object["x-cache"] = cache;
    }
    object
}

/// The path with plain names of its parameters: `{id:[0-9]+}` is `{id}`.
pub(super) fn path_template(path: &str) -> String {
    let mut template = String::new();
    for part in path.split_inclusive('}') {
        match part.split_once('{') {
            Some((before, parameter)) => {
                let name = parameter.split([':', '}']).next().unwrap_or_default();
                template.extend([before, "{", name, "}"]);
            }
            None => template.push_str(part),
        }
    }
    template
}

/// An id for an operation whose handler serves several routes.
pub(super) fn id_of_path(route: &DeclaredRoute) -> String {
    let path = path_template(&route.path).replace(['{', '}'], "");
    let words = path.split(['/', '-']).filter(|word| !word.is_empty());
    std::iter::once(route.method.to_lowercase().as_str())
        .chain(words)
        .collect::<Vec<_>>()
        .join("_")
}

/// All statuses of errors, each once.
pub(super) fn problem_statuses(operation: &Operation) -> BTreeSet<u16> {
    let by_caller: &[u16] = match operation.route.caller {
        RequiredCaller::Anyone => &[],
        RequiredCaller::SignedIn => &[401],
        RequiredCaller::Superuser => &[401, 403],
    };
    let statuses = [
        by_caller,
        &operation.input.refusals,
        operation.refusals,
        &[500, 503],
    ];
    statuses.concat().into_iter().collect()
}

/// The header fields of answers that several operations have.
pub(super) fn headers() -> Value {
    let text =
        |description: &str| json!({"description": description, "schema": {"type": "string"}});
    json!({
        "XRequestId": text("The id of the request, which the log has too."),
        "Location": text("The path of what was created."),
        "ETag": text("The tag of this representation, for `If-None-Match` and `If-Match`."),
        "CacheControl": text("How long clients may use the answer without asking."),
        "CacheStatus": text("Whether the answer came from the cache of the service (RFC 9211)."),
    })
}

fn row(route: &DeclaredRoute) -> MapRow {
    CacheMap::new(vec![route.clone()], Vec::new(), Vec::new())
        .rows()
        .remove(0)
}

/// The feature that the handler belongs to, and the name of the handler.
fn tag_and_name(operation: &Operation) -> (String, String) {
    let parts: Vec<&str> = operation.handler_name.split("::").collect();
    let feature = parts
        .iter()
        .position(|part| ["modules", "interfaces", "infrastructure"].contains(part))
        .and_then(|position| parts.get(position + 1))
        .copied()
        .or_else(|| {
            operation
                .route
                .path
                .rsplit('/')
                .find(|part| !part.is_empty() && !part.contains('{'))
        })
        .unwrap_or("api");
    let name = match parts.last() {
        Some(name)
            if name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') =>
        {
            (*name).to_owned()
        }
        // A closure, or a handler with type parameters.
        _ => id_of_path(&operation.route),
    };
    (feature.to_owned(), name)
}

fn summary(name: &str) -> String {
    let words = name.trim_start_matches("r#").replace('_', " ");
    let mut letters = words.chars();
    letters
        .next()
        .map(|first| first.to_uppercase().chain(letters).collect())
        .unwrap_or_default()
}

/// The caller and the caching, in words.
fn description(route: &DeclaredRoute, row: &MapRow) -> String {
    let caller = match route.caller {
        RequiredCaller::Anyone => "For every caller.",
        RequiredCaller::SignedIn => "For signed-in callers.",
        RequiredCaller::Superuser => "For superusers.",
    };
    let key = row.key.as_deref().unwrap_or_default();
    if row.cached {
        let time = match row.expiration {
            Some(seconds) => format!("{seconds} s"),
            None => "the default time".to_owned(),
        };
        let audience = row.audience.unwrap_or_default();
        return format!("{caller} Cached for {time} under `{key}`, {audience}.");
    }
    caller.to_owned()
}

/// What becomes of a parameter of the query that the operation does not have.
fn unknown_parameters(operation: &Operation, schemas: &Schemas) -> &'static str {
    match operation.input.query_schema {
        None => "",
        Some(schema) if schemas.inline_input(schema)["additionalProperties"] == false => {
            " Other parameters of the query are refused."
        }
        Some(_) => " Other parameters of the query are ignored.",
    }
}

fn responses(operation: &Operation, row: &MapRow, schemas: &mut Schemas) -> Value {
    let mut responses = Map::new();
    for answer in &operation.output.answers {
        responses.insert(answer.status.to_string(), success(answer, row, schemas));
    }
    if responses.is_empty() {
        let undescribed =
            json!({"description": "The type of the handler does not describe its answer."});
        responses.insert("2XX".to_owned(), undescribed);
    }
    if row.cached {
        responses.insert(
            "304".to_owned(),
            json!({
                "description": "The client's copy is current.",
                "headers": header_references(&["XRequestId", "ETag", "CacheControl", "CacheStatus"]),
            }),
        );
    }
    for status in problem_statuses(operation) {
        // A status that is an answer as well, such as a readiness that is 503, stays as it is.
        responses.entry(status.to_string()).or_insert_with(
            || json!({"$ref": format!("#/components/responses/{}", problems::name(status))}),
        );
    }
    responses.into()
}

fn success(answer: &AnswerDescription, row: &MapRow, schemas: &mut Schemas) -> Value {
    let mut names = vec!["XRequestId"];
    if answer.has_location {
        names.push("Location");
    }
    if row.cached {
        names.extend(["ETag", "CacheControl", "CacheStatus"]);
    }
    let reason = StatusCode::from_u16(answer.status)
        .ok()
        .and_then(|status| status.canonical_reason());
    let mut object = json!({
        "description": reason.unwrap_or("Answer"),
        "headers": header_references(&names),
    });
    if let Some(content) = answer.content {
        object["content"] = json!({content.media_type: {"schema": schemas.output(content.schema)}});
    }
    object
}

fn header_references(components: &[&str]) -> Value {
    let reference = |name: &&str| {
        let field = match *name {
            "XRequestId" => "X-Request-Id",
            "CacheControl" => "Cache-Control",
            "CacheStatus" => "Cache-Status",
            name => name,
        };
        (
            field.to_owned(),
            json!({"$ref": format!("#/components/headers/{name}")}),
        )
    };
    components
        .iter()
        .map(reference)
        .collect::<Map<_, _>>()
        .into()
}

/// The caching of the route: the key of a read, or the invalidations of a write.
fn x_cache(row: &MapRow) -> Option<Value> {
    let invalidated = &row.invalidates;
    let keys: Vec<&str> = row
        .key
        .iter()
        .chain(&invalidated.keys)
        .map(String::as_str)
        .collect();
    if row.cached {
        let mut cache = json!({
            "key": row.key,
            "audience": row.audience,
            "groups": row.group.iter().collect::<Vec<_>>(),
        });
        if let Some(seconds) = row.expiration {
            cache["expiration"] = seconds.into();
        }
        if let Some(backend) = row.backend {
            cache["backend"] = backend.into();
        }
        return Some(cache);
    }
    if keys.is_empty() && invalidated.groups.is_empty() && invalidated.patterns.is_empty() {
        return None;
    }
    Some(json!({
        "invalidates": {"keys": keys, "groups": invalidated.groups, "patterns": invalidated.patterns},
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_keeps_the_names_of_its_parameters_without_their_patterns() {
        assert_eq!(path_template("/a/{id:[0-9]+}/b/{c}"), "/a/{id}/b/{c}");
        assert_eq!(path_template("/a"), "/a");
    }
}
