//! The origin of a sign-in: the client and the address that its session shows.
//!
//! Come here to change what a session remembers of its sign-in. The client sends both, so they prove nothing: no right
//! depends on them.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::http::header::USER_AGENT;
use actix_web::{Error, FromRequest, HttpRequest};

use crate::client_address::ClientAddress;

/// The most characters that are kept of a `User-Agent`.
const LONGEST_CLIENT: usize = 200;

/// The origin of a request that signs in.
#[derive(Clone, Debug)]
pub struct Origin {
    /// The address of the client.
    pub address: ClientAddress,
    /// The beginning of the `User-Agent`, up to 200 characters; `None` without one, or with one that is not ASCII.
    pub client: Option<String>,
}

impl FromRequest for Origin {
    type Error = Error;
    type Future = Ready<Result<Self, Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let client = request.headers().get(USER_AGENT);
        let client = client.and_then(|client| client.to_str().ok());
        ready(Ok(Self {
            address: ClientAddress::of(request),
            client: client
                .filter(|client| !client.is_empty())
                .map(|client| client.chars().take(LONGEST_CLIENT).collect()),
        }))
    }
}
