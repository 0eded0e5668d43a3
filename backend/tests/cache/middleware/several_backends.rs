//! Writes of a process with several backends (C22): they reach an entry on the backend of the reading
//! policy.
//!
//! Come here for invalidations across backends; how a policy chooses its backend is in `provider`.

use actix_web::web;
use backend::infrastructure::cache::{CachePolicy, Invalidation};
use backend::infrastructure::settings::CacheBackendKind;

use crate::harness::{Harness, Runs, backend, get, no_content, numbered, post, settings};

const ITEM: CachePolicy = CachePolicy::new("item").resource_id_name("id").shared();

#[actix_web::test]
async fn a_write_reaches_the_entries_of_policies_that_name_another_backend() {
    const HOT: CachePolicy = CachePolicy::new("hot")
        .resource_id_name("id")
        .group("hot_of_{id}")
        .backend_name("second");
    const BY_KEY: Invalidation = ITEM.to_invalidate_extra(&[("hot", "id")]);
    const BY_GROUP: Invalidation = ITEM.to_invalidate_groups(&["hot_of_{id}"]);
    const BY_PATTERN: Invalidation = ITEM.pattern_to_invalidate_extra(&["hot:{id}"]);
    for kind in [
        CacheBackendKind::Redis,
        CacheBackendKind::Memcached,
        CacheBackendKind::Memory,
    ] {
        let first = settings(kind);
        let second = settings(CacheBackendKind::Memory);
        let backends = vec![
            ("default".to_owned(), backend(&first)),
            ("second".to_owned(), backend(&second)),
        ];
        let harness = Harness::with_backends(first, backends).await;
        let app = harness
            .app(|config| {
                config.route(
                    "/hot/{id}",
                    web::get().to(numbered(&Runs::default())).wrap(HOT),
                );
                for (path, policy) in [
                    ("/key/{id}", BY_KEY),
                    ("/group/{id}", BY_GROUP),
                    ("/pattern/{id}", BY_PATTERN),
                ] {
                    config.route(path, web::post().to(no_content).wrap(policy));
                }
            })
            .await;
        for path in ["/key/1", "/group/1", "/pattern/1"] {
            for hot in ["/hot/1", "/hot/2"] {
                get(&app, hot).await;
                assert!(get(&app, hot).await.is_hit());
            }
            assert_eq!(post(&app, path).await.status, 204);
            assert!(!get(&app, "/hot/1").await.is_hit(), "{path} on {kind:?}");
            assert!(get(&app, "/hot/2").await.is_hit(), "{path} on {kind:?}");
        }
    }
}
