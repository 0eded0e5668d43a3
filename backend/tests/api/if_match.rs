//! `If-Match` on PATCH and DELETE: a write is done only if the resource has not changed since it was
//! read.
//!
//! Come here for the conditional writes of widgets and users; `If-None-Match` is in `caching`.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::answer::Answer;
use crate::support::service::TestService;

/// Sends a write with an `If-Match` header.
async fn write_if(
    service: &TestService,
    (method, path): (Method, &str),
    token: &str,
    condition: &str,
    body: &Value,
) -> Answer {
    let request = service
        .api(method, path, token)
        .header("if-match", condition)
        .json(body);
    service.send(request).await
}

#[tokio::test]
async fn a_widget_changes_only_if_a_listed_tag_is_that_of_its_present_representation() {
    let service = TestService::start().await;
    let ada = service.new_user("ada").await;
    let path = service
        .create(&ada, "/widgets", json!({"name": "cog"}))
        .await;
    // The tag of a miss, of a hit and of the handler without a cache is the same.
    let old = service
        .get(&path)
        .await
        .expect(200)
        .header("etag")
        .to_owned();
    assert_eq!(service.get(&path).await.header("etag"), old);
    let change = json!({"name": "rod"});
    let update = (Method::PATCH, path.as_str());
    write_if(&service, update.clone(), &ada, &old, &change)
        .await
        .expect(200);
    let weak = {
        let present = service.get(&path).await;
        format!("W/{}", present.header("etag"))
    };
    for condition in [old.as_str(), "\"other\"", weak.as_str()] {
        let refused = write_if(
            &service,
            update.clone(),
            &ada,
            condition,
            &json!({"name": "nut"}),
        )
        .await
        .expect(412);
        assert_eq!(
            refused.header("content-type"),
            "application/problem+json",
            "{condition}"
        );
        assert_eq!(refused.json()["title"], "Precondition Failed");
    }
    let present = service.get(&path).await.expect(200);
    assert_eq!(
        present.json()["name"],
        "rod",
        "a refused change changes nothing"
    );
    let list = format!("\"other\", {}", present.header("etag"));
    write_if(
        &service,
        update.clone(),
        &ada,
        &list,
        &json!({"name": "nut"}),
    )
    .await
    .expect(200);
    write_if(&service, update.clone(), &ada, "*", &change)
        .await
        .expect(200);
    // An empty change is conditional too.
    write_if(&service, update.clone(), &ada, &old, &json!({}))
        .await
        .expect(412);
    write_if(&service, update.clone(), &ada, "no-tag", &change)
        .await
        .expect(400);
    let delete = (Method::DELETE, path.as_str());
    write_if(&service, delete.clone(), &ada, &old, &json!({}))
        .await
        .expect(412);
    let present = service
        .get(&path)
        .await
        .expect(200)
        .header("etag")
        .to_owned();
    write_if(&service, delete.clone(), &ada, &present, &json!({}))
        .await
        .expect(204);
    for condition in ["*", present.as_str()] {
        write_if(&service, delete.clone(), &ada, condition, &json!({}))
            .await
            .expect(404);
    }
}

#[tokio::test]
async fn a_write_that_is_refused_without_a_condition_is_refused_the_same_way_with_one() {
    let service = TestService::start().await;
    let ada = service.new_user("ada").await;
    let bob = service.new_user("bob").await;
    let widget = service
        .create(&ada, "/widgets", json!({"name": "cog"}))
        .await;
    for path in [widget.as_str(), "/users/ada"] {
        for method in [Method::PATCH, Method::DELETE] {
            for (token, status) in [("", 401), (bob.as_str(), 403)] {
                write_if(
                    &service,
                    (method.clone(), path),
                    token,
                    "\"other\"",
                    &json!({"name": "rod"}),
                )
                .await
                .expect(status);
            }
        }
    }
}

#[tokio::test]
async fn a_user_changes_only_if_a_listed_tag_is_that_of_the_present_profile() {
    let service = TestService::start().await;
    let ada = service.new_user("ada").await;
    let profile = async || {
        let answer = service.get("/users/ada").await.expect(200);
        answer.header("etag").to_owned()
    };
    let old = profile().await;
    let update = (Method::PATCH, "/users/ada");
    let change = json!({"name": "Ada"});
    write_if(&service, update.clone(), &ada, &old, &change)
        .await
        .expect(200);
    for body in [json!({"name": "Countess"}), json!({})] {
        write_if(&service, update.clone(), &ada, &old, &body)
            .await
            .expect(412);
    }
    assert_eq!(service.get("/users/ada").await.json()["name"], "Ada");
    write_if(&service, update.clone(), &ada, &profile().await, &json!({}))
        .await
        .expect(200);
    let delete = (Method::DELETE, "/users/ada");
    write_if(&service, delete.clone(), &ada, &old, &json!({}))
        .await
        .expect(412);
    service.get("/users/ada").await.expect(200);
    write_if(&service, delete.clone(), &ada, &profile().await, &json!({}))
        .await
        .expect(204);
    service.get("/users/ada").await.expect(404);
}

#[tokio::test]
async fn of_many_writes_that_name_the_same_tag_exactly_one_happens() {
    const CLIENTS: usize = 16;
    let service = TestService::start().await;
    let ada = service.new_user("ada").await;
    let widget = service
        .create(&ada, "/widgets", json!({"name": "cog"}))
        .await;
    for path in [widget.as_str(), "/users/ada"] {
        for round in 0..8 {
            let tag = service.get(path).await.header("etag").to_owned();
            let last = round == 7;
            let writes = (0..CLIENTS).map(|client| {
                // In the last round half of the clients delete.
                let method = if last && client % 2 == 0 {
                    Method::DELETE
                } else {
                    Method::PATCH
                };
                let change = json!({"name": format!("{round} of {client}")});
                let (service, ada, tag) = (&service, &ada, &tag);
                async move { write_if(service, (method, path), ada, tag, &change).await }
            });
            let answers = futures_util::future::join_all(writes).await;
            let done: Vec<_> = answers
                .iter()
                .filter(|answer| answer.status < 300)
                .collect();
            assert_eq!(done.len(), 1, "{path}, round {round}: {answers:#?}");
            // A deleted widget is a 404, and the token of a deleted user is invalid. A request that was
            // authenticated before the deletion finds no user of that name, which is answered as another's: 403.
            let refused = |status| status == 412 || (last && matches!(status, 401 | 403 | 404));
            assert!(
                answers
                    .iter()
                    .all(|answer| answer.status < 300 || refused(answer.status)),
                "{path}, round {round}: {answers:#?}"
            );
            if !last {
                let present = service.get(path).await.expect(200).json();
                assert_eq!(present["name"], done[0].json()["name"]);
            }
        }
    }
}
