//! Handlers of `/cache/…`.
//!
//! Come here to change what a request of the console does. Every route is for superusers; that is declared in `mod.rs`.

use actix_web::{HttpRequest, web};

use super::entries::{EntriesQuery, Entry, EntryContent, EntryPage, Event, EventsQuery};
use super::route_figures::{RouteFigures, route_figures};
use super::schemas::{Backend, Map, PurgeRequest, PurgeResult, Stats};
use crate::auth::Caller;
use crate::cache::{Cache, CacheError, CacheHealth, CacheMap, Cause, Purge, Purged};
use crate::http::{
    ApiError, ApiJson, ApiNoContent, FieldError, Json, Page, PageQuery, PathText, Query,
    no_content, ok,
};
use crate::metrics::Metrics;

/// `GET /cache/stats`: the numbers of this instance since its start.
pub async fn stats(cache: web::Data<Cache>, metrics: Option<web::Data<Metrics>>) -> ApiJson<Stats> {
    let routes = match metrics {
        None => None,
        Some(metrics) => Some(figures(metrics).await?),
    };
    ok(Stats {
        health: match cache.health() {
            CacheHealth::Up => "up",
            CacheHealth::Down => "down",
            CacheHealth::Disabled => "disabled",
        },
        namespace: cache.namespace().to_owned(),
        instance: cache.instance().to_owned(),
        stale_entries_found: cache.stale_entries_found(),
        backends: cache
            .backend_states()
            .into_iter()
            .map(Backend::from)
            .collect(),
        routes,
    })
}

/// Takes milliseconds, so it is not for an asynchronous thread.
async fn figures(metrics: web::Data<Metrics>) -> Result<Vec<RouteFigures>, ApiError> {
    let figures = web::block(move || route_figures(&metrics.render()));
    figures.await.map_err(|error| ApiError::internal(&error))
}

/// `GET /cache/map`: the declared routes and changes.
pub async fn map(map: web::Data<CacheMap>) -> ApiJson<Map> {
    ok(Map {
        routes: map.rows().into_iter().map(Into::into).collect(),
        changes: map.change_rows().into_iter().map(Into::into).collect(),
    })
}

/// `GET /cache/entries`
pub async fn entries(
    cache: web::Data<Cache>,
    Query(query): Query<EntriesQuery>,
) -> ApiJson<EntryPage> {
    let cursor = query.cursor.unwrap_or_default();
    let part = cache.entries(&query.prefix, cursor, query.limit).await?;
    ok(EntryPage {
        data: part.entries.into_iter().map(Entry::from).collect(),
        next_cursor: (part.next > 0).then(|| part.next.to_string()),
        is_list_of_server: part.is_list_of_server,
    })
}

/// `GET /cache/entries/{key}`
pub async fn entry(cache: web::Data<Cache>, PathText(key): PathText) -> ApiJson<EntryContent> {
    let found = cache.inspect(&key).await.map_err(not_found_if_no_key)?;
    ok(found.ok_or(ApiError::NotFound)?.into())
}

/// `DELETE /cache/entries/{key}`: 204 as every other DELETE. `POST /cache/purge` lists what was ended.
pub async fn delete(
    cache: web::Data<Cache>,
    caller: Caller,
    request: HttpRequest,
    PathText(key): PathText,
) -> ApiNoContent {
    let purge = Purge {
        keys: vec![key],
        ..Purge::default()
    };
    let purged = cache.purge(&purge, Cause::operator(&request)).await;
    log_purge(&caller, &purged.map_err(not_found_if_no_key)?);
    no_content()
}

/// `GET /cache/events`
pub async fn events(
    cache: web::Data<Cache>,
    Query(query): Query<EventsQuery>,
) -> ApiJson<Page<Event>> {
    let history = cache.history(query.key.as_deref()).await;
    let page = PageQuery {
        page: query.page,
        items_per_page: query.items_per_page,
    };
    let (offset, limit) = (page.offset(), page.items_per_page);
    let total = i64::try_from(history.events.len()).unwrap_or(i64::MAX);
    let wanted = history.events.into_iter();
    let wanted = wanted
        .skip(usize::try_from(offset).unwrap_or(usize::MAX))
        .take(usize::try_from(limit).unwrap_or_default());
    ok(Page::new(wanted.map(Event::from).collect(), total, page))
}

/// `POST /cache/purge`
pub async fn purge(
    cache: web::Data<Cache>,
    map: web::Data<CacheMap>,
    caller: Caller,
    request: HttpRequest,
    Json(wanted): Json<PurgeRequest>,
) -> ApiJson<PurgeResult> {
    let purge = Purge::from(wanted);
    let lists = [&purge.keys, &purge.groups, &purge.policies, &purge.patterns];
    if lists.iter().all(|names| names.is_empty()) {
        return Err(unprocessable(
            "",
            "names nothing: give one of keys, groups, policies and patterns",
        ));
    }
    check_policies(&map, &purge.policies)?;
    let purged = cache.purge(&purge, Cause::operator(&request)).await;
    let purged = purged.map_err(|error| match error {
        CacheError::Key(reason) => unprocessable("keys", reason),
        error => error.into(),
    })?;
    log_purge(&caller, &purged);
    ok(purged.into())
}

/// A policy is named by the key of its map row. A misspelt one would end nothing in silence.
fn check_policies(map: &CacheMap, policies: &[String]) -> Result<(), ApiError> {
    let known: Vec<String> = map
        .rows()
        .into_iter()
        .filter(|row| row.cached)
        .filter_map(|row| row.key)
        .collect();
    match policies.iter().find(|policy| !known.contains(policy)) {
        None => Ok(()),
        Some(_) => Err(unprocessable(
            "policies",
            &format!(
                "one of them is no key of a cached route; they are: {}",
                known.join(", ")
            ),
        )),
    }
}

fn unprocessable(field: &str, message: &str) -> ApiError {
    ApiError::Unprocessable(vec![FieldError::new(field, message)])
}

/// A text in the path that no entry can have as its key.
fn not_found_if_no_key(error: CacheError) -> ApiError {
    match error {
        CacheError::Key(_) => ApiError::NotFound,
        error => error.into(),
    }
}

/// Whoever asks later why the cache was cold finds the line.
fn log_purge(caller: &Caller, purged: &Purged) {
    tracing::info!(
        user_id = caller.id,
        keys = purged.keys.len(),
        groups = purged.groups.len(),
        patterns = purged.patterns.len(),
        everything = purged.everything,
        pending = purged.pending.len(),
        "an operator purged the cache"
    );
}
