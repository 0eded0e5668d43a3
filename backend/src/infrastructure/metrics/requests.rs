//! The requests: their number and duration by the template of their route, method and status.
//!
//! Come here to change what is measured of a request. Each worker keeps the handles of its routes, so that a request costs two
//! readings of the clock, a short search and one sample.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashMap;
use std::time::Instant;

use actix_web::HttpRequest;
use actix_web::http::{Method, StatusCode};
use metrics::{Histogram, Unit, describe_histogram, histogram};

/// The name by the conventions of OpenTelemetry. The number of requests is its `_count`.
const DURATION: &str = "http_server_request_duration_seconds";
/// The route of requests that match none, as in the log.
const NO_ROUTE: &str = "-";
/// The label of a method that is not one of RFC 9110: clients can invent any number of them.
const OTHER_METHOD: &str = "_OTHER";

/// The histograms of one route in one worker: data of its resource.
#[derive(Debug)]
pub struct RouteMetrics {
    route: String,
    kept: RefCell<Vec<(Method, StatusCode, Histogram)>>,
}

impl RouteMetrics {
    /// The histograms of the route with this template, such as `/api/v1/widgets/{widget_id}`.
    #[must_use]
    pub const fn of(route: String) -> Self {
        Self {
            route,
            kept: RefCell::new(Vec::new()),
        }
    }

    /// The template of a request's route; `None` where no route matches. That of a declared resource is known. Others are searched
    /// for, which takes several times as long.
    #[must_use]
    pub fn template_of(request: &HttpRequest) -> Option<Cow<'_, str>> {
        match request.app_data::<Self>() {
            Some(declared) => Some(Cow::Borrowed(&declared.route)),
            None => request.match_pattern().map(Cow::Owned),
        }
    }

    fn record(&self, method: &Method, status: StatusCode, began: Instant) {
        let elapsed = began.elapsed();
        let mut kept = self.kept.borrow_mut();
        let known = kept
            .iter()
            .find(|(own, code, _)| *code == status && own == method);
        if let Some((_, _, histogram)) = known {
            histogram.record(elapsed);
            return;
        }
        let label = label_of(method);
        let (route, code) = (self.route.clone(), status.as_str().to_owned());
        let histogram = histogram!(DURATION, "route" => route, "method" => label, "status" => code);
        histogram.record(elapsed);
        // Invented methods are not kept: the list would grow with them.
        if label != OTHER_METHOD {
            kept.push((method.clone(), status, histogram));
        }
    }
}

/// The metrics of the requests of one worker.
#[derive(Debug)]
pub struct RequestMetrics {
    without_route: RouteMetrics,
    /// Routes of resources that are not declared, by their templates.
    undeclared: RefCell<HashMap<String, RouteMetrics>>,
}

impl Default for RequestMetrics {
    fn default() -> Self {
        Self {
            without_route: RouteMetrics::of(NO_ROUTE.to_owned()),
            undeclared: RefCell::default(),
        }
    }
}

impl RequestMetrics {
    /// Describes the metrics of this file to the recorder.
    pub(super) fn describe_metrics() {
        describe_histogram!(
            DURATION,
            Unit::Seconds,
            "Time from a request's head to its answer's head, by template of the route, method and status"
        );
    }

    /// Records an answered request that began at this time.
    pub fn record(&self, request: &HttpRequest, status: StatusCode, began: Instant) {
        let method = request.method();
        if let Some(route) = request.app_data::<RouteMetrics>() {
            route.record(method, status, began);
            return;
        }
        let Some(template) = request.match_pattern() else {
            self.without_route.record(method, status, began);
            return;
        };
        let mut undeclared = self.undeclared.borrow_mut();
        let route = undeclared
            .entry(template)
            .or_insert_with_key(|template| RouteMetrics::of(template.clone()));
        route.record(method, status, began);
    }

    /// Records a request whose handler gave no answer: it panicked, or ran past its time. Its route is not known any more.
    pub fn record_without_answer(&self, method: &Method, status: StatusCode, began: Instant) {
        self.without_route.record(method, status, began);
    }
}

/// A known method as a label.
fn label_of(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        Method::CONNECT => "CONNECT",
        Method::TRACE => "TRACE",
        _ => OTHER_METHOD,
    }
}
