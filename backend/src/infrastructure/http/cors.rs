//! Which pages of other origins may read the answers (`CORS_ALLOWED_ORIGINS`).
//!
//! Come here to let such pages send another header, or read another one. Cookies and other credentials of a browser are never
//! allowed: the API knows none, its tokens are sent by the page itself.

use actix_cors::Cors;
use actix_web::http::{Method, Uri, header};
use serde::Deserialize;

/// Seconds for which a browser remembers the answer to a preflight.
const MAX_AGE: usize = 3600;

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

/// The middleware. It answers preflights itself, before a caller is asked for.
pub fn cors(origins: &AllowedOrigins) -> Cors {
    let cors = match origins {
        AllowedOrigins::None => Cors::default(),
        AllowedOrigins::Any => Cors::default().allow_any_origin().send_wildcard(),
        AllowedOrigins::These(origins) => origins
            .iter()
            .fold(Cors::default(), |cors, origin| cors.allowed_origin(origin)),
    };
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
