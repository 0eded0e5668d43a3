//! Tests of the backend on servers that differ from the tests' server.
//!
//! Come here for a server with other limits or an older version.

use crate::watchdog;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::backends::{BackendError, CacheBackend, MemcachedBackend, Version};
use crate::options::{MemcachedOptions, ServerAddress};

/// A backend on a server that sends these answers, one for each message.
async fn on_server_that_says(answers: &'static [&'static str]) -> MemcachedBackend {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = ServerAddress {
        host: "127.0.0.1".to_owned(),
        port: listener.local_addr().unwrap().port(),
    };
    let options = MemcachedOptions {
        servers: vec![server.clone()],
        connect_timeout: Duration::from_secs(5),
        pool_size: 10,
    };
    tokio::spawn(async move {
        let (mut client, _) = listener.accept().await.unwrap();
        for answer in answers {
            assert!(client.read(&mut [0; 4096]).await.unwrap() > 0);
            client.write_all(answer.as_bytes()).await.unwrap();
        }
        std::future::pending::<()>().await;
    });
    MemcachedBackend::new(&server, &options, Duration::from_millis(250))
}

async fn claim(backend: &MemcachedBackend) -> Result<Option<Version>, BackendError> {
    let value = Bytes::from_static(b"ours");
    let minute = Duration::from_mins(1);
    backend
        .compare_and_set("key", &Version::Absent, value, minute)
        .await
}

#[tokio::test]
async fn a_number_that_the_server_leaves_out_is_looked_up() {
    watchdog::watch();
    let backend = on_server_that_says(&["HD O1\r\n", "VA 4 c7 O2\r\nours\r\n"]).await;
    assert_eq!(claim(&backend).await.unwrap(), Some(Version::Number(7)));
}

#[tokio::test]
async fn c33_the_number_of_another_value_is_not_taken_for_ours() {
    watchdog::watch();
    let backend = on_server_that_says(&["HD O1\r\n", "VA 4 c8 O2\r\nelse\r\n"]).await;
    assert_eq!(claim(&backend).await.unwrap(), None);
    let backend = on_server_that_says(&["HD O1\r\n", "EN O2\r\n"]).await;
    assert_eq!(claim(&backend).await.unwrap(), None);
}

#[tokio::test]
async fn a_server_that_cannot_answer_a_look_up_is_unavailable() {
    watchdog::watch();
    let backend = on_server_that_says(&["SERVER_ERROR out of memory\r\n", "EN O2\r\n"]).await;
    let refused = backend.get("key").await;
    assert!(matches!(refused, Err(BackendError::Unavailable(_))));
    assert_eq!(backend.get("key").await.unwrap(), None);
}
