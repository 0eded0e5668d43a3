//! The check of all declared routes, policies and changes, before the server listens (C47).
//!
//! Come here to change when the start is refused. The sentences themselves are in `cache::map` and
//! `database_feed::triggers`.

use super::StartError;
use crate::infrastructure::cache::{CacheMap, Changes};
use crate::infrastructure::database::Database;
use crate::infrastructure::database_feed;

/// Refuses to start where declared routes and policies do not fit together. `registered` are the names of the cache's backends, or
/// `None` where the cache is off.
pub(super) fn check(map: &CacheMap, registered: Option<&[&str]>) -> Result<(), StartError> {
    let mistakes = map.mistakes(registered);
    if mistakes.is_empty() {
        Ok(())
    } else {
        Err(StartError::Declarations(mistakes))
    }
}

/// Refuses to start where a write leaves its invalidations to the feed, and the feed is off.
pub(super) fn check_without_feed(map: &CacheMap) -> Result<(), StartError> {
    let mistakes = map.mistakes_without_feed();
    if mistakes.is_empty() {
        Ok(())
    } else {
        Err(StartError::Declarations(mistakes))
    }
}

/// Refuses to start where a trigger does not record an argument that a module declares. Returns whether every declared
/// change is recorded: one that is not is an error in the log. The start is not refused for it, since a trigger that is
/// disabled for an hour must not keep instances from restarting.
pub(super) async fn check_triggers(
    database: &Database,
    declared: &[Changes],
) -> Result<bool, StartError> {
    match database_feed::check_triggers(database, declared).await {
        Ok(faults) => {
            for fault in &faults.unrecorded {
                tracing::error!("{fault}");
            }
            if faults.mistakes.is_empty() {
                Ok(faults.unrecorded.is_empty())
            } else {
                Err(StartError::Declarations(faults.mistakes))
            }
        }
        Err(error) => {
            tracing::warn!("the triggers of the feed could not be checked: {error}");
            Ok(true)
        }
    }
}

#[cfg(test)]
mod tests {
    use actix_web::HttpResponse;

    use super::*;
    use crate::infrastructure::cache::CachePolicy;
    use crate::infrastructure::resource::{Resources, resource};

    #[test]
    fn c47_the_start_is_refused_with_all_mistakes_a_line_each() {
        let mut api = Resources::under("/api");
        api.add(
            resource("/items")
                .get(HttpResponse::Ok)
                .cached(
                    CachePolicy::new("items")
                        .resource_id("all")
                        .backend_name("hot"),
                )
                .delete(HttpResponse::NoContent)
                .ends(CachePolicy::new("itms").resource_id("all")),
        );
        let error = check(&api.map(), Some(&["default"]))
            .unwrap_err()
            .to_string();
        let lines: Vec<&str> = error.lines().collect();
        assert_eq!(lines.len(), 2, "{error}");
        assert!(lines[0].contains("GET /api/items") && lines[0].contains("`hot`"));
        assert!(lines[1].contains("DELETE /api/items") && lines[1].contains("`itms:all`"));
    }

    #[test]
    fn c47_the_template_starts() {
        check(&crate::interfaces::map(), Some(&["default"])).unwrap();
    }
}
