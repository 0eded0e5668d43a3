//! The document as a whole: paths, components and what stands at its top.
//!
//! Come here to change the top of the document. One operation is described in `operation`.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::schemas::Schemas;
use super::{operation, problems};
use crate::resource::Operation;

/// The text at the top of the document.
#[derive(Clone, Copy, Debug)]
pub struct About {
    /// The name of the API.
    pub title: &'static str,
    /// The version of the program.
    pub version: &'static str,
    /// What the API is for, in Markdown.
    pub description: &'static str,
    /// The licence, as an SPDX identifier.
    pub license: &'static str,
    /// Where a client gets an access token, in Markdown.
    pub sign_in: &'static str,
}

/// The document of these operations.
#[must_use]
pub fn document<'a>(about: &About, operations: impl IntoIterator<Item = &'a Operation>) -> Value {
    let mut schemas = Schemas::new();
    let mut paths = Map::new();
    let mut statuses = BTreeSet::new();
    let mut ids = BTreeSet::new();
    let mut tags = Vec::new();
    for described in operations {
        let mut entry = operation::describe(described, &mut schemas);
        let tag = entry["tags"][0].clone();
        if !tags.contains(&tag) {
            tags.push(tag);
        }
        if !ids.insert(entry["operationId"].to_string()) {
            entry["operationId"] = operation::id_of_path(&described.route).into();
        }
        statuses.extend(operation::problem_statuses(described));
        let methods = paths
            .entry(operation::path_template(&described.route.path))
            .or_insert_with(|| json!({}));
        methods[described.route.method.to_lowercase()] = entry;
    }
    let problem = schemas.problem();
    let responses: Map<String, Value> = statuses
        .into_iter()
        .map(|status| (problems::name(status), problems::response(status, &problem)))
        .collect();
    let tags: Vec<Value> = tags.into_iter().map(|tag| json!({"name": tag})).collect();
    let mut document = json!({
        "openapi": "3.1.0",
        "info": {
            "title": about.title,
            "version": about.version,
            "description": about.description,
            "license": {"name": about.license, "identifier": about.license},
        },
        "servers": [{"url": "/"}],
        "tags": tags,
        "paths": paths,
        "components": {
            "responses": responses,
            "headers": operation::headers(),
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "description": about.sign_in},
            },
        },
    });
    schemas.finish(&mut document);
    document
}

#[cfg(test)]
mod tests {
    use actix_web::HttpResponse;
    use schemars::JsonSchema;
    use serde::{Deserialize, Serialize};

    use super::*;
    use crate::cache::{CachePolicy, Invalidation};
    use crate::http::{
        ApiResult, Created, Json, NoContent, PathId, Query, created, no_content, ok,
    };
    use crate::resource::{Resources, resource};

    #[derive(Deserialize, JsonSchema, Serialize, garde::Validate)]
    #[serde(deny_unknown_fields)]
    struct Item {
        /// Its name.
        #[garde(length(chars, min = 1, max = 7))]
        name: String,
        #[garde(skip)]
        note: Option<String>,
    }

    #[derive(Deserialize, JsonSchema, Serialize, garde::Validate)]
    #[serde(deny_unknown_fields)]
    struct Strict {
        #[garde(range(max = 9))]
        size: u8,
    }

    #[derive(Deserialize, JsonSchema, Serialize, garde::Validate)]
    struct Filter {
        /// The wanted size.
        #[garde(range(max = 9))]
        size: u8,
    }

    const ITEM: CachePolicy = CachePolicy::new("item")
        .resource_id_name("item_id")
        .expiration(60)
        .group("items")
        .shared();
    const WRITE: Invalidation = ITEM.to_invalidate_groups(&["items"]);

    async fn read(_: PathId) -> ApiResult<Json<Item>> {
        ok(Item {
            name: String::new(),
            note: None,
        })
    }
    async fn change(PathId(id): PathId, Json(item): Json<Item>) -> ApiResult<Created<Item>> {
        created(id, item)
    }
    async fn remove(_: PathId) -> ApiResult<NoContent> {
        no_content()
    }
    async fn search(_: Query<Filter>) -> HttpResponse {
        HttpResponse::Ok().finish()
    }
    async fn sized(_: Query<Strict>) -> HttpResponse {
        HttpResponse::Ok().finish()
    }

    fn example() -> Value {
        let mut api = Resources::under("/api");
        api.add(
            resource("/items/{item_id}")
                .get(read)
                .cached(ITEM)
                .put(change)
                .signed_in()
                .ends(WRITE)
                .refuses(&[409])
                .delete(remove)
                .superuser()
                .ends(WRITE),
        )
        .add(resource("/items").get(search))
        .add(resource("/sizes").get(sized));
        let about = About {
            title: "Items",
            version: "1",
            description: "",
            license: "MIT",
            sign_in: "",
        };
        document(&about, api.operations())
    }

    fn statuses(operation: &Value) -> Vec<&str> {
        let responses = operation["responses"].as_object().unwrap();
        let mut statuses: Vec<_> = responses.keys().map(String::as_str).collect();
        statuses.sort_unstable();
        statuses
    }

    #[test]
    fn parameters_bodies_and_bounds_come_from_the_types_of_the_handler() {
        let document = example();
        let item = &document["paths"]["/api/items/{item_id}"];
        let id = &item["get"]["parameters"][0];
        assert_eq!(
            (&id["name"], &id["in"]),
            (&json!("item_id"), &json!("path"))
        );
        assert_eq!(id["schema"]["minimum"], 1);
        let size = &document["paths"]["/api/items"]["get"]["parameters"][0];
        assert_eq!(size["name"], "size");
        assert_eq!(size["description"], "The wanted size.");
        assert_eq!(size["schema"]["maximum"], 9);
        assert_eq!(size["required"], true);
        let body = &item["put"]["requestBody"]["content"]["application/json"]["schema"];
        assert_eq!(body["$ref"], "#/components/schemas/ItemInput");
        let schema = &document["components"]["schemas"]["ItemInput"];
        assert_eq!(schema["properties"]["name"]["maxLength"], 7);
        assert_eq!(schema["required"], json!(["name"]));
    }

    #[test]
    fn an_operation_with_a_query_says_what_becomes_of_other_parameters() {
        let document = example();
        for (path, sentence) in [
            ("/api/items", "Other parameters of the query are ignored."),
            ("/api/sizes", "Other parameters of the query are refused."),
        ] {
            let description = document["paths"][path]["get"]["description"].as_str();
            assert!(description.unwrap().ends_with(sentence), "{description:?}");
        }
        let item = &document["paths"]["/api/items/{item_id}"]["get"]["description"];
        assert!(!item.as_str().unwrap().contains("Other parameters"));
    }

    #[test]
    fn a_type_that_goes_in_and_out_differently_has_two_schemas() {
        let document = example();
        let answer = &document["components"]["schemas"]["Item"];
        assert_eq!(answer["required"], json!(["name", "note"]));
        assert!(answer["properties"]["note"].get("pattern").is_none());
        let input = &document["components"]["schemas"]["ItemInput"]["properties"]["note"];
        assert!(input["pattern"].is_string(), "text of requests has no NUL");
    }

    #[test]
    fn statuses_and_security_follow_from_the_words_and_the_parameters() {
        let document = example();
        let item = &document["paths"]["/api/items/{item_id}"];
        assert_eq!(
            statuses(&item["get"]),
            ["200", "304", "400", "404", "500", "503"]
        );
        assert_eq!(
            statuses(&item["put"]),
            [
                "201", "400", "401", "404", "408", "409", "413", "415", "422", "500", "503"
            ]
        );
        assert_eq!(
            statuses(&item["delete"]),
            ["204", "400", "401", "403", "404", "500", "503"]
        );
        assert_eq!(item["get"]["security"], json!([]));
        assert_eq!(item["put"]["security"], json!([{"bearer": []}]));
        assert_eq!(
            item["delete"]["security"],
            json!([{"bearer": ["superuser"]}])
        );
        let conflict = &document["components"]["responses"]["Conflict"];
        let problem = &conflict["content"]["application/problem+json"];
        assert_eq!(problem["schema"]["$ref"], "#/components/schemas/Problem");
        assert_eq!(problem["example"]["status"], 409);
    }

    #[test]
    fn each_cached_route_says_what_is_cached_and_each_writing_one_what_it_ends() {
        let document = example();
        let item = &document["paths"]["/api/items/{item_id}"];
        assert_eq!(
            item["get"]["x-cache"],
            json!({"key": "item:{item_id}", "expiration": 60, "groups": ["items"], "audience": "shared"})
        );
        assert_eq!(
            item["put"]["x-cache"],
            json!({"invalidates": {"keys": ["item:{item_id}"], "groups": ["items"], "patterns": []}})
        );
        assert!(
            document["paths"]["/api/items"]["get"]
                .get("x-cache")
                .is_none()
        );
    }

    #[test]
    fn every_body_has_an_example_and_every_operation_an_id_of_its_own() {
        let document = example();
        let put = &document["paths"]["/api/items/{item_id}"]["put"];
        let body = &put["requestBody"]["content"]["application/json"];
        assert!(body["example"]["name"].is_string());
        // The handler is in `infrastructure::openapi`.
        assert_eq!(put["operationId"], "openapi_change");
        assert_eq!(put["summary"], "Change");
    }
}
