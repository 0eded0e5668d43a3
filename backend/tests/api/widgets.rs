//! `/widgets` and a user's widgets: every row of the contract.
//!
//! Come here after changing the module `widgets`.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::service::TestService;

fn ids(page: &Value) -> Vec<i64> {
    page["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|widget| widget["id"].as_i64().unwrap())
        .collect()
}

#[tokio::test]
async fn a_widget_is_created_with_its_location_and_read_by_anyone() {
    let service = TestService::start().await;
    let ada = service.new_user("ada").await;
    service
        .post("", "/widgets", json!({"name": "cog"}))
        .await
        .expect(401);
    let answer = service
        .post(
            &ada,
            "/widgets",
            json!({"name": "cog", "description": "turns"}),
        )
        .await
        .expect(201);
    let widget = answer.json();
    assert_eq!(
        answer.header("location"),
        format!("/api/v1/widgets/{}", widget["id"])
    );
    assert_eq!(
        (&widget["owner"], &widget["description"]),
        (&json!("ada"), &json!("turns"))
    );
    assert_eq!(widget.as_object().unwrap().len(), 6, "{widget}");
    let path = format!("/widgets/{}", widget["id"]);
    for _ in 0..2 {
        assert_eq!(service.get(&path).await.expect(200).json(), widget);
    }
    let bare = service
        .post(
            &ada,
            "/widgets",
            json!({"name": "rod", "description": null}),
        )
        .await
        .expect(201)
        .json();
    assert_eq!(bare["description"], Value::Null);
    for missing in [
        "/widgets/0",
        "/widgets/-1",
        "/widgets/999999",
        "/widgets/-9223372036854775808",
    ] {
        service.get(missing).await.expect(404);
    }
    for malformed in [
        "/widgets/x",
        "/widgets/1.0",
        "/widgets/9223372036854775808",
        "/widgets/%00",
        "/widgets/1%202",
    ] {
        service.get(malformed).await.expect(400);
    }
}

#[tokio::test]
async fn each_wrong_field_of_a_widget_is_a_422_that_names_it() {
    let service = TestService::start().await;
    let ada = service.new_user("ada").await;
    let id = service.new_widget(&ada, "cog").await;
    let wrong = [
        ("name", json!("")),
        ("name", json!("n".repeat(101))),
        ("name", json!("a\u{0}")),
        ("name", Value::Null),
        ("name", json!(["cog"])),
        ("description", json!("d".repeat(2001))),
        ("description", json!("a\u{0}")),
        ("description", json!(false)),
        ("owner", json!("bob")),
        ("id", json!(7)),
    ];
    for (field, value) in wrong {
        let mut body = json!({"name": "cog"});
        body[field] = value.clone();
        let answer = service
            .post(&ada, "/widgets", body.clone())
            .await
            .expect(422);
        assert_eq!(answer.wrong_fields(), [field], "{value}");
        let answer = service
            .patch(&ada, &format!("/widgets/{id}"), body)
            .await
            .expect(422);
        assert_eq!(answer.wrong_fields(), [field], "{value}");
    }
    let answer = service.post(&ada, "/widgets", json!({})).await.expect(422);
    assert_eq!(answer.wrong_fields(), ["name"]);
    assert_eq!(
        service.get("/widgets/count").await.json(),
        json!({"count": 1}),
        "nothing half-written"
    );
}

#[tokio::test]
async fn a_patch_changes_the_named_fields_and_null_clears_the_description() {
    let service = TestService::start().await;
    let ada = service.new_user("ada").await;
    let body = json!({"name": "cog", "description": "turns"});
    let widget = service
        .post(&ada, "/widgets", body)
        .await
        .expect(201)
        .json();
    let path = format!("/widgets/{}", widget["id"]);
    let same = service
        .patch(&ada, &path, json!({}))
        .await
        .expect(200)
        .json();
    assert_eq!(same, widget, "a change of nothing changes nothing");
    let renamed = service
        .patch(&ada, &path, json!({"name": "gear"}))
        .await
        .expect(200)
        .json();
    assert_eq!(
        (&renamed["name"], &renamed["description"]),
        (&json!("gear"), &json!("turns"))
    );
    assert_ne!(renamed["updated_at"], widget["updated_at"]);
    let cleared = service
        .patch(&ada, &path, json!({"description": null}))
        .await
        .expect(200)
        .json();
    assert_eq!(
        (&cleared["name"], &cleared["description"]),
        (&json!("gear"), &Value::Null)
    );
    assert_eq!(service.get(&path).await.json(), cleared);
}

#[tokio::test]
async fn only_the_owner_and_superusers_change_a_widget() {
    let service = TestService::start().await;
    let (ada, bob, admin) = (
        service.new_user("ada").await,
        service.new_user("bob").await,
        service.admin().await,
    );
    let path = format!("/widgets/{}", service.new_widget(&ada, "cog").await);
    let change = json!({"name": "gear"});
    for (token, status) in [("", 401), ("nonsense", 401), (&bob, 403)] {
        service
            .patch(token, &path, change.clone())
            .await
            .expect(status);
        service.delete(token, &path).await.expect(status);
    }
    assert_eq!(service.get(&path).await.json()["name"], "cog");
    let changed = service
        .patch(&admin, &path, change.clone())
        .await
        .expect(200)
        .json();
    assert_eq!(
        (&changed["name"], &changed["owner"]),
        (&json!("gear"), &json!("ada"))
    );
    service.delete(&admin, &path).await.expect(204);
    service.get(&path).await.expect(404);
    service.patch(&ada, &path, change).await.expect(404);
    service.delete(&ada, &path).await.expect(404);
}

#[tokio::test]
async fn lists_are_newest_first_with_the_id_as_tie_breaker() {
    let service = TestService::start().await;
    let (ada, bob) = (service.new_user("ada").await, service.new_user("bob").await);
    let mut made = Vec::new();
    for number in 0..5 {
        made.push(service.new_widget(&ada, &format!("cog {number}")).await);
    }
    let other = service.new_widget(&bob, "rod").await;
    sqlx::query("UPDATE widgets SET created_at = '2026-01-01' WHERE owner_id = (SELECT id FROM users WHERE username = 'ada')")
        .execute(&service.database.pool().await)
        .await
        .unwrap();
    made.reverse();
    let first = service
        .get("/users/ada/widgets?items_per_page=2")
        .await
        .expect(200)
        .json();
    assert_eq!(ids(&first), made[..2]);
    assert_eq!(
        (&first["total_count"], &first["has_more"]),
        (&json!(5), &json!(true))
    );
    assert_eq!(
        (&first["page"], &first["items_per_page"]),
        (&json!(1), &json!(2))
    );
    let last = service
        .get("/users/ada/widgets?page=3&items_per_page=2")
        .await
        .expect(200)
        .json();
    assert_eq!(
        (ids(&last), &last["has_more"]),
        (made[4..].to_vec(), &json!(false))
    );
    let beyond = service
        .get("/users/ada/widgets?page=4&items_per_page=2")
        .await
        .expect(200)
        .json();
    assert_eq!(
        (&beyond["data"], &beyond["total_count"]),
        (&json!([]), &json!(5))
    );
    let all = service.get("/widgets").await.expect(200).json();
    assert_eq!(ids(&all), [&[other], &made[..]].concat());
    assert_eq!(
        service.get("/widgets/count").await.json(),
        json!({"count": 6})
    );
    let empty = service.get("/users/admin/widgets").await.expect(200).json();
    assert_eq!(
        (&empty["data"], &empty["total_count"], &empty["has_more"]),
        (&json!([]), &json!(0), &json!(false))
    );
    service.get("/users/nobody/widgets").await.expect(404);
    for wrong in ["page=0", "items_per_page=101", "items_per_page=ten"] {
        for list in ["/users/ada/widgets", "/widgets"] {
            let answer = service.get(&format!("{list}?{wrong}")).await.expect(422);
            assert_eq!(
                answer.wrong_fields(),
                [wrong.split('=').next().unwrap()],
                "{list}?{wrong}"
            );
        }
    }
}

#[tokio::test]
async fn a_search_finds_text_in_name_and_description_whatever_its_case() {
    let service = TestService::start().await;
    let ada = service.new_user("ada").await;
    let create = |name: &str, description: &str| {
        let body = json!({"name": name, "description": description});
        let (service, ada) = (&service, &ada);
        async move {
            service.post(ada, "/widgets", body).await.expect(201).json()["id"]
                .as_i64()
                .unwrap()
        }
    };
    let cog = create("Big COG", "turns").await;
    let rod = create("rod", "Fits the cog").await;
    let percent = create("100% wool", "soft").await;
    let under = create("snake_case", "a\\b").await;
    let umlaut = create("Zahnräder", "").await;
    let search = async |text: &str| {
        let request = service
            .api(Method::GET, "/widgets", "")
            .query(&[("q", text)]);
        ids(&service.send(request).await.expect(200).json())
    };
    assert_eq!(search("cog").await, [rod, cog]);
    assert_eq!(search("CoG").await, [rod, cog]);
    assert_eq!(search("%").await, [percent], "% is itself");
    assert_eq!(search("_").await, [under], "_ is itself");
    assert_eq!(search("\\").await, [under]);
    assert_eq!(search("ähn").await, Vec::<i64>::new());
    assert_eq!(search("räd").await, [umlaut]);
    assert_eq!(search("no such").await, Vec::<i64>::new());
    assert_eq!(search("").await.len(), 5);
    assert_eq!(search("c_g").await, Vec::<i64>::new());
    let request = service
        .api(Method::GET, "/widgets", "")
        .query(&[("q", "x".repeat(501))]);
    assert_eq!(
        service.send(request).await.expect(422).wrong_fields(),
        ["q"]
    );
    let answer = service.get("/widgets?q=a%00b").await.expect(422);
    assert_eq!(answer.wrong_fields(), ["q"]);
}

#[tokio::test]
async fn rows_that_arrive_between_two_pages_hide_no_row() {
    let service = TestService::start().await;
    let ada = service.new_user("ada").await;
    let mut wanted = Vec::new();
    for number in 0..6 {
        wanted.push(service.new_widget(&ada, &format!("cog {number}")).await);
    }
    let mut seen = Vec::new();
    for page in 1..=6 {
        let answer = service
            .get(&format!("/users/ada/widgets?page={page}&items_per_page=2"))
            .await;
        seen.extend(ids(&answer.expect(200).json()));
        service.new_widget(&ada, "late").await;
    }
    assert!(
        wanted.iter().all(|id| seen.contains(id)),
        "{wanted:?} in {seen:?}"
    );
}
