//! Each rule, on a small document in which one place is changed.
//!
//! Come here with a new rule: a line for a change that it finds, and one for a similar change that no client notices.

use serde_json::{Value, json};

use super::changes;

/// One operation that has everything, and one that any caller may call.
fn document() -> Value {
    json!({
        "paths": {
            "/items/{id}": {"put": {
                "operationId": "items_put",
                "security": [{"bearer": []}],
                "parameters": [
                    {"name": "id", "in": "path", "required": true, "schema": {"type": "integer", "minimum": 1}},
                    {"name": "size", "in": "query", "schema": {"type": "integer", "maximum": 9, "default": 3}},
                ],
                "requestBody": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/ItemInput"}}}},
                "responses": {
                    "200": {
                        "headers": {"ETag": {}},
                        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Item"}}},
                    },
                    "404": {"$ref": "#/components/responses/NotFound"},
                },
            }},
            "/open": {"get": {"operationId": "open", "security": [], "responses": {"204": {}}}},
        },
        "components": {
            "securitySchemes": {"bearer": {"scheme": "bearer"}},
            "responses": {"NotFound": {"content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}}},
            "schemas": {
                "Problem": {"type": "object", "required": ["title"], "properties": {"title": {"type": "string"}}},
                "ItemInput": {
                    "type": "object",
                    "required": ["name"],
                    "properties": {
                        "name": {"type": "string", "minLength": 1, "maxLength": 7},
                        "kind": {"enum": ["a", "b"]},
                        "count": {"type": "number"},
                        "tags": {"type": "array", "items": {"type": "string"}},
                        "parent": {"anyOf": [{"$ref": "#/components/schemas/ItemInput"}, {"type": "null"}]},
                    },
                },
                "Item": {
                    "type": "object",
                    "required": ["name", "kind", "note"],
                    "properties": {
                        "name": {"type": "string", "maxLength": 7},
                        "kind": {"enum": ["a", "b"]},
                        "note": {"type": ["string", "null"]},
                        "owner": {"anyOf": [{"$ref": "#/components/schemas/Item"}, {"type": "null"}]},
                    },
                },
            },
        },
    })
}

/// Puts a value at a place, or removes what is there where the value is `null`. A list takes it as its last element at `-`.
fn with(place: &str, value: Value) -> Value {
    let mut document = document();
    let (parent, name) = place.rsplit_once('/').unwrap();
    let name = name.replace("~1", "/");
    match document.pointer_mut(parent).unwrap() {
        Value::Array(list) if name == "-" => list.push(value),
        Value::Array(list) => list[name.parse::<usize>().unwrap()] = value,
        Value::Object(members) if value.is_null() => {
            members.remove(&name).unwrap();
        }
        Value::Object(members) => {
            members.insert(name, value);
        }
        other => panic!("{place} stands in {other}"),
    }
    document
}

fn found(place: &str, value: Value) -> String {
    let changes = changes(&document(), &with(place, value));
    let texts: Vec<String> = changes.iter().map(ToString::to_string).collect();
    texts.join("\n")
}

const PUT: &str = "/paths/~1items~1{id}/put";
const INPUT: &str = "/components/schemas/ItemInput";
const ITEM: &str = "/components/schemas/Item";

#[test]
fn a_document_is_compatible_with_itself() {
    let document = document();
    assert_eq!(changes(&document, &document), [].into());
}

#[test]
fn operations_names_and_authentication_stay() {
    let gone = "`GET /open`: the operation is gone";
    assert_eq!(found("/paths/~1open", Value::Null), gone);
    assert_eq!(found("/paths/~1open/get", Value::Null), gone);
    assert_eq!(found("/paths/~1more", json!({"get": {}})), "");
    assert_eq!(
        found("/paths/~1open/get/operationId", json!("read")),
        "`GET /open`: generated clients call it \"read\" and no longer \"open\""
    );
    let needed =
        |name| format!("`{name}`, `security`: callers need another authentication than before");
    let bearer = json!([{"bearer": []}]);
    assert_eq!(
        found("/paths/~1open/get/security", bearer),
        needed("GET /open")
    );
    assert_eq!(
        found("/components/securitySchemes/bearer/scheme", json!("basic")),
        needed("PUT /items/{id}")
    );
    assert_eq!(
        found(&format!("{PUT}/security/0/bearer"), json!(["superuser"])),
        needed("PUT /items/{id}")
    );
    assert_eq!(found(&format!("{PUT}/security"), json!([])), "");
}

#[test]
fn what_clients_send_is_still_read() {
    let parameters = format!("{PUT}/parameters");
    let parameter = |required| json!({"name": "q", "in": "query", "required": required});
    assert_eq!(
        found(&format!("{parameters}/-"), parameter(true)),
        "`PUT /items/{id}`, `q`: the required parameter is new"
    );
    assert_eq!(found(&format!("{parameters}/-"), parameter(false)), "");
    assert_eq!(
        found(&format!("{parameters}/1"), parameter(false)),
        "`PUT /items/{id}`, `size`: the parameter is gone"
    );
    assert_eq!(
        found(&format!("{parameters}/1/required"), json!(true)),
        "`PUT /items/{id}`, `size`: the parameter has become required"
    );
    assert_eq!(
        found(&format!("{parameters}/1/schema/maximum"), json!(8)),
        "`PUT /items/{id}`, `size`: maximum was 9 and is 8 (null: none)"
    );
    assert_eq!(
        found(&format!("{parameters}/1/schema/default"), json!(4)),
        "`PUT /items/{id}`, `size`: the default was 3 and is 4 (null: none)"
    );
    assert_eq!(
        found(&format!("{PUT}/requestBody/required"), json!(true)),
        "`PUT /items/{id}`, `body`: a body has become required"
    );
    assert_eq!(
        found(
            &format!("{PUT}/requestBody/content"),
            json!({"text/csv": {}})
        ),
        "`PUT /items/{id}`, `body`: application/json is no longer read from requests"
    );
    assert_eq!(
        found(&format!("{PUT}/requestBody/content/text~1csv"), json!({})),
        ""
    );
}

#[test]
fn a_parameter_of_the_path_may_have_another_name() {
    let text = document().to_string().replace("{id}", "{item}");
    let renamed = serde_json::from_str(&text.replace("\"id\"", "\"item\"")).unwrap();
    assert_eq!(changes(&document(), &renamed), [].into());
}

#[test]
fn clients_are_still_answered_in_the_same_way() {
    let answers = format!("{PUT}/responses");
    assert_eq!(
        found(&format!("{answers}/200"), Value::Null),
        "`PUT /items/{id}`, `200`: the status is no longer answered"
    );
    assert_eq!(found(&format!("{answers}/409"), json!({})), "");
    assert_eq!(
        found(&format!("{answers}/403"), json!({})),
        "`PUT /items/{id}`, `403`: some callers are refused"
    );
    assert_eq!(
        found(&format!("{answers}/200/headers/ETag"), Value::Null),
        "`PUT /items/{id}`, `200`: the answer no longer has the header field ETag"
    );
    assert_eq!(
        found(&format!("{answers}/200/content"), json!({"text/csv": {}})),
        "`PUT /items/{id}`, `200`: the answer is no longer application/json"
    );
    assert_eq!(
        found("/components/schemas/Problem/required", json!([])),
        "`Problem`, `title`: the field may be missing in an answer",
        "through the references of the status and its body"
    );
}

#[test]
fn fields_of_requests_accept_what_they_did() {
    let field = |name: &str| format!("{INPUT}/properties/{name}");
    for (place, value, expected) in [
        (field("count"), Value::Null, "`count`: the field is gone"),
        (
            format!("{INPUT}/required/-"),
            json!("kind"),
            "`kind`: the field has become required",
        ),
        (
            field("count/type"),
            json!("integer"),
            "`count`: the type was \"number\" and is \"integer\"",
        ),
        (
            field("kind/enum"),
            json!(["b", "c"]),
            "`kind`: these values are no longer accepted: \"a\"",
        ),
        (
            field("count/enum"),
            json!([1]),
            "`count`: these values are no longer accepted: other values than the listed ones",
        ),
        (
            field("name/minLength"),
            json!(2),
            "`name`: minLength was 1 and is 2 (null: none)",
        ),
        (
            field("name/pattern"),
            json!("^a"),
            "`name`: pattern was null and is \"^a\" (null: none)",
        ),
        (
            field("tags/uniqueItems"),
            json!(true),
            "`tags`: uniqueItems was null and is true (null: none)",
        ),
        (
            field("tags/items/maxLength"),
            json!(5),
            "`tags`: maxLength was null and is 5 (null: none)",
        ),
        (
            field("parent/anyOf"),
            json!([{"type": "null"}]),
            "`parent`: anyOf has other alternatives",
        ),
    ] {
        assert_eq!(found(&place, value), format!("`ItemInput`, {expected}"));
    }
    assert_eq!(
        found(&format!("{INPUT}/additionalProperties"), json!(false)),
        "`ItemInput`: unknown fields are refused"
    );
    for (place, value) in [
        (field("more"), json!({"type": "string"})),
        (format!("{INPUT}/required"), json!([])),
        (field("kind/enum"), json!(["a", "b", "c"])),
        (field("name/maxLength"), json!(8)),
        (field("name/minLength"), Value::Null),
        (field("name/type"), json!(["string", "null"])),
        (field("parent/anyOf/-"), json!({"type": "integer"})),
    ] {
        assert_eq!(found(&place, value), "", "{place}");
    }
}

#[test]
fn fields_of_answers_are_there_and_have_no_values_that_they_had_not() {
    let field = |name: &str| format!("{ITEM}/properties/{name}");
    for (place, value, expected) in [
        (field("name"), Value::Null, "`name`: the field is gone"),
        (field("owner"), Value::Null, "`owner`: the field is gone"),
        (
            format!("{ITEM}/required"),
            json!(["name", "kind"]),
            "`note`: the field may be missing in an answer",
        ),
        (
            field("name/type"),
            json!(["string", "null"]),
            "`name`: the type was \"string\" and is [\"string\",\"null\"]",
        ),
        (
            field("kind/enum"),
            json!(["a", "b", "c"]),
            "`kind`: these values are new in an answer: \"c\"",
        ),
        (
            field("name/maxLength"),
            json!(8),
            "`name`: maxLength was 7 and is 8 (null: none)",
        ),
        (
            field("owner/anyOf/-"),
            json!({"type": "integer"}),
            "`owner`: anyOf has other alternatives",
        ),
    ] {
        assert_eq!(found(&place, value), format!("`Item`, {expected}"));
    }
    for (place, value) in [
        (field("more"), json!({"type": "string"})),
        (format!("{ITEM}/required/-"), json!("owner")),
        (field("note/type"), json!("string")),
        (field("kind/enum"), json!(["a"])),
        (field("name/maxLength"), json!(6)),
        (field("name/pattern"), json!("^a")),
        (field("owner/anyOf"), json!([{"type": "null"}])),
    ] {
        assert_eq!(found(&place, value), "", "{place}");
    }
}

#[test]
fn a_schema_may_have_another_name() {
    let text = document()
        .to_string()
        .replace("schemas/Item\"", "schemas/Thing\"");
    let renamed = text.replace("\"Item\":", "\"Thing\":");
    let renamed = serde_json::from_str(&renamed).unwrap();
    assert_eq!(changes(&document(), &renamed), [].into());
}
