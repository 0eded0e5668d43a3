//! What clients may do how often, and whose word counts for their address (`LOGIN_*`, `TRUSTED_PROXIES`).

use garde::Validate;
use serde::Deserialize;

use super::variable::{Kind, Section, Variable};
use crate::infrastructure::client_address::TrustedProxies;

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
            name: "TRUSTED_PROXIES",
            kind: Kind::Text(
                "addresses and networks with commas between them, such as `10.0.0.0/8, ::1`",
            ),
            default: "",
            meaning: "Proxies whose `X-Forwarded-For` or `Forwarded` names the client; without them all clients behind a proxy share its address and its limits",
        },
    ],
};

/// Settings of the protection.
#[derive(Clone, Debug, Deserialize, Validate)]
#[serde(default)]
pub struct ProtectionSettings {
    /// `LOGIN_ATTEMPTS`: wrong passwords for an account, and from an address, within the window.
    #[garde(range(min = 1, max = 1_000_000))]
    pub login_attempts: u64,
    /// `LOGIN_WINDOW`: seconds of the window.
    #[garde(range(min = 1, max = 604_800))]
    pub login_window: u64,
    /// `TRUSTED_PROXIES`: proxies whose word counts for the address of a client.
    #[garde(skip)]
    pub trusted_proxies: TrustedProxies,
}

impl Default for ProtectionSettings {
    fn default() -> Self {
        Self {
            login_attempts: 10,
            login_window: 900,
            trusted_proxies: TrustedProxies::default(),
        }
    }
}
