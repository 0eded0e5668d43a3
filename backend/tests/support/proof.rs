//! The proof that nothing stale is served (C49): after each write, what a test has read is read again through the
//! cache and past it.
//!
//! Come here when a test fails with "stale after …" or "stale hit": the message names the route, the key, the caller and
//! the write, and shows both bodies. The write's policy does not end what the route stores. It is on for every
//! [`TestService`](super::service::TestService); a test that makes an answer stale on purpose says
//! [`without_proof`](super::service::TestService::without_proof).
//!
//! *Through the cache* is a HEAD, which is answered from the entry of GET and stores nothing, so that the proof does
//! not change what the test sees. *Past the cache* is another process of the service on the same database with
//! `CACHE_ENABLED=false`. The two are compared by status and by the strong entity tag of the body. A body from the cache
//! is read only for the message of a failure.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use backend::infrastructure::cache::entity_tag;
use bytes::Bytes;
use reqwest::header::{AUTHORIZATION, ETAG};
use reqwest::{Client, Method, Request, StatusCode, Url};
use tokio::sync::OnceCell;

use super::answer::Answer;
use super::service::Service;

/// Reads of a test that are remembered: the newest.
const MAX_READS: usize = 32;
/// How often a difference is looked at again: a write of another task may have come between the two reads.
const ATTEMPTS: usize = 10;
/// Between two looks at a difference.
const PAUSE: Duration = Duration::from_millis(20);
/// The characters of a body that a message shows.
const SHOWN_CHARACTERS: usize = 500;

/// What a test has read so far, and the service past the cache.
#[derive(Debug)]
pub struct Proof {
    database_url: String,
    environment: Vec<(String, String)>,
    reads: Mutex<Vec<Read>>,
    /// The name of the caller behind each `Authorization`.
    callers: Mutex<HashMap<String, String>>,
    /// The newest write that succeeded.
    newest_write: Mutex<Option<String>>,
    past_the_cache: OnceCell<Box<Service>>,
}

/// A GET that the cache answered or could answer.
#[derive(Clone, Debug, PartialEq)]
struct Read {
    url: Url,
    authorization: Option<String>,
    key: String,
}

/// Status and entity tag of an answer; the tag is empty unless the status is 200.
type Representation = (StatusCode, String);

/// The moment at which a read is compared.
#[derive(Clone, Copy, Debug)]
enum Moment<'a> {
    /// After this write.
    After(&'a str),
    /// The read has just been answered from the cache.
    Hit,
}

impl Proof {
    /// A proof for a service on this database. `environment` is that of the service.
    pub fn new(database_url: &str, environment: &[(&str, &str)]) -> Self {
        let environment = environment
            .iter()
            .filter(|(name, _)| !name.starts_with("ADMIN_") && *name != "CACHE_ENABLED")
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        Self {
            database_url: database_url.to_owned(),
            environment,
            reads: Mutex::default(),
            callers: Mutex::default(),
            newest_write: Mutex::default(),
            past_the_cache: OnceCell::new(),
        }
    }

    /// Remembers whose token this is, for the message of a failure.
    pub fn name_caller(&self, token: &str, name: &str) {
        let mut callers = self.callers.lock().expect("the callers");
        callers.insert(format!("Bearer {token}"), name.to_owned());
    }

    /// Remembers a GET of a cached route, and compares a hit at once: it must be the answer for this caller. After a write
    /// that succeeded, repeats all that are remembered. A write that did not bind what its policy declares fails the test:
    /// more was invalidated in its place, which would hide that something else is missing.
    pub async fn observe(&self, client: &Client, request: &Request, answer: &Answer) {
        let is_read = *request.method() == Method::GET;
        if is_read && answer.status == 200 && !answer.key().is_empty() {
            let read = read_of(request, answer);
            if answer.is_hit() {
                self.check(client, &read, Moment::Hit).await;
            }
            self.remember(read);
        } else if !is_read && *request.method() != Method::HEAD && answer.status < 400 {
            let reads = self.reads.lock().expect("the reads").clone();
            let write = format!("{} {}", request.method(), request.url().path());
            assert!(
                !answer.header("cache-status").contains("missing-argument"),
                "{write} did not bind an argument that its policy needs; the log names it"
            );
            *self.newest_write.lock().expect("the write") = Some(write.clone());
            for read in reads {
                self.check(client, &read, Moment::After(&write)).await;
            }
        }
    }

    fn remember(&self, read: Read) {
        let mut reads = self.reads.lock().expect("the reads");
        reads
            .retain(|known| (&known.url, &known.authorization) != (&read.url, &read.authorization));
        if reads.len() == MAX_READS {
            reads.remove(0);
        }
        reads.push(read);
    }

    /// Fails the test if the cache has another answer than the database.
    async fn check(&self, client: &Client, read: &Read, moment: Moment<'_>) {
        let mut current = String::new();
        for _ in 0..ATTEMPTS {
            let cached = through_the_cache(client, read).await;
            let (representation, body) = self.past_the_cache(client, read).await;
            if cached == representation {
                return;
            }
            current = shown(representation.0, &body);
            // The next attempt: another write may end the difference.
            tokio::time::sleep(PAUSE).await;
        }
        let answer = sent(client, Method::GET, read.url.clone(), read).await;
        let status = answer.status();
        let cached = shown(status, &answer.bytes().await.expect("a body"));
        panic!(
            "{}: GET {} for {} (key {})\n  from the cache:    {cached}\n  from the database: {current}\n{}",
            match moment {
                Moment::After(write) => format!("stale after {write}"),
                Moment::Hit => "stale hit".to_owned(),
            },
            read.url.path(),
            self.caller(read),
            read.key,
            self.reason(moment),
        );
    }

    fn caller(&self, read: &Read) -> String {
        let Some(authorization) = &read.authorization else {
            return "an anonymous caller".to_owned();
        };
        let callers = self.callers.lock().expect("the callers");
        let name = callers.get(authorization).cloned();
        name.unwrap_or_else(|| "a caller that the test did not sign in".to_owned())
    }

    fn reason(&self, moment: Moment<'_>) -> String {
        if let Moment::After(_) = moment {
            return "the policy of the write does not end this key or a group of it".to_owned();
        }
        let newest = self.newest_write.lock().expect("the write").clone();
        format!(
            "the entry was stored for another caller, or the data was changed by something that does not end this key; the \
             newest write of the test is {}",
            newest.as_deref().unwrap_or("none"),
        )
    }

    async fn past_the_cache(&self, client: &Client, read: &Read) -> (Representation, Bytes) {
        let service = self
            .past_the_cache
            .get_or_init(|| async {
                let mut environment: Vec<(&str, &str)> = self
                    .environment
                    .iter()
                    .map(|(name, value)| (name.as_str(), value.as_str()))
                    .collect();
                environment.push(("CACHE_ENABLED", "false"));
                Box::new(Box::pin(Service::start(&self.database_url, &environment)).await)
            })
            .await;
        let mut url = read.url.clone();
        let address = Url::parse(&format!("http://{}", service.address())).expect("an address");
        url.set_port(address.port()).expect("a port");
        let answer = sent(client, Method::GET, url, read).await;
        let status = answer.status();
        // A handler may set a tag of its own.
        let own = tag_of(&answer);
        let body = answer.bytes().await.expect("a body");
        let tag = own.unwrap_or_else(|| entity_tag(&body).to_str().expect("text").to_owned());
        (representation(status, tag), body)
    }
}

/// A status, and the beginning of a body.
fn shown(status: StatusCode, body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let mut shown: String = text.chars().take(SHOWN_CHARACTERS).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    format!("{} {shown}", status.as_u16())
}

async fn through_the_cache(client: &Client, read: &Read) -> Representation {
    let answer = sent(client, Method::HEAD, read.url.clone(), read).await;
    representation(answer.status(), tag_of(&answer).unwrap_or_default())
}

fn tag_of(answer: &reqwest::Response) -> Option<String> {
    let tag = answer.headers().get(ETAG)?;
    Some(tag.to_str().expect("text").to_owned())
}

/// Errors have no tag to compare.
fn representation(status: StatusCode, tag: String) -> Representation {
    let is_ok = status == StatusCode::OK;
    (status, if is_ok { tag } else { String::new() })
}

async fn sent(client: &Client, method: Method, url: Url, read: &Read) -> reqwest::Response {
    let mut request = client.request(method, url);
    if let Some(authorization) = &read.authorization {
        request = request.header(AUTHORIZATION, authorization);
    }
    request.send().await.expect("an answer")
}

fn read_of(request: &Request, answer: &Answer) -> Read {
    Read {
        url: request.url().clone(),
        authorization: request
            .headers()
            .get(AUTHORIZATION)
            .map(|value| value.to_str().expect("text").to_owned()),
        key: answer.key().to_owned(),
    }
}
