//! The running binary, and a client for it.
//!
//! Come here for a request that several tests send.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use reqwest::{Client, Method, RequestBuilder};
use serde_json::{Value, json};

use super::answer::Answer;
use super::database::TestDatabase;
use super::described;
use super::process;
use super::proof::Proof;
use super::{PROGRAM, eventually, unique, variable};

/// The password of every user that the tests make.
pub const PASSWORD: &str = "correct horse";

/// A process of the service, killed with this value.
#[derive(Debug)]
pub struct Service {
    process: Child,
    address: String,
    client: Client,
    lines: Arc<Mutex<Vec<Value>>>,
    proof: Option<Proof>,
}

/// The command, with none of the shell's settings.
pub fn command(environment: &[(&str, &str)]) -> Command {
    let mut command = Command::new(PROGRAM);
    command
        .env_clear()
        .envs(environment.iter().copied())
        .current_dir(std::env::temp_dir())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

impl Service {
    /// Starts the service on any free port and waits until it listens.
    pub async fn start(database_url: &str, environment: &[(&str, &str)]) -> Self {
        let redis_port = variable("TEST_REDIS_PORT");
        let memcached_port = variable("TEST_MEMCACHED_PORT");
        let defaults = [
            ("DATABASE_URL", database_url),
            ("SERVER_PORT", "0"),
            ("LOG_FORMAT", "json"),
            ("CACHE_REDIS_PORT", &redis_port),
            ("CACHE_MEMCACHED_PORT", &memcached_port),
        ];
        let mut process = command(&[&defaults, environment].concat())
            .spawn()
            .expect("the binary");
        let lines: Arc<Mutex<Vec<Value>>> = Arc::default();
        let output = process.stdout.take().expect("its output");
        let collected = Arc::clone(&lines);
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                let parsed = serde_json::from_str(&line).unwrap_or(Value::String(line));
                collected.lock().expect("the lines").push(parsed);
            }
        });
        let address = wait_for_address(&mut process, &lines).await;
        let client = Client::builder()
            .timeout(Duration::from_secs(30))
            .no_proxy()
            .build()
            .expect("a client");
        Self {
            process,
            address,
            client,
            lines,
            proof: None,
        }
    }

    /// Host and port.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The lines of the log so far.
    pub fn log(&self) -> Vec<Value> {
        self.lines.lock().expect("the lines").clone()
    }

    /// Sends a signal, by its name.
    pub fn signal(&self, name: &str) {
        process::signal(self.process.id(), name);
    }

    /// The most memory that the process has had since the start, or since [`forget_peak`](Self::forget_peak), in bytes.
    pub fn peak_memory(&self) -> u64 {
        let status = format!("/proc/{}/status", self.process.id());
        let status = std::fs::read_to_string(status).expect("Linux");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kibibytes = line.and_then(|line| line.split_whitespace().next());
        kibibytes.expect("a size").parse::<u64>().expect("a number") * 1024
    }

    /// Begins to measure the peak anew.
    pub fn forget_peak(&self) {
        let file = format!("/proc/{}/clear_refs", self.process.id());
        std::fs::write(file, "5").expect("Linux");
    }

    /// Waits until this many connections hold bytes that the process has not read, since it is stopped.
    pub async fn until_requests_wait(&self, count: usize) {
        let port = self.address.rsplit(':').next().expect("a port");
        let port: u16 = port.parse().expect("a number");
        eventually("requests wait in their connections", async || {
            process::unread_connections(port) >= count
        })
        .await;
    }

    /// Waits until the process has ended.
    pub async fn wait(&mut self) -> ExitStatus {
        process::end(&mut self.process).await
    }

    /// A request to a path from the root.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client
            .request(method, format!("http://{}{path}", self.address))
    }

    /// A request to a path of the API, with a token unless that is empty.
    pub fn api(&self, method: Method, path: &str, token: &str) -> RequestBuilder {
        let request = self.request(method, &format!("/api/v1{path}"));
        if token.is_empty() {
            request
        } else {
            request.bearer_auth(token)
        }
    }

    pub async fn send(&self, request: RequestBuilder) -> Answer {
        let request = request.build().expect("a request");
        let sent = request.try_clone();
        let answer = Answer::read(self.client.execute(request).await.expect("an answer")).await;
        if let Some(sent) = &sent {
            described::check(sent, answer.status);
        }
        if let (Some(proof), Some(sent)) = (&self.proof, sent) {
            proof.observe(&self.client, &sent, &answer).await;
        }
        answer
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.get_as("", path).await
    }

    pub async fn get_as(&self, token: &str, path: &str) -> Answer {
        self.send(self.api(Method::GET, path, token)).await
    }

    /// The second of two equal reads, which must come from the cache.
    pub async fn get_cached(&self, token: &str, path: &str) -> Answer {
        self.get_as(token, path).await.expect(200);
        let answer = self.get_as(token, path).await;
        assert!(answer.is_hit(), "GET {path} is not cached: {answer:#?}");
        answer
    }

    pub async fn post(&self, token: &str, path: &str, body: Value) -> Answer {
        self.send(self.api(Method::POST, path, token).json(&body))
            .await
    }

    pub async fn patch(&self, token: &str, path: &str, body: Value) -> Answer {
        self.send(self.api(Method::PATCH, path, token).json(&body))
            .await
    }

    pub async fn put(&self, token: &str, path: &str, body: Value) -> Answer {
        self.send(self.api(Method::PUT, path, token).json(&body))
            .await
    }

    pub async fn delete(&self, token: &str, path: &str) -> Answer {
        self.send(self.api(Method::DELETE, path, token)).await
    }

    /// Creates a resource in a collection, and returns its path in the API, from `Location`.
    pub async fn create(&self, token: &str, collection: &str, body: Value) -> String {
        let answer = self.post(token, collection, body).await.expect(201);
        let path = answer.header("location").strip_prefix("/api/v1");
        path.expect("a path of the API").to_owned()
    }

    /// Signs a user up.
    pub async fn sign_up(&self, username: &str) -> Answer {
        let email = format!("{username}@example.com");
        let body =
            json!({"username": username, "email": email, "password": PASSWORD, "name": username});
        self.post("", "/users", body).await
    }

    /// Signs a user in.
    pub async fn sign_in(&self, username: &str, password: &str) -> String {
        let body = json!({"username": username, "password": password});
        let answer = self.post("", "/auth/login", body).await.expect(200);
        let token = answer.json()["access_token"]
            .as_str()
            .expect("a token")
            .to_owned();
        if let Some(proof) = &self.proof {
            proof.name_caller(&token, username);
        }
        token
    }

    /// A new user's token.
    pub async fn new_user(&self, username: &str) -> String {
        self.sign_up(username).await.expect(201);
        self.sign_in(username, PASSWORD).await
    }

    /// A new widget's id.
    pub async fn new_widget(&self, token: &str, name: &str) -> i64 {
        let answer = self.post(token, "/widgets", json!({"name": name})).await;
        answer.expect(201).json()["id"].as_i64().expect("an id")
    }
}

async fn wait_for_address(process: &mut Child, lines: &Mutex<Vec<Value>>) -> String {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let listening = lines
            .lock()
            .expect("the lines")
            .iter()
            .find(|line| line["message"] == "listening")
            .map(|line| line["address"].as_str().expect("an address").to_owned());
        if let Some(address) = listening {
            return address;
        }
        if let Some(status) = process.try_wait().expect("its status") {
            let mut error = String::new();
            let _ = process
                .stderr
                .take()
                .expect("errors")
                .read_to_string(&mut error);
            panic!("the service ended with {status}: {error}");
        }
        assert!(Instant::now() < deadline, "the service does not listen");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A service with a database and a cache namespace of its own, and a superuser `admin`.
#[derive(Debug)]
pub struct TestService {
    // Before the database, so that it is stopped first.
    pub service: Service,
    pub database: TestDatabase,
    pub namespace: String,
}

impl TestService {
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    pub async fn start_with(environment: &[(&str, &str)]) -> Self {
        let database = TestDatabase::create().await;
        let namespace = unique("test");
        let administrator = [
            ("CACHE_NAMESPACE", namespace.as_str()),
            // A busy machine is no outage.
            ("CACHE_OPERATION_TIMEOUT_MS", "5000"),
            ("ADMIN_USERNAME", "admin"),
            ("ADMIN_EMAIL", "admin@example.com"),
            ("ADMIN_PASSWORD", PASSWORD),
        ];
        let environment = [&administrator, environment].concat();
        let mut service = Service::start(&database.url(), &environment).await;
        service.proof = Some(Proof::new(&database.url(), &environment));
        Self {
            service,
            database,
            namespace,
        }
    }

    /// The service without the proof (C49): for a test that makes an answer stale on purpose.
    pub fn without_proof(mut self) -> Self {
        self.service.proof = None;
        self
    }

    /// The superuser's token.
    pub async fn admin(&self) -> String {
        self.sign_in("admin", PASSWORD).await
    }
}

impl std::ops::Deref for TestService {
    type Target = Service;

    fn deref(&self) -> &Service {
        &self.service
    }
}
