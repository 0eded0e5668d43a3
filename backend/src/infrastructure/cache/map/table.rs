//! The map as rows and as a table, for `backend routes`.
//!
//! Come here to change what the table shows. The checks are in `mistakes`.

use serde::Serialize;

use super::route::{DeclaredRoute, RequiredCaller, RoutePolicy};
use super::sources::Sources;
use super::stored::{KeyId, id_among, id_of, key_text};
use crate::policy::{Audience, CachePolicy, Changes, Invalidation};

/// One route of the map.
#[derive(Clone, Debug, Serialize)]
pub struct MapRow {
    /// `GET`, `POST` and so on; GET answers HEAD too.
    pub method: String,
    /// The whole path.
    pub path: String,
    /// `anyone`, `signed in` or `superuser`.
    pub caller: &'static str,
    /// The template of the key that a read stores or a write deletes.
    pub key: Option<String>,
    /// The number of seconds that an entry is used. Absent on writes, and where
    /// `DEFAULT_CACHE_EXPIRATION` applies.
    pub expiration: Option<u64>,
    /// Whether the answer is read through the cache.
    pub cached: bool,
    /// `shared`, `per caller` or `anonymous` (requests with credentials are not cached); absent where
    /// the answer is not cached.
    pub audience: Option<&'static str>,
    /// The template of the group that the entries belong to.
    pub group: Option<&'static str>,
    /// The registered backend; absent for the default one.
    pub backend: Option<&'static str>,
    /// The further invalidations of a write, besides the key.
    pub invalidates: MapInvalidations,
}

/// The invalidations of a write besides its own key.
#[derive(Clone, Debug, Default, Serialize)]
pub struct MapInvalidations {
    /// Templates of keys.
    pub keys: Vec<String>,
    /// Templates of groups.
    pub groups: Vec<&'static str>,
    /// Globs.
    pub patterns: Vec<&'static str>,
}

/// Changes of one kind, as triggers record them, with what the feed ends for them.
#[derive(Clone, Debug, Serialize)]
pub struct MapChange {
    /// The name that the trigger gives.
    pub kind: &'static str,
    /// What a change of this kind ends.
    pub invalidates: MapInvalidations,
}

/// The row of changes of one kind.
pub(super) fn change(changes: &Changes) -> MapChange {
    let mut invalidates = MapInvalidations::default();
    invalidates.add_recorded(changes);
    invalidates.keep_first();
    MapChange {
        kind: changes.kind,
        invalidates,
    }
}

/// The row of a route.
pub(super) fn row(route: &DeclaredRoute) -> MapRow {
    let mut row = MapRow {
        method: route.method.clone(),
        path: route.path.clone(),
        caller: match route.caller {
            RequiredCaller::Anyone => "anyone",
            RequiredCaller::SignedIn => "signed in",
            RequiredCaller::Superuser => "superuser",
        },
        key: None,
        expiration: None,
        cached: false,
        audience: None,
        group: None,
        backend: None,
        invalidates: MapInvalidations::default(),
    };
    match &route.policy {
        RoutePolicy::None => {}
        RoutePolicy::Reads(policy) => {
            row.cached = true;
            row.key = key(policy, route);
            row.expiration = policy.expiration;
            row.group = policy.group;
            row.backend = policy.backend_name;
            row.audience = Some(match policy.audience {
                Audience::Unspecified => "anonymous",
                Audience::Shared => "shared",
                Audience::PerCaller => "per caller",
            });
        }
        RoutePolicy::Ends(invalidation) => {
            row.key = invalidation.own.and_then(|own| key(&own, route));
            row.backend = invalidation.own.and_then(|own| own.backend_name);
            row.invalidates = invalidations(route, invalidation);
        }
    }
    row
}

fn key(policy: &CachePolicy, route: &DeclaredRoute) -> Option<String> {
    Some(key_text(policy.key_prefix, id_of(policy, Some(route))?))
}

fn invalidations(route: &DeclaredRoute, invalidation: &Invalidation) -> MapInvalidations {
    let mut all = MapInvalidations::default();
    // The key of the first part is the route's own.
    for (number, part) in invalidation.parts().into_iter().enumerate() {
        if let Some(own) = part.own.filter(|_| number > 0) {
            all.keys.extend(key(&own, route));
        }
        all.add(&part, &Sources::of(route));
    }
    for changes in invalidation.all_recorded() {
        all.add_recorded(changes);
    }
    // Recorded changes of several kinds end the same.
    all.keep_first();
    all
}

impl MapInvalidations {
    /// Adds what one part ends besides its own key.
    fn add(&mut self, part: &Invalidation, sources: &Sources) {
        for (prefix, id) in part.extra {
            let id = if sources.has_by_name(id) {
                KeyId::Argument(id)
            } else {
                KeyId::Literal(id)
            };
            self.keys.push(key_text(prefix, id));
        }
        self.groups.extend(part.groups);
        self.patterns.extend(part.patterns);
    }

    /// Adds what the feed ends for changes of a kind.
    fn add_recorded(&mut self, changes: &Changes) {
        let sources = Sources::of_changes(changes);
        for part in changes.ends.iter().flat_map(Invalidation::parts) {
            let id = part
                .own
                .and_then(|own| Some((own, id_among(&own, changes.arguments.iter().copied())?)));
            self.keys
                .extend(id.map(|(own, id)| key_text(own.key_prefix, id)));
            self.add(&part, &sources);
        }
    }

    fn keep_first(&mut self) {
        keep_first(&mut self.keys);
        keep_first(&mut self.groups);
        keep_first(&mut self.patterns);
    }
}

fn keep_first<T: Clone + Eq + std::hash::Hash>(names: &mut Vec<T>) {
    let mut seen = std::collections::HashSet::new();
    names.retain(|name| seen.insert(name.clone()));
}

/// The rows as a table, with a heading and columns of the needed width.
pub(super) fn render(rows: &[MapRow]) -> String {
    let heading = ["METHOD", "PATH", "CALLER", "KEY", "EXPIRES", "INVALIDATES"];
    let mut table = vec![heading.map(str::to_owned)];
    table.extend(rows.iter().map(cells));
    let widths: Vec<usize> = (0..heading.len())
        .map(|column| {
            let lengths = table.iter().map(|line| line[column].chars().count());
            lengths.max().unwrap_or_default()
        })
        .collect();
    let mut text = String::new();
    for line in table {
        let padded: Vec<String> = line
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:width$}"))
            .collect();
        text.push_str(padded.join("  ").trim_end());
        text.push('\n');
    }
    text
}

fn cells(row: &MapRow) -> [String; 6] {
    let expires = match (row.cached, row.expiration) {
        (false, _) => String::new(),
        (true, Some(seconds)) => format!("{seconds} s"),
        (true, None) => "default".to_owned(),
    };
    let MapInvalidations {
        keys,
        groups,
        patterns,
    } = &row.invalidates;
    let own_key = row.key.iter().filter(|_| !row.cached).cloned();
    let invalidated: Vec<String> = own_key
        .chain(keys.iter().cloned())
        .chain(groups.iter().map(|group| format!("group {group}")))
        .chain(patterns.iter().map(|pattern| format!("pattern {pattern}")))
        .collect();
    [
        row.method.clone(),
        row.path.clone(),
        row.caller.to_owned(),
        row.key.clone().filter(|_| row.cached).unwrap_or_default(),
        expires,
        invalidated.join(", "),
    ]
}
