//! `/metrics`: the metrics of this process, for Prometheus.
//!
//! Come here to add a part whose state is looked at when it is asked for. Events are recorded where they happen; the text is
//! made in `infrastructure::metrics`.

use actix_web::body::BoxBody;
use actix_web::http::header::CACHE_CONTROL;
use actix_web::{HttpRequest, HttpResponse, Responder, web};

use crate::infrastructure::auth::Passwords;
use crate::infrastructure::cache::Cache;
use crate::infrastructure::database::Database;
use crate::infrastructure::database_feed::FeedAge;
use crate::infrastructure::http::ApiError;
use crate::infrastructure::metrics::Metrics;
use crate::infrastructure::resource::{
    AnswerDescription, HandlerOutput, OutputDescription, Resources, resource,
};

/// The text format of Prometheus.
const MEDIA_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Declares `/metrics`.
pub(super) fn configure(management: &mut Resources) {
    management.add(resource("/metrics").get(metrics).refuses(&[404]));
}

/// The answer of `/metrics`.
struct Text(String);

impl Responder for Text {
    type Body = BoxBody;

    fn respond_to(self, _: &HttpRequest) -> HttpResponse {
        HttpResponse::Ok()
            .insert_header((CACHE_CONTROL, "no-store"))
            .content_type(MEDIA_TYPE)
            .body(self.0)
    }
}

impl HandlerOutput for Text {
    fn describe(output: &mut OutputDescription) {
        output
            .answers
            .push(AnswerDescription::with_body::<String>(200, "text/plain"));
    }
}

/// With `METRICS_ENABLED=false` there are none: 404.
async fn metrics(
    metrics: Option<web::Data<Metrics>>,
    cache: web::Data<Cache>,
    database: Database,
    passwords: web::Data<Passwords>,
    feed_age: web::Data<FeedAge>,
) -> Result<Text, ApiError> {
    let Some(metrics) = metrics else {
        return Err(ApiError::NotFound);
    };
    let text = web::block(move || {
        cache.record_gauges();
        database.record_gauges();
        passwords.record_gauges();
        feed_age.record_gauge();
        metrics.render()
    });
    let text = text.await.map_err(|error| ApiError::internal(&error))?;
    Ok(Text(text))
}
