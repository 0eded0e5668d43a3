//! `TRACING_OTLP_ENDPOINT`.
//!
//! Come here after changing a setting of the traces.

use secrecy::ExposeSecret;

use super::{load, mistakes};

#[test]
fn a_receiver_is_an_address_without_user_and_query() {
    for wrong in [
        "127.0.0.1:4318",
        "grpc://127.0.0.1:4317",
        "http://",
        "http://user:secret@127.0.0.1:4318",
        "http://127.0.0.1:4318/?token=secret",
    ] {
        assert_eq!(
            mistakes(&[("TRACING_OTLP_ENDPOINT", wrong)]),
            [
                "TRACING_OTLP_ENDPOINT holds `***`; it may hold an address such as http://127.0.0.1:4318, without user and query"
            ]
        );
    }
}

#[test]
fn a_receiver_needs_a_program_that_sends_spans() {
    let set = [("TRACING_OTLP_ENDPOINT", "http://127.0.0.1:4318/otel")];
    if cfg!(feature = "traces") {
        let endpoint = load(&set).unwrap().traces.tracing_otlp_endpoint;
        let endpoint = endpoint.unwrap();
        assert_eq!(endpoint.expose_secret(), "http://127.0.0.1:4318/otel");
    } else {
        let mistakes = mistakes(&set).join("\n");
        assert!(
            mistakes.contains("build it with `--features traces`"),
            "{mistakes}"
        );
    }
    let unset = load(&[]).unwrap().traces.tracing_otlp_endpoint;
    assert!(unset.is_none());
}
