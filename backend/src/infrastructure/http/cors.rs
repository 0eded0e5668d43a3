//! The pages of other origins that may read the answers (`CORS_ALLOWED_ORIGINS`).
//!
//! Come here to let such pages send another header, or read another one. Cookies and other credentials of a browser are
//! never allowed, because the API has none: a page sends its token itself.

use std::rc::Rc;

use actix_cors::{Cors, CorsMiddleware};
use actix_web::Error;
use actix_web::dev::{Service, ServiceRequest, ServiceResponse, Transform, forward_ready};
use actix_web::http::header::HeaderValue;
use actix_web::http::{Method, Uri, header};
use futures_util::FutureExt;
use futures_util::future::{Either, LocalBoxFuture, Map};
use serde::Deserialize;

/// Seconds for which a browser remembers the answer to a preflight.
const MAX_AGE: usize = 3600;
const ORIGIN: HeaderValue = HeaderValue::from_static("Origin");

/// The origins whose pages may read the answers: all (`*`), or these, such as `https://app.example.com`. By default none.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(try_from = "String")]
pub enum AllowedOrigins {
    /// None. No answer has a header for it.
    #[default]
    None,
    /// All.
    Any,
    /// These, as a browser writes them in `Origin`.
    These(Vec<String>),
}

impl TryFrom<String> for AllowedOrigins {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let names: Vec<&str> = text
            .split(',')
            .map(str::trim)
            .filter(|name| !name.is_empty())
            .collect();
        match names[..] {
            [] => Ok(Self::None),
            ["*"] => Ok(Self::Any),
            _ if names.iter().all(|name| is_origin(name)) => {
                Ok(Self::These(names.into_iter().map(str::to_owned).collect()))
            }
            _ => Err("not a list of origins"),
        }
    }
}

/// Whether a browser could send the text as `Origin`: scheme, host, and the port unless it is the usual one.
fn is_origin(text: &str) -> bool {
    let Ok(uri) = text.parse::<Uri>() else {
        return false;
    };
    let (Some(scheme), Some(host)) = (uri.scheme_str(), uri.host()) else {
        return false;
    };
    let port = match (scheme, uri.port_u16()) {
        ("http", Some(80)) | ("https", Some(443)) => return false,
        ("http" | "https", Some(port)) => format!(":{port}"),
        ("http" | "https", None) => String::new(),
        _ => return false,
    };
    !host.contains('*') && text == format!("{scheme}://{}{port}", host.to_lowercase())
}

/// Lets pages of the allowed origins read the answers. Preflights are answered before a caller is asked for. Without origins it
/// does nothing.
pub struct CrossOrigin(Option<Cors>);

/// The running [`CrossOrigin`].
pub struct CrossOriginMiddleware<S> {
    service: Rc<S>,
    cors: Option<CorsMiddleware<Rc<S>>>,
}

type Answer = Result<ServiceResponse, Error>;

impl CrossOrigin {
    /// The middleware for these origins.
    #[must_use]
    pub fn new(origins: &AllowedOrigins) -> Self {
        Self(match origins {
            AllowedOrigins::None => None,
            AllowedOrigins::Any => Some(allow(Cors::default().allow_any_origin().send_wildcard())),
            AllowedOrigins::These(origins) => {
                let cors = origins
                    .iter()
                    .fold(Cors::default(), |cors, origin| cors.allowed_origin(origin));
                Some(allow(cors))
            }
        })
    }
}

impl<S> Transform<S, ServiceRequest> for CrossOrigin
where
    S: Service<ServiceRequest, Response = ServiceResponse, Error = Error> + 'static,
    S::Future: 'static,
{
    type Response = ServiceResponse;
    type Error = Error;
    type Transform = CrossOriginMiddleware<S>;
    type InitError = ();
    type Future = LocalBoxFuture<'static, Result<Self::Transform, ()>>;

    fn new_transform(&self, service: S) -> Self::Future {
        let service = Rc::new(service);
        let cors = self
            .0
            .as_ref()
            .map(|cors| cors.new_transform(Rc::clone(&service)));
        Box::pin(async move {
            let cors = match cors {
                Some(cors) => Some(cors.await?),
                None => None,
            };
            Ok(CrossOriginMiddleware { service, cors })
        })
    }
}

impl<S> Service<ServiceRequest> for CrossOriginMiddleware<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse, Error = Error> + 'static,
    S::Future: 'static,
{
    type Response = ServiceResponse;
    type Error = Error;
    // The first variant is the way of a hit, with and without CORS.
    type Future = Either<
        Either<S::Future, Map<S::Future, fn(Answer) -> Answer>>,
        LocalBoxFuture<'static, Answer>,
    >;

    forward_ready!(service);

    fn call(&self, request: ServiceRequest) -> Self::Future {
        match &self.cors {
            None => Either::Left(Either::Left(self.service.call(request))),
            Some(cors) if request.headers().contains_key(header::ORIGIN) => {
                let answer = cors.call(request);
                Either::Right(Box::pin(async move {
                    answer.await.map(ServiceResponse::map_into_boxed_body)
                }))
            }
            // No page of another origin asks. A cache in front must still not give such a page this answer.
            Some(_) => Either::Left(Either::Right(self.service.call(request).map(with_vary))),
        }
    }
}

fn with_vary(answer: Answer) -> Answer {
    let mut response = answer?;
    response.headers_mut().append(header::VARY, ORIGIN);
    Ok(response)
}

/// The methods and headers that allowed pages may send and read.
fn allow(cors: Cors) -> Cors {
    cors.allowed_methods([
        Method::GET,
        Method::HEAD,
        Method::POST,
        Method::PUT,
        Method::PATCH,
        Method::DELETE,
    ])
    .allowed_headers([
        header::ACCEPT,
        header::AUTHORIZATION,
        header::CACHE_CONTROL,
        header::CONTENT_TYPE,
        header::IF_MATCH,
        header::IF_NONE_MATCH,
    ])
    .allowed_headers(["traceparent", "x-request-id"])
    .expose_headers([
        header::AGE,
        header::ETAG,
        header::LOCATION,
        header::RETRY_AFTER,
        header::WWW_AUTHENTICATE,
    ])
    .expose_headers([
        "cache-status",
        "ratelimit",
        "ratelimit-policy",
        "x-request-id",
    ])
    .max_age(MAX_AGE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_what_a_browser_sends() {
        let parse = |text: &str| AllowedOrigins::try_from(text.to_owned());
        assert_eq!(parse(""), Ok(AllowedOrigins::None));
        assert_eq!(parse("*"), Ok(AllowedOrigins::Any));
        let two = ["https://app.example.com", "http://localhost:5173"];
        assert_eq!(
            parse(&two.join(" , ")),
            Ok(AllowedOrigins::These(two.map(str::to_owned).to_vec()))
        );
        assert!(parse("http://[::1]:8080").is_ok());
        for wrong in [
            "app.example.com",
            "https://app.example.com/",
            "https://app.example.com/path",
            "https://App.example.com",
            "https://app.example.com:443",
            "http://app.example.com:80",
            "https://user@app.example.com",
            "https://*.example.com",
            "ftp://app.example.com",
            "null",
            "*, https://app.example.com",
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
