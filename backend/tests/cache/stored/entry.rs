//! The stored form of an entry, and the handling of a damaged one (C25).
//!
//! Come here after changing the stored form: its version must change too.

use actix_web::web;
use backend::infrastructure::cache::CachePolicy;
use backend::infrastructure::settings::CacheBackendKind;
use redis::AsyncCommands;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::harness::{Harness, get, nodes};
use crate::server_access::{connect_to_holder, connect_to_redis};
use crate::support::variable;

const ITEM: CachePolicy = CachePolicy::new("item").resource_id_name("id").shared();

async fn redis() -> redis::aio::MultiplexedConnection {
    connect_to_redis(variable("TEST_REDIS_PORT").parse().unwrap()).await
}

/// One command of Memcached's text protocol.
async fn memcached(address: &str, command: &str) -> Vec<u8> {
    let mut connection = tokio::net::TcpStream::connect(address).await.unwrap();
    connection
        .write_all(format!("{command}\r\nquit\r\n").as_bytes())
        .await
        .unwrap();
    let mut answer = Vec::new();
    connection.read_to_end(&mut answer).await.unwrap();
    answer
}

#[actix_web::test]
async fn c25_an_entry_is_a_line_of_metadata_and_the_body_as_it_was_sent() {
    let body = "{\"id\":42,\"name\":\"cog\"}";
    for harness in Harness::on_shared_backends().await {
        let app = harness
            .app(|config| {
                config.route(
                    "/{id}",
                    web::get()
                        .to(move || async move {
                            actix_web::HttpResponse::Ok()
                                .content_type("application/json")
                                .body(body)
                        })
                        .wrap(ITEM),
                );
            })
            .await;
        get(&app, "/42").await;
        let key = harness.full_key("item:42");
        let stored = if harness.kind == CacheBackendKind::Redis {
            let mut redis = connect_to_holder(&harness.settings, &key).await;
            redis.get::<_, Vec<u8>>(&key).await.unwrap()
        } else {
            let nodes = nodes(&harness.settings);
            let answer = memcached(&nodes.of(&key).name, &format!("get {key}")).await;
            let start = answer.iter().position(|byte| *byte == b'\n').unwrap() + 1;
            answer[start..answer.len() - "\r\nEND\r\n".len()].to_vec()
        };
        let text = String::from_utf8(stored).unwrap();
        let (line, rest) = text.split_once('\n').unwrap();
        assert!(line.starts_with("cache/3 "), "{line}");
        assert!(line.contains(&format!(" length={} ", body.len())), "{line}");
        assert_eq!(rest, body, "{:?}", harness.kind);
    }
}

#[actix_web::test]
async fn c25_a_damaged_foreign_or_mistyped_value_is_a_miss_and_is_replaced() {
    let harness = Harness::new(CacheBackendKind::Redis).await;
    let app = harness.numbered_app(ITEM).await;
    let mut connection = redis().await;
    let key = harness.full_key("item:1");
    get(&app, "/1").await;
    let whole: Vec<u8> = connection.get(&key).await.unwrap();
    let mut flipped = whole.clone();
    *flipped.last_mut().unwrap() ^= 1;
    let mut longer = whole.clone();
    longer.push(b'!');
    let other_version = [b"cache/1".as_slice(), &whole[7..]].concat();
    let damaged = [
        vec![],
        b"foreign".to_vec(),
        whole[..whole.len() - 1].to_vec(),
        whole[..20].to_vec(),
        flipped,
        longer,
        other_version,
    ];
    for value in damaged {
        connection.set::<_, _, ()>(&key, &value).await.unwrap();
        assert!(
            harness
                .cache
                .get::<String>("item:1")
                .await
                .unwrap()
                .is_none()
        );
        let reply = get(&app, "/1").await;
        assert_eq!(
            (reply.status, reply.outcome()),
            (200, "backend; fwd=uri-miss; stored"),
            "{}",
            String::from_utf8_lossy(&value)
        );
        assert!(get(&app, "/1").await.is_hit());
    }
    connection.del::<_, ()>(&key).await.unwrap();
    connection.lpush::<_, _, ()>(&key, "a list").await.unwrap();
    assert_eq!(
        get(&app, "/1").await.outcome(),
        "backend; fwd=uri-miss; stored"
    );
    assert!(get(&app, "/1").await.is_hit());
}

#[actix_web::test]
async fn c25_a_damaged_value_is_a_miss_on_memcached_too() {
    let harness = Harness::new(CacheBackendKind::Memcached).await;
    let app = harness.numbered_app(ITEM).await;
    let key = harness.full_key("item:1");
    let nodes = nodes(&harness.settings);
    let address = &nodes.of(&key).name;
    for value in ["foreign", "cache/3 0123456789abcdef 00000000 {}"] {
        memcached(
            address,
            &format!("set {key} 0 60 {}\r\n{value}", value.len()),
        )
        .await;
        assert_eq!(
            get(&app, "/1").await.outcome(),
            "backend; fwd=uri-miss; stored",
            "{value}"
        );
        assert!(get(&app, "/1").await.is_hit());
    }
}
