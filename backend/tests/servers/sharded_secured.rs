//! A Redis Cluster as a provider runs it (C59, C60): TLS alone, and a user with few permissions.
//!
//! Come here after changing how the nodes of a Cluster are reached. A single server with TLS is in `tls`, its users are in `permissions`.

use backend::infrastructure::settings::CacheSettings;

use crate::harness::Log;
use crate::permissions::documented;
use crate::sharded::environment;
use crate::sharded_operations::{check, instances, of_cluster};
use crate::support::certificates::{Certificates, text};
use crate::support::redis_cluster::RedisCluster;

/// Makes these users, each with the documented permissions and some more. Afterwards nobody else is let in.
fn permit(cluster: &RedisCluster, namespace: &str, users: &[(&str, &str)]) {
    let rules = documented().join(" ");
    for node in &cluster.nodes {
        for (user, more) in users {
            let user = format!("ACL SETUSER {user} on >secret ~{namespace}:* {rules} {more}");
            assert_eq!(node.say(&user), "+OK");
        }
        assert_eq!(node.say("ACL SETUSER default off"), "+OK");
    }
}

#[actix_web::test]
async fn c60_a_cluster_with_tls_and_a_user_of_few_permissions_does_what_any_other_does() {
    let certificates = Certificates::create();
    let cluster = RedisCluster::with_tls(&certificates).await;
    let authority = text(&certificates.authority());
    let settings = CacheSettings {
        cache_redis_username: "shop".to_owned(),
        cache_redis_password: "secret".to_owned().into(),
        cache_redis_tls: true,
        cache_redis_tls_ca_file: authority.clone(),
        ..of_cluster(&cluster)
    };
    let users = [
        ("shop", "+asking +cluster|nodes"),
        ("without_asking", "+cluster|nodes"),
        ("without_nodes", "+asking"),
    ];
    let namespace = settings.cache_namespace.clone();
    permit(&cluster, &namespace, &users);
    let log = Log::collect();
    instances(settings).await;
    assert_eq!(log.lines_with(&["NOPERM"]), Vec::<String>::new());
    let nodes = cluster.list();
    for (user, expected) in [
        (
            "shop",
            "redis cluster answers, and permits what the cache needs",
        ),
        ("without_asking", "ACL SETUSER … +asking"),
        ("without_nodes", "'cluster|nodes'"),
    ] {
        let own = [
            ("CACHE_REDIS_USERNAME", user),
            ("CACHE_REDIS_PASSWORD", "secret"),
            ("CACHE_REDIS_TLS", "true"),
            ("CACHE_REDIS_TLS_CA_FILE", &authority),
            ("CACHE_NAMESPACE", &namespace),
        ];
        let said = check(&[&environment(&nodes)[..], &own].concat()).await;
        assert!(said.contains(expected), "{user}: {said}");
    }
}
