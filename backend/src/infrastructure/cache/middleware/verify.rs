//! Proof in production (C50): for a share of the hits the handler runs again in the background, and its
//! answer is compared with the entry.
//!
//! Come here when the log says that an entry was stale. The share and the counter are in
//! `provider::verification`.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix_web::body::MessageBody;
use actix_web::dev::{Service, ServiceRequest, ServiceResponse};
use actix_web::http::{Method, StatusCode};
use actix_web::{Error, HttpRequest, rt};
use bytes::Bytes;
use tokio::time::timeout;
use tracing::Instrument as _;

use super::handler::Handler;
use super::looking_up::lookup;
use crate::lookup::Lookup;
use crate::policy::{CompiledPolicy, ReadPlan};
use crate::provider::{Cache, Comparison};
use crate::stored::Entry;

/// The longest time that the comparison of one hit may take.
const LONGEST: Duration = Duration::from_secs(30);

/// A hit that is compared with the present answer of the handler.
pub(super) struct Hit<S> {
    pub(super) cache: Cache,
    pub(super) policy: Rc<CompiledPolicy>,
    pub(super) handler: Handler<S>,
    pub(super) request: HttpRequest,
    pub(super) plan: ReadPlan,
    pub(super) entry: Arc<Entry>,
}

/// Compares a hit in the background; the answer to the client does not wait for it.
pub(super) fn verify_in_background<S, B>(comparison: Comparison, hit: Hit<S>)
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: MessageBody + 'static,
{
    if hit.request.method() != Method::GET {
        return;
    }
    rt::spawn(
        async move {
            let _comparison = comparison;
            // A handler that hangs gives no answer to compare.
            let _ = timeout(LONGEST, hit.verify()).await;
        }
        .in_current_span(),
    );
}

impl<S, B> Hit<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: MessageBody + 'static,
{
    /// Reports the entry if the handler answers differently twice while the entry stands.
    ///
    /// One difference is no proof: a write may have committed while its deletion is still on its way,
    /// and until then the old answer is correct (C15). By the second comparison such a deletion has
    /// ended the entry.
    async fn verify(self) {
        let Some(first) = self.difference().await else {
            return;
        };
        let shared = &self.cache.shared;
        shared.clock.sleep(shared.verification.settling_time).await;
        if let Some(second) = self.difference().await {
            self.report(first != second).await;
        }
    }

    /// The handler's present answer, if it differs from the entry and the entry stands before and after.
    async fn difference(&self) -> Option<(StatusCode, Bytes)> {
        if !self.entry_stands().await {
            return None;
        }
        let (status, body) = self.run_handler().await?;
        let is_same = status.as_u16() == self.entry.metadata.status
            && self.entry.plain_body().is_some_and(|known| known == body);
        (!is_same && self.entry_stands().await).then_some((status, body))
    }

    /// Whether exactly this entry is still an answer, by the server and not by the near cache.
    async fn entry_stands(&self) -> bool {
        let shared = &self.cache.shared;
        let Some(registered) = shared.backend(self.policy.policy.backend_name) else {
            return false;
        };
        let lookup = Lookup {
            near: false,
            ..lookup(shared, &self.policy, registered, &self.plan)
        };
        lookup.still_holds(self.entry.id).await
    }

    /// The complete answer of the handler; `None` if it may not be compared.
    async fn run_handler(&self) -> Option<(StatusCode, Bytes)> {
        let request = ServiceRequest::from_request(self.request.clone());
        let response = self.handler.run(request).await.ok()?;
        let status = response.status();
        let proves_nothing = status.is_server_error()
            || matches!(
                status,
                StatusCode::NOT_MODIFIED
                    | StatusCode::PARTIAL_CONTENT
                    | StatusCode::REQUEST_TIMEOUT
                    | StatusCode::TOO_MANY_REQUESTS
            );
        if proves_nothing {
            return None;
        }
        let body = response.into_body().try_into_bytes().ok()?;
        Some((status, body))
    }

    /// Logs that the entry is stale, counts it and deletes it.
    async fn report(&self, differs_every_time: bool) {
        let shared = &self.cache.shared;
        shared.verification.count_stale_entry();
        let age = shared
            .clock
            .milliseconds()
            .saturating_sub(self.entry.metadata.stored)
            / 1000;
        let hint = if differs_every_time {
            "Two runs of the handler differed from each other too: an answer that depends on more than its key (the time, a \
             random value) must not be cached"
        } else {
            "Look for a write that does not invalidate this key, or for a change of the data past this service"
        };
        tracing::error!(
            route = self.request.match_pattern().unwrap_or_default(),
            policy = self.policy.policy.key_prefix(),
            key = self.plan.key.name(),
            age_seconds = age,
            "stale entry: the handler answers differently although nothing invalidated the entry; it is deleted. {hint}"
        );
        if let Some(registered) = shared.backend(self.policy.policy.backend_name) {
            // A deletion that cannot be delivered now is kept and delivered later.
            let key = self.plan.key.full().to_owned();
            let _ = registered.servers.invalidate(vec![key]).await;
        }
    }
}
