//! An HTTP answer, read to its end.
//!
//! Come here for a field of an answer that several tests look at.

use reqwest::header::HeaderMap;
use serde_json::Value;

/// An answer of the service.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub text: String,
}

impl Answer {
    pub async fn read(response: reqwest::Response) -> Self {
        Self {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            text: response.text().await.expect("a body of text"),
        }
    }

    /// The value of a header, or nothing.
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().expect("a header of text"))
    }

    /// The body as JSON; `null` where there is none.
    pub fn json(&self) -> Value {
        if self.text.is_empty() {
            return Value::Null;
        }
        serde_json::from_str(&self.text)
            .unwrap_or_else(|error| panic!("{error} in the body {:?}", self.text))
    }

    /// Fails unless the status is the wanted one.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{self:#?}");
        self
    }

    /// The fields that a 422 complains about, each once.
    pub fn wrong_fields(&self) -> Vec<String> {
        let problem = self.json();
        let errors = problem["errors"].as_array().cloned().unwrap_or_default();
        let mut fields: Vec<_> = errors
            .iter()
            .map(|error| error["field"].as_str().expect("a field").to_owned())
            .collect();
        fields.dedup();
        fields
    }

    /// Whether the answer came from the cache.
    pub fn is_hit(&self) -> bool {
        self.header("cache-status").starts_with("backend; hit")
    }

    /// The key that `Cache-Status` shows.
    pub fn key(&self) -> &str {
        let status = self.header("cache-status");
        status
            .split_once("key=\"")
            .map_or("", |(_, key)| key.trim_end_matches('"'))
    }
}
