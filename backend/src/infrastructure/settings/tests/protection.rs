//! The settings of the protection: what they may hold.
//!
//! Come here after changing a limit, a trusted proxy or an origin.

use super::{load, mistakes};
use crate::http::{AllowedOrigins, Hsts};

#[test]
fn a_wrong_limit_or_origin_stops_the_start_with_a_sentence() {
    let limit = "it may hold a number of requests from 1 to 1000000 and a time, such as `100/minute`: second, minute, hour or day";
    for wrong in ["100", "0/minute", "100/min", "off"] {
        assert_eq!(
            mistakes(&[("RATE_LIMIT", wrong)]),
            [format!("RATE_LIMIT holds `{wrong}`; {limit}")]
        );
    }
    let origins = "it may hold `*`, or origins with commas between them, such as `https://app.example.com, http://localhost:5173`";
    for wrong in ["app.example.com", "https://app.example.com/"] {
        assert_eq!(
            mistakes(&[("CORS_ALLOWED_ORIGINS", wrong)]),
            [format!("CORS_ALLOWED_ORIGINS holds `{wrong}`; {origins}")]
        );
    }
    assert_eq!(
        mistakes(&[("HSTS", "yes")]),
        ["HSTS holds `yes`; it may hold auto, always or never"]
    );
}

#[test]
fn without_settings_nobody_is_limited_and_no_other_origin_is_allowed() {
    let protection = load(&[]).unwrap().protection;
    assert_eq!(protection.rate_limit, None);
    assert_eq!(protection.cors_allowed_origins, AllowedOrigins::None);
    assert_eq!(protection.hsts, Hsts::Auto);
    let set = [("RATE_LIMIT", "100/minute"), ("CORS_ALLOWED_ORIGINS", "*")];
    let protection = load(&set).unwrap().protection;
    let rate = protection.rate_limit.unwrap();
    assert_eq!((rate.requests.get(), rate.seconds), (100, 60));
    assert_eq!(protection.cors_allowed_origins, AllowedOrigins::Any);
}
