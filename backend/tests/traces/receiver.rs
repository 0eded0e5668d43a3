//! A receiver of spans: OTLP over HTTP, decoded by the protocol buffers of OpenTelemetry.
//!
//! Come here to see more of a span. What the spans have to be is in `spans` and `sending`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use opentelemetry_proto::tonic::trace::v1 as otlp;
use prost::Message;

use crate::support::eventually;

/// A received span. Ids are hexadecimal, and that of a missing parent is empty.
#[derive(Clone, Debug)]
pub struct Span {
    pub trace: String,
    pub id: String,
    pub parent: String,
    pub name: String,
    pub kind: otlp::span::SpanKind,
    pub is_error: bool,
    pub attributes: BTreeMap<String, String>,
    /// The ids of the spans that it is linked to.
    pub links: Vec<String>,
    /// `service.name` of the sender.
    pub service: String,
}

impl Span {
    /// An attribute, or nothing.
    pub fn get(&self, name: &str) -> &str {
        self.attributes.get(name).map_or("", String::as_str)
    }
}

/// A running receiver. It listens until the end of the test's process.
#[derive(Debug)]
pub struct Receiver {
    port: u16,
    spans: Arc<Mutex<Vec<Span>>>,
}

impl Receiver {
    pub fn start() -> Self {
        Self::on(TcpListener::bind("127.0.0.1:0").expect("a port"))
    }

    pub fn on(listener: TcpListener) -> Self {
        let port = listener.local_addr().expect("an address").port();
        let spans: Arc<Mutex<Vec<Span>>> = Arc::default();
        let received = Arc::clone(&spans);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let received = Arc::clone(&received);
                std::thread::spawn(move || serve(stream, &received));
            }
        });
        Self { port, spans }
    }

    /// The value of `TRACING_OTLP_ENDPOINT`.
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The spans of a trace so far.
    pub fn trace(&self, id: &str) -> Vec<Span> {
        let spans = self.spans.lock().expect("the spans");
        let of_trace = spans.iter().filter(|span| span.trace == id);
        of_trace.cloned().collect()
    }

    /// The spans of a trace when its request has arrived, which ends after its other spans.
    pub async fn whole_trace(&self, id: &str) -> Vec<Span> {
        eventually("the trace arrives", async || {
            self.trace(id)
                .iter()
                .any(|span| span.kind == otlp::span::SpanKind::Server)
        })
        .await;
        self.trace(id)
    }
}

/// Answers the requests of a connection until it ends.
fn serve(stream: TcpStream, spans: &Mutex<Vec<Span>>) -> Option<()> {
    let mut writer = stream.try_clone().ok()?;
    let mut reader = BufReader::new(stream);
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if reader.read_line(&mut head).ok()? == 0 {
                return None;
            }
        }
        let head = head.to_lowercase();
        assert!(head.starts_with("post /v1/traces "), "{head}");
        assert!(
            head.contains("content-type: application/x-protobuf"),
            "{head}"
        );
        let length = head.split("content-length: ").nth(1)?.lines().next()?;
        let mut body = vec![0; length.parse().ok()?];
        reader.read_exact(&mut body).ok()?;
        let request = ExportTraceServiceRequest::decode(&body[..]).expect("spans");
        spans.lock().expect("the spans").extend(spans_of(request));
        writer
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
            .ok()?;
    }
}

fn spans_of(request: ExportTraceServiceRequest) -> Vec<Span> {
    let mut found = Vec::new();
    for of_service in request.resource_spans {
        let resource = of_service.resource.unwrap_or_default();
        let service = attributes(&resource.attributes)
            .remove("service.name")
            .unwrap_or_default();
        for span in of_service
            .scope_spans
            .into_iter()
            .flat_map(|scope| scope.spans)
        {
            let status = span.status.clone().unwrap_or_default();
            found.push(Span {
                trace: hexadecimal(&span.trace_id),
                id: hexadecimal(&span.span_id),
                parent: hexadecimal(&span.parent_span_id),
                kind: span.kind(),
                is_error: status.code() == otlp::status::StatusCode::Error,
                attributes: attributes(&span.attributes),
                links: span
                    .links
                    .iter()
                    .map(|link| hexadecimal(&link.span_id))
                    .collect(),
                name: span.name,
                service: service.clone(),
            });
        }
    }
    found
}

fn hexadecimal(bytes: &[u8]) -> String {
    let mut text = String::new();
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

fn attributes(list: &[KeyValue]) -> BTreeMap<String, String> {
    let text =
        |value: &Option<AnyValue>| match value.as_ref().and_then(|value| value.value.as_ref()) {
            Some(any_value::Value::StringValue(text)) => text.clone(),
            Some(any_value::Value::IntValue(number)) => number.to_string(),
            Some(any_value::Value::BoolValue(flag)) => flag.to_string(),
            other => format!("{other:?}"),
        };
    list.iter()
        .map(|pair| (pair.key.clone(), text(&pair.value)))
        .collect()
}
