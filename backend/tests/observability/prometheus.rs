//! A private Prometheus with the alert rules of the project, looking at one service.
//!
//! Come here to ask whether an alert is active. The rules are those of `deploy/prometheus/alerts.yml` without their `for`, so that
//! a drill need not last for minutes; how long a fault must last is tested by `alerts_test.yml`.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use reqwest::Client;
use serde_json::Value;

use crate::documentation::read;
use crate::support::server::free_port;
use crate::support::{eventually, unique};

/// The longest time from a fault to its alert.
const LONGEST: Duration = Duration::from_mins(1);

/// A running Prometheus, killed with this value.
pub struct Prometheus {
    process: Child,
    port: u16,
    directory: PathBuf,
    client: Client,
}

impl Prometheus {
    /// Starts to scrape the service, and waits until it is seen and no alert is active.
    pub async fn watching(address: &str) -> Self {
        let directory = std::env::temp_dir().join(unique("prometheus"));
        fs::create_dir(&directory).unwrap();
        let rules = read("deploy/prometheus/alerts.yml");
        let at_once = rules
            .lines()
            .filter(|line| !line.trim().starts_with("for:"));
        let at_once: Vec<&str> = at_once.collect();
        fs::write(directory.join("alerts.yml"), at_once.join("\n")).unwrap();
        let config = format!(
            "global: {{ scrape_interval: 500ms, scrape_timeout: 500ms, evaluation_interval: 500ms }}\n\
             rule_files: [alerts.yml]\n\
             scrape_configs: [{{ job_name: backend, static_configs: [{{ targets: [\"{address}\"] }}] }}]\n"
        );
        fs::write(directory.join("prometheus.yml"), config).unwrap();
        let port = free_port();
        let process = Command::new("prometheus")
            .arg(format!(
                "--config.file={}",
                directory.join("prometheus.yml").display()
            ))
            .arg(format!(
                "--storage.tsdb.path={}",
                directory.join("data").display()
            ))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("prometheus: run the tests with ./scripts/test, which installs it");
        let client = Client::builder().no_proxy().build().unwrap();
        let started = Self {
            process,
            port,
            directory,
            client,
        };
        eventually("Prometheus sees a healthy service", async || {
            started.is_up().await && started.active().await.is_empty()
        })
        .await;
        started
    }

    /// Waits until the alert is active.
    pub async fn expect(&self, alert: &str) {
        let deadline = Instant::now() + LONGEST;
        while !self.active().await.iter().any(|active| active == alert) {
            assert!(Instant::now() < deadline, "{alert} is not active");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Waits for a scrape that begins after this call.
    pub async fn until_scraped_again(&self) {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .expect("a time");
        eventually("there is a later scrape", async || {
            let answer = self
                .ask("query?query=timestamp(up)")
                .await
                .unwrap_or_default();
            let scraped = answer["data"]["result"][0]["value"][1].as_str();
            scraped.is_some_and(|time| time.parse::<f64>().expect("a number") > now.as_secs_f64())
        })
        .await;
    }

    /// The active alerts.
    async fn active(&self) -> Vec<String> {
        let Some(answer) = self.ask("alerts").await else {
            return vec!["Prometheus does not answer yet".to_owned()];
        };
        let alerts = answer["data"]["alerts"].as_array().expect("alerts");
        let names = alerts.iter().map(|alert| &alert["labels"]["alertname"]);
        names.filter_map(Value::as_str).map(str::to_owned).collect()
    }

    async fn is_up(&self) -> bool {
        let answer = self.ask("query?query=up").await.unwrap_or_default();
        answer["data"]["result"][0]["value"][1] == "1"
    }

    async fn ask(&self, question: &str) -> Option<Value> {
        let address = format!("http://127.0.0.1:{}/api/v1/{question}", self.port);
        let answer = self.client.get(address).send().await.ok()?;
        answer.json().await.ok()
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = fs::remove_dir_all(&self.directory);
    }
}
