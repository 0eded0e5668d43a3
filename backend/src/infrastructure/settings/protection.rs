//! Settings of the protection: the limits of sign-ins and requests, the trusted proxies, and the rules for browsers
//! (`LOGIN_*`, `RATE_LIMIT`, `TRUSTED_PROXIES`, `HSTS`, `CORS_ALLOWED_ORIGINS`).
//!
//! Come here to add or change a variable. The limits are enforced in `auth::attempts`, `rate_limit` and `client_address`,
//! not here.

use garde::Validate;
use serde::Deserialize;

use super::variable::{Kind, Section, Variable};
use crate::client_address::TrustedProxies;
use crate::http::{AllowedOrigins, Hsts};
use crate::rate::Rate;

/// The variables of the protection.
pub(super) const SECTION: Section = Section {
    title: "Protection",
    variables: &[
        Variable {
            name: "LOGIN_ATTEMPTS",
            kind: Kind::number("a number of wrong passwords", 1, 1_000_000),
            default: "10",
            meaning: "Wrong passwords for an account, and from an address, within the window; after them 429, for the right one too",
        },
        Variable {
            name: "LOGIN_WINDOW",
            kind: Kind::number("seconds", 1, 604_800),
            default: "900",
            meaning: "Seconds of the window, from the first wrong password on",
        },
        Variable {
            name: "RATE_LIMIT",
            kind: Kind::Text(
                "a number of requests from 1 to 1000000 and a time, such as `100/minute`: second, minute, hour or day",
            ),
            default: "",
            meaning: "Requests of a caller, or of an address without a valid token, to each instance; after them 429. No limit if it is empty",
        },
        Variable {
            name: "TRUSTED_PROXIES",
            kind: Kind::Text(
                "addresses and networks with commas between them, such as `10.0.0.0/8, ::1`",
            ),
            default: "",
            meaning: "Proxies whose `X-Forwarded-For` or `Forwarded` names the client; without them all clients behind a proxy share its address and its limits",
        },
        Variable {
            name: "HSTS",
            kind: Kind::Choice(&["auto", "always", "never"]),
            default: "auto",
            meaning: "Which answers tell browsers to come by TLS only, for a year (`Strict-Transport-Security`); `auto`: those to requests that came by TLS, as a trusted proxy says",
        },
        Variable {
            name: "CORS_ALLOWED_ORIGINS",
            kind: Kind::Text(
                "`*`, or origins with commas between them, such as `https://app.example.com, http://localhost:5173`",
            ),
            default: "",
            meaning: "Origins whose pages may read the answers in a browser; `*` for all. Pages of the own origin always may",
        },
    ],
};

/// Settings of the protection.
#[derive(Clone, Debug, Deserialize, Validate)]
#[serde(default)]
pub struct ProtectionSettings {
    /// `LOGIN_ATTEMPTS`: the most wrong passwords for an account, and from an address, within the window. 1 to 1 000 000,
    /// 10 by default.
    #[garde(range(min = 1, max = 1_000_000))]
    pub login_attempts: u64,
    /// `LOGIN_WINDOW`: the window in seconds, from the first wrong password on. 1 to 604 800 (a week), 900 by default.
    #[garde(range(min = 1, max = 604_800))]
    pub login_window: u64,
    /// `RATE_LIMIT`: the most requests of a caller, or of an address without a valid token, to each instance. No limit by
    /// default.
    #[garde(skip)]
    pub rate_limit: Option<Rate>,
    /// `TRUSTED_PROXIES`: the proxies whose `X-Forwarded-For` or `Forwarded` header names the client's address. Empty by default.
    #[garde(skip)]
    pub trusted_proxies: TrustedProxies,
    /// `HSTS`: which answers carry `Strict-Transport-Security`. By default those to requests that came by TLS.
    #[garde(skip)]
    pub hsts: Hsts,
    /// `CORS_ALLOWED_ORIGINS`: the origins whose pages may read the answers in a browser. By default only the own origin.
    #[garde(skip)]
    pub cors_allowed_origins: AllowedOrigins,
}

impl Default for ProtectionSettings {
    fn default() -> Self {
        Self {
            login_attempts: 10,
            login_window: 900,
            rate_limit: None,
            trusted_proxies: TrustedProxies::default(),
            hsts: Hsts::default(),
            cors_allowed_origins: AllowedOrigins::default(),
        }
    }
}
