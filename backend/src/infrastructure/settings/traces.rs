//! The settings of traces (`TRACING_*`).
//!
//! Come here to add or change such a setting. Spans are collected in `infrastructure::traces`.

use actix_web::http::Uri;
use garde::Validate;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::variable::{Kind, Section, Variable};

/// The variables of traces.
pub(super) const SECTION: Section = Section {
    title: "Traces",
    variables: &[Variable {
        name: "TRACING_OTLP_ENDPOINT",
        // Some receivers have a token in their address.
        kind: Kind::Secret("an address such as http://127.0.0.1:4318, without user and query"),
        default: "",
        meaning: "Receiver of OpenTelemetry that spans are sent to, by HTTP at `/v1/traces` below this address; needs a program that is built with \
                  `--features traces`",
    }],
};

/// Settings of traces.
#[derive(Clone, Debug, Default, Deserialize, Validate)]
#[serde(default)]
pub struct TraceSettings {
    /// `TRACING_OTLP_ENDPOINT`: the address of the receiver.
    #[garde(custom(is_address))]
    pub tracing_otlp_endpoint: Option<SecretString>,
}

impl TraceSettings {
    /// The mistake of a receiver for a program that sends no spans.
    pub(super) fn mistake(&self) -> Option<String> {
        let is_in_vain = self.tracing_otlp_endpoint.is_some() && !cfg!(feature = "traces");
        is_in_vain.then(|| {
            "TRACING_OTLP_ENDPOINT is set, but this program is built without traces; build it with `--features traces`, or remove the variable"
                .to_owned()
        })
    }
}

#[expect(
    clippy::ref_option,
    clippy::trivially_copy_pass_by_ref,
    reason = "garde passes the field and the context by reference"
)]
fn is_address(address: &Option<SecretString>, _: &()) -> garde::Result {
    let Some(address) = address else {
        return Ok(());
    };
    let address = address.expose_secret();
    let uri: Option<Uri> = address.parse().ok();
    let is_right = uri.is_some_and(|uri| {
        let has_host = uri.host().is_some_and(|host| !host.is_empty());
        matches!(uri.scheme_str(), Some("http" | "https")) && has_host && uri.query().is_none()
    });
    if is_right && !address.contains('@') {
        Ok(())
    } else {
        Err(garde::Error::new("not an address"))
    }
}
