//! The owners of rows: what the security log says of acts on their rows, and the end of their accounts.
//!
//! Come here for what tests of several modules ask of an owner.

use serde_json::{Value, json};

use super::eventually;
use super::service::{Service, TestService};

impl Service {
    /// Waits for the security events of a name, and fails unless they are these: the account, and who acted on it.
    pub async fn expect_events(&self, event: &str, expected: &[(&str, &str)]) {
        let events = || {
            let lines = self.log().into_iter();
            lines
                .filter(|line| line["target"] == "security" && line["event"] == event)
                .map(|line| [line["account"].clone(), line["by"].clone()])
                .collect::<Vec<[Value; 2]>>()
        };
        eventually("the lines are written", async || {
            events().len() >= expected.len()
        })
        .await;
        let expected = expected
            .iter()
            .map(|(account, by)| [json!(account), json!(by)]);
        assert_eq!(events(), expected.collect::<Vec<_>>(), "{event}");
    }
}

impl TestService {
    /// Lets the upkeep of another instance erase an account that was deleted.
    pub async fn erase(&self, username: &str) {
        let pool = self.database.pool().await;
        let sql = "UPDATE users SET deleted_at = now() - interval '1000 days'
                   WHERE username = $1 AND deleted_at IS NOT NULL";
        let aged = sqlx::query(sql).bind(username).execute(&pool).await;
        assert_eq!(aged.expect("an update").rows_affected(), 1, "{username}");
        let _other = Service::start(&self.database.url(), &[("CACHE_BACKEND", "memory")]).await;
        eventually("the account is erased", async || {
            let sql = "SELECT email IS NULL FROM users WHERE username = $1";
            let erased = sqlx::query_scalar(sql).bind(username).fetch_one(&pool);
            erased.await.expect("the account")
        })
        .await;
    }
}
