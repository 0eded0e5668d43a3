//! Tests of a connection to a server whose answers the test chooses.
//!
//! Come here for an answer that no real Memcached gives on demand. The bytes of single commands are in `protocol`.

use crate::watchdog;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::backends::memcached::connection::{Connection, drive};
use crate::backends::memcached::promise::Waiting;
use crate::backends::memcached::protocol::{Condition, Content, Key};

const SOON: Duration = Duration::from_secs(10);

struct Conversation {
    connection: Arc<Connection>,
    task: JoinHandle<()>,
    server: TcpStream,
}

impl Conversation {
    async fn begin(silence_limit: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let client = TcpStream::connect(address).await.unwrap();
        let (server, _) = listener.accept().await.unwrap();
        let connection = Connection::new(silence_limit);
        let task = tokio::spawn(drive(Arc::clone(&connection), client));
        Self {
            connection,
            task,
            server,
        }
    }

    fn look_up(&self, key: &str) -> Waiting {
        let sent_key = Key::new(key).unwrap();
        self.connection.look_up(key, &sent_key).unwrap()
    }

    /// The bytes that arrive at once.
    async fn hear(&mut self) -> String {
        let mut heard = vec![0; 64 * 1024];
        let length = self.server.read(&mut heard).await.unwrap();
        String::from_utf8(heard[..length].to_vec()).unwrap()
    }

    async fn say(&mut self, text: &str) {
        self.server.write_all(text.as_bytes()).await.unwrap();
    }
}

fn value(text: &str, number: u64) -> Content {
    Content::Value(text.to_owned().into(), Some(number))
}

#[tokio::test]
async fn commands_of_one_turn_leave_in_one_write_and_are_answered_in_order() {
    watchdog::watch();
    let mut conversation = Conversation::begin(SOON).await;
    let waiting = ["a", "b", "a"].map(|key| conversation.look_up(key));
    let key = Key::new("c").unwrap();
    let store = conversation
        .connection
        .store(&key, b"xyz", Condition::Absent, 60);
    assert_eq!(
        conversation.hear().await,
        "mg a v c O1\r\nmg b v c O2\r\nms c 3 T60 c O3 ME\r\nxyz\r\n"
    );
    conversation
        .say("VA 1 c5 O1\r\n1\r\nEN O2\r\nHD c6 O3\r\n")
        .await;
    assert_eq!(
        join_all(waiting).await,
        [Ok(value("1", 5)), Ok(Content::Absent), Ok(value("1", 5))]
    );
    assert_eq!(store.unwrap().await, Ok(Content::Done(Some(6))));
}

#[tokio::test]
async fn who_gives_up_leaves_no_answer_to_others() {
    watchdog::watch();
    let mut conversation = Conversation::begin(SOON).await;
    {
        let mut given_up = pin!(conversation.look_up("a"));
        let polled = given_up
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()));
        assert!(polled.is_pending());
    }
    drop(conversation.look_up("b"));
    conversation.hear().await;
    let waiting = conversation.look_up("c");
    conversation.hear().await;
    conversation
        .say("VA 1 c1 O1\r\n1\r\nVA 1 c2 O2\r\n2\r\nVA 1 c3 O3\r\n3\r\n")
        .await;
    assert_eq!(waiting.await, Ok(value("3", 3)));
    assert!(conversation.connection.is_usable());
}

#[tokio::test]
async fn a_refusal_leaves_the_connection_as_it_is() {
    watchdog::watch();
    let mut conversation = Conversation::begin(SOON).await;
    let key = Key::new("a").unwrap();
    let store = conversation
        .connection
        .store(&key, b"x", Condition::None, 1);
    let look_up = conversation.look_up("b");
    conversation.hear().await;
    conversation
        .say("SERVER_ERROR object too large for cache\r\nVA 1 c2 O2\r\n2\r\n")
        .await;
    assert_eq!(
        store.unwrap().await,
        Ok(Content::Refused("object too large for cache".to_owned()))
    );
    assert_eq!(look_up.await, Ok(value("2", 2)));
}

#[tokio::test]
async fn after_an_unexpected_answer_no_request_waits_and_no_command_is_accepted() {
    watchdog::watch();
    for said in [
        "HD c1 O1\r\n",
        "VA 1 c1 O2\r\n1\r\n",
        "VA 1 c1 O1\r\n1\r\nEN O2\r\nEN O3\r\n",
        "VA 999999999999 c1 O1\r\n",
        "\0\u{ff} no such protocol \r\n",
    ] {
        let mut conversation = Conversation::begin(SOON).await;
        let first = conversation.look_up("a");
        let second = conversation.look_up("b");
        conversation.hear().await;
        conversation.say(said).await;
        timeout(SOON, conversation.task).await.unwrap().unwrap();
        let outcomes = [first.await, second.await];
        // The answers from before stay valid.
        assert!(
            outcomes.iter().all(Result::is_err) || said.contains("O3"),
            "{said:?}: {outcomes:?}"
        );
        assert!(!conversation.connection.is_usable());
        let key = Key::new("c").unwrap();
        assert!(conversation.connection.look_up("c", &key).is_err());
    }
}

#[tokio::test]
async fn a_connection_that_is_cut_within_an_answer_ends_all_waiting_requests() {
    watchdog::watch();
    let mut conversation = Conversation::begin(SOON).await;
    let waiting = ["a", "b", "c"].map(|key| conversation.look_up(key));
    conversation.hear().await;
    conversation
        .say("VA 1 c1 O1\r\n1\r\nVA 300 c2 O2\r\n22")
        .await;
    drop(conversation.server);
    let [first, second, third] = waiting;
    assert_eq!(first.await, Ok(value("1", 1)));
    assert!(second.await.is_err());
    assert!(third.await.is_err());
    conversation.task.await.unwrap();
    assert!(!conversation.connection.is_usable());
}

#[tokio::test]
async fn a_silent_server_is_not_asked_again_and_not_kept() {
    watchdog::watch();
    let silence_limit = Duration::from_millis(50);
    let conversation = Conversation::begin(silence_limit).await;
    let waiting = conversation.look_up("a");
    assert!(conversation.connection.is_usable());
    let silent = async {
        while conversation.connection.is_usable() {
            tokio::task::yield_now().await;
        }
    };
    timeout(SOON, silent).await.unwrap();
    conversation.connection.retire();
    let began = Instant::now();
    assert!(timeout(SOON, waiting).await.unwrap().is_err());
    assert!(began.elapsed() >= silence_limit);
    conversation.task.await.unwrap();
}

#[tokio::test]
async fn a_retired_connection_ends_with_its_last_answer() {
    watchdog::watch();
    let mut conversation = Conversation::begin(SOON * 100).await;
    let waiting = conversation.look_up("a");
    conversation.hear().await;
    conversation.connection.retire();
    tokio::task::yield_now().await;
    conversation.say("EN O1\r\n").await;
    assert_eq!(waiting.await, Ok(Content::Absent));
    timeout(SOON, conversation.task).await.unwrap().unwrap();
}

#[test]
fn when_the_runtime_of_a_connection_ends_all_waiting_requests_end() {
    let runtime = || {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
    };
    let first = runtime();
    let conversation = first.block_on(Conversation::begin(SOON));
    let waiting = conversation.look_up("a");
    drop(first);
    assert!(!conversation.connection.is_usable());
    assert!(runtime().block_on(waiting).is_err());
}

#[tokio::test]
async fn large_values_come_and_go_whole() {
    watchdog::watch();
    let mut conversation = Conversation::begin(SOON).await;
    let large = "x".repeat(3_000_000);
    let key = Key::new("a").unwrap();
    let store = conversation
        .connection
        .store(&key, large.as_bytes(), Condition::None, 1)
        .unwrap();
    let look_up = conversation.look_up("b");
    let mut heard = 0;
    while heard < large.len() {
        heard += conversation.hear().await.len();
    }
    conversation
        .say(&format!(
            "HD c1 O1\r\nVA {} c2 O2\r\n{large}\r\n",
            large.len()
        ))
        .await;
    assert_eq!(store.await, Ok(Content::Done(Some(1))));
    assert_eq!(look_up.await, Ok(value(&large, 2)));
}
