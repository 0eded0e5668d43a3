//! Searches beyond ASCII: they ignore case in other alphabets too.
//!
//! Come here after changing how a search compares text. A database without a UTF-8 locale fails here.

use serde_json::json;

use crate::support::service::TestService;

#[tokio::test]
async fn a_search_ignores_case_beyond_ascii() {
    let service = TestService::start().await;
    let ada = service.new_user("ada").await;
    for (name, searched) in [
        ("ÄPFEL", "%C3%A4pfel"),
        ("été", "%C3%89T%C3%89"),
        ("ЁЖИК", "%D1%91%D0%B6%D0%B8%D0%BA"),
    ] {
        service
            .post(&ada, "/widgets", json!({"name": name}))
            .await
            .expect(201);
        let found = service.get(&format!("/widgets?q={searched}")).await;
        let page = found.expect(200).json();
        assert_eq!(page["total_count"], 1, "{name} by {searched}: {page}");
        assert_eq!(page["data"][0]["name"], name);
    }
}
