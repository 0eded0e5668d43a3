//! Instances of the service that share a database and a cache.
//!
//! Come here for the environment that all drills share.

use std::time::{Duration, Instant};

use reqwest::Method;

use crate::support::answer::Answer;
use crate::support::database::TestDatabase;
use crate::support::service::Service;
use crate::support::unique;

/// The deadline of a request: longer than every deadline of the service.
const CLIENT_TIMEOUT: Duration = Duration::from_secs(5);

/// Instances with one database and one namespace, stopped with this value.
#[derive(Debug)]
pub struct Cluster {
    // Before the database, so that they are stopped first.
    pub instances: Vec<Service>,
    pub database: TestDatabase,
    pub namespace: String,
}

/// The result of a request: an answer, or an error.
pub type Outcome = Result<Answer, String>;

impl Cluster {
    pub async fn start(instances: usize, environment: &[(&str, &str)]) -> Self {
        let mut cluster = Self {
            instances: Vec::new(),
            database: TestDatabase::migrated().await,
            namespace: unique("test"),
        };
        for _ in 0..instances {
            cluster.add(environment).await;
        }
        cluster
    }

    /// Starts one more instance.
    pub async fn add(&mut self, environment: &[(&str, &str)]) {
        let url = self.database.url();
        self.add_on(&url, environment).await;
    }

    /// Starts one more instance with another URL of the database.
    pub async fn add_on(&mut self, database_url: &str, environment: &[(&str, &str)]) {
        let own = [
            ("CACHE_NAMESPACE", self.namespace.as_str()),
            ("SERVER_WORKERS", "2"),
        ];
        let environment = [&own, environment].concat();
        let instance = Service::start(database_url, &environment).await;
        self.instances.push(instance);
    }

    pub fn first(&self) -> &Service {
        &self.instances[0]
    }
}

/// Reads a path; an error where there is no answer in time.
pub async fn read(instance: &Service, path: &str) -> (Outcome, Duration) {
    let started = Instant::now();
    let request = instance.api(Method::GET, path, "").timeout(CLIENT_TIMEOUT);
    let outcome = match request.send().await {
        Ok(response) => Ok(Answer::read(response).await),
        Err(error) => Err(format!("{path}: {error:?}")),
    };
    (outcome, started.elapsed())
}

/// The name of a widget that is at this version.
pub fn versioned_name(widget: usize, version: u64) -> String {
    format!("widget {widget} version {version}")
}

/// The version in a widget's name.
pub fn version_of(widget: &serde_json::Value) -> u64 {
    let name = widget["name"].as_str().expect("a name");
    let (_, version) = name.rsplit_once(' ').expect("a version");
    version.parse().expect("a number")
}
