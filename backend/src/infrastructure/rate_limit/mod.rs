//! The limit of requests (`RATE_LIMIT`): of a caller, or of an address where there is no valid token.
//!
//! Come here to change which requests are counted and which header fields clients get. Each instance counts by itself,
//! because a round trip for each request would cost more than most answers. Wrong passwords are limited in
//! `auth::attempts`, on all instances together, not here.

mod buckets;
mod callers;
mod middleware;

use std::time::Duration;

use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use actix_web::{HttpRequest, web};
use governor::clock::{Clock, DefaultClock};
use governor::middleware::StateInformationMiddleware;
use governor::{Quota, RateLimiter};

use crate::auth::AccessToken;
use crate::client_address::TrustedProxies;
use crate::database::Database;
use crate::rate::Rate;

use buckets::{Buckets, Key};
use callers::Callers;
pub use middleware::LimitRequests;

const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// Counts the requests of an instance. Its workers share it.
#[derive(Debug)]
pub struct RateLimit<C: Clock = DefaultClock> {
    limiter: RateLimiter<Key, Buckets, C, StateInformationMiddleware>,
    callers: Callers,
    /// `RateLimit-Policy`, of callers and of addresses.
    policies: [HeaderValue; 2],
    /// The time in which one more request is allowed.
    period: Duration,
    requests: u32,
    proxies: TrustedProxies,
    exempt: &'static [&'static str],
}

/// The allowance of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Allowance {
    /// The number of requests that are allowed at once.
    remaining: u32,
    /// The time until one more request is allowed.
    more_after: Duration,
}

impl RateLimit {
    /// The limit of this rate: its number of requests at once, and then one after the other, evenly. Paths in `exempt`
    /// are neither counted nor refused. The `proxies` are believed about the addresses of their clients.
    #[must_use]
    pub fn new(rate: Rate, proxies: TrustedProxies, exempt: &'static [&'static str]) -> Self {
        Self::with_clock(rate, proxies, exempt, DefaultClock::default())
    }
}

impl<C: Clock> RateLimit<C> {
    fn with_clock(
        rate: Rate,
        proxies: TrustedProxies,
        exempt: &'static [&'static str],
        clock: C,
    ) -> Self {
        let Rate { requests, seconds } = rate;
        let period = Duration::from_secs(seconds.into()) / requests.get();
        // A rate is at least one request a day and at most one in a microsecond, so the period is never zero.
        let quota = Quota::with_period(period).unwrap_or(Quota::per_second(requests));
        let policy = |name| {
            let text = format!("\"{name}\";q={requests};w={seconds}");
            HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static(""))
        };
        Self {
            limiter: RateLimiter::new(quota.allow_burst(requests), Buckets::new(), clock),
            callers: Callers::default(),
            policies: [policy("caller"), policy("address")],
            period,
            requests: requests.get(),
            proxies,
            exempt,
        }
    }

    /// Counts a request.
    ///
    /// # Errors
    /// The request is one too many. It does not count.
    fn count(&self, key: Key) -> Result<Allowance, Allowance> {
        match self.limiter.check_key(&key) {
            Ok(state) => Ok(Allowance {
                remaining: state.remaining_burst_capacity(),
                more_after: self.period,
            }),
            Err(until) => Err(Allowance {
                remaining: 0,
                more_after: until.wait_time_from(self.limiter.clock().now()),
            }),
        }
    }

    fn exempts(&self, path: &str) -> bool {
        self.exempt.contains(&path)
    }

    /// Whether the answer has the header fields of the limit: half of the requests are used up. Until then the fields
    /// would cost every hit of the cache more than the limit itself.
    fn is_low(&self, allowance: Allowance) -> bool {
        allowance.remaining <= self.requests / 2
    }

    async fn key_of(&self, request: &HttpRequest) -> Key {
        let token = AccessToken::from_request(request);
        let database = request.app_data::<web::Data<Database>>();
        if let (Some(token), Some(database)) = (token, database)
            && let Some(id) = self.callers.owner_of(token, database).await
        {
            return Key::Caller(id);
        }
        self.address_of(request)
    }

    /// The key of a request without a valid token.
    fn address_of(&self, request: &HttpRequest) -> Key {
        Key::Network(self.proxies.client_of(request).network())
    }

    /// Adds the header fields of the limit (draft-ietf-httpapi-ratelimit-headers-11).
    fn insert_fields(&self, headers: &mut HeaderMap, key: Key, allowance: Allowance) {
        let (name, policy) = match key {
            Key::Caller(_) => ("caller", &self.policies[0]),
            Key::Network(_) => ("address", &self.policies[1]),
        };
        let Allowance {
            remaining,
            more_after,
        } = allowance;
        let seconds = whole_seconds(more_after);
        let text = format!("\"{name}\";r={remaining};t={seconds}");
        if let Ok(value) = HeaderValue::try_from(text) {
            headers.insert(RATE_LIMIT, value);
        }
        headers.insert(RATE_LIMIT_POLICY, policy.clone());
    }
}

/// Rounded up, so that a client that repeats its request after this time is not refused again.
fn whole_seconds(time: Duration) -> u128 {
    time.as_millis().div_ceil(1000).max(1)
}

#[cfg(test)]
mod tests {
    use governor::clock::FakeRelativeClock;

    use super::*;

    fn limit(rate: &str) -> (RateLimit<FakeRelativeClock>, FakeRelativeClock) {
        let clock = FakeRelativeClock::default();
        let rate = Rate::try_from(rate.to_owned()).unwrap();
        (
            RateLimit::with_clock(rate, TrustedProxies::default(), &[], clock.clone()),
            clock,
        )
    }

    #[test]
    fn a_client_has_its_requests_at_once_and_then_evenly() {
        let (limit, clock) = limit("3/minute");
        let key = Key::Network([192, 0, 2, 1].into());
        let evenly = Duration::from_secs(20);
        for remaining in [2, 1, 0] {
            let more_after = evenly;
            assert_eq!(
                limit.count(key),
                Ok(Allowance {
                    remaining,
                    more_after
                })
            );
        }
        let refused = |more_after| {
            Err(Allowance {
                remaining: 0,
                more_after,
            })
        };
        assert_eq!(limit.count(key), refused(evenly));
        clock.advance(Duration::from_secs(5));
        // Refused requests do not count: the time does not begin again.
        assert_eq!(limit.count(key), refused(Duration::from_secs(15)));
        clock.advance(Duration::from_secs(15));
        assert!(limit.count(key).is_ok());
        assert_eq!(limit.count(key), refused(evenly));
        clock.advance(Duration::from_hours(1));
        assert_eq!(limit.count(key).unwrap().remaining, 2);
    }

    #[test]
    fn clients_do_not_share_a_limit() {
        let (limit, _) = limit("1/day");
        let keys = [
            Key::Caller(1),
            Key::Caller(2),
            Key::Network([192, 0, 2, 1].into()),
            Key::Network([192, 0, 2, 2].into()),
        ];
        assert!(keys.iter().all(|key| limit.count(*key).is_ok()));
        assert!(keys.iter().all(|key| limit.count(*key).is_err()));
    }

    #[test]
    fn the_highest_and_the_lowest_rate_are_limits() {
        for (rate, requests) in [("1/day", 1), ("1000000/second", 1_000_000)] {
            let (limit, _) = limit(rate);
            for _ in 0..requests {
                assert!(limit.count(Key::Caller(1)).is_ok(), "{rate}");
            }
            assert!(limit.count(Key::Caller(1)).is_err(), "{rate}");
        }
    }

    #[test]
    fn the_header_fields_have_the_form_of_the_draft() {
        let (limit, _) = limit("100/minute");
        let fields = |key, more_after| {
            let mut headers = HeaderMap::new();
            let allowance = Allowance {
                remaining: 7,
                more_after,
            };
            limit.insert_fields(&mut headers, key, allowance);
            (
                headers.get(RATE_LIMIT).cloned().unwrap(),
                headers.get(RATE_LIMIT_POLICY).cloned().unwrap(),
            )
        };
        let (now, policy) = fields(Key::Caller(1), Duration::from_millis(600));
        assert_eq!(now, "\"caller\";r=7;t=1");
        assert_eq!(policy, "\"caller\";q=100;w=60");
        let (now, policy) = fields(
            Key::Network([192, 0, 2, 1].into()),
            Duration::from_millis(1001),
        );
        assert_eq!(now, "\"address\";r=7;t=2");
        assert_eq!(policy, "\"address\";q=100;w=60");
    }
}
