//! The arguments of a route, or of changes from outside, and their sources.
//!
//! Come here when the map says that an argument has no source. Values are collected in
//! `keys::arguments`, for each request.

use super::route::{DeclaredRoute, RequiredCaller, RoutePolicy};
use crate::keys::{CALLER, QUERY_HASH, QueryType};
use crate::policy::Changes;

/// The names of the arguments of a route, or of changes.
#[derive(Debug)]
pub(super) struct Sources {
    names: Vec<String>,
    /// The number of names at the beginning from which an id is inferred (C7).
    inferred_from: usize,
    /// Whether they belong to changes, and not to a route.
    are_of_changes: bool,
    /// The declared query does not list its fields, so any name may be one of them.
    is_open: bool,
}

impl Sources {
    /// The arguments of a route: path parameters, the caller, the fields of the declared query, and the
    /// names that the policy declares as bound.
    pub(super) fn of(route: &DeclaredRoute) -> Self {
        let names: Vec<String> = path_parameters(&route.path)
            .map(|(name, _)| name.to_owned())
            .collect();
        let mut sources = Self {
            inferred_from: names.len(),
            names,
            are_of_changes: false,
            is_open: false,
        };
        if route.caller != RequiredCaller::Anyone {
            sources.names.push(CALLER.to_owned());
        }
        match &route.policy {
            RoutePolicy::None => {}
            RoutePolicy::Reads(policy) => {
                sources.add_query(policy.query.as_ref());
                sources.add(policy.binds);
            }
            RoutePolicy::Ends(invalidation) => {
                if let Some(policy) = &invalidation.own {
                    sources.add_query(policy.query.as_ref());
                }
                for part in invalidation.parts() {
                    sources.add(part.binds);
                    sources.add(part.own.map_or(&[], |policy| policy.binds));
                }
            }
        }
        sources
    }

    /// The arguments that changes carry. Nothing is bound, since there is no handler.
    pub(super) fn of_changes(changes: &Changes) -> Self {
        let mut sources = Self {
            names: Vec::new(),
            inferred_from: changes.arguments.len(),
            are_of_changes: true,
            is_open: false,
        };
        sources.add(changes.arguments);
        sources
    }

    fn add(&mut self, names: &[&'static str]) {
        self.names
            .extend(names.iter().map(|name| (*name).to_owned()));
    }

    fn add_query(&mut self, query: Option<&QueryType>) {
        let Some(query) = query else { return };
        self.names.push(QUERY_HASH.to_owned());
        match (query.names)() {
            Some(fields) => self.add(fields),
            None => self.is_open = true,
        }
    }

    /// Whether the route has the argument.
    pub(super) fn has(&self, name: &str) -> bool {
        self.is_open && name != CALLER || self.has_by_name(name)
    }

    /// Whether the route is known to have an argument of that name. Then the name is no literal.
    pub(super) fn has_by_name(&self, name: &str) -> bool {
        self.names.iter().any(|known| known == name)
    }

    /// The names from which a resource id is inferred: those of the path, or those that the changes carry.
    pub(super) fn inferred_from(&self) -> impl Iterator<Item = &str> {
        self.names().take(self.inferred_from)
    }

    /// Whether they belong to changes, and not to a route.
    pub(super) const fn are_of_changes(&self) -> bool {
        self.are_of_changes
    }

    /// The source of an inferred resource id, as a part of a sentence.
    pub(super) const fn origin(&self) -> &'static str {
        if self.are_of_changes {
            "the change"
        } else {
            "the path"
        }
    }

    /// The owner of the arguments, as a part of a sentence.
    pub(super) const fn owner(&self) -> &'static str {
        if self.are_of_changes {
            "a change of this kind"
        } else {
            "this route"
        }
    }

    /// The cure of a missing argument, as a sentence.
    pub(super) fn cure(&self, name: &str) -> String {
        if self.are_of_changes {
            format!(
                "What the trigger records is declared with with(&[\"{name}\"]); binds(…) has no handler here"
            )
        } else {
            format!("What the handler or a middleware binds is declared with binds(&[\"{name}\"])")
        }
    }

    /// All names.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }
}

/// The parameters of a path, and for each whether a pattern restricts it.
pub(super) fn path_parameters(path: &str) -> impl Iterator<Item = (&str, bool)> {
    path.split('{').skip(1).map(|rest| {
        let end = rest.find([':', '}']).unwrap_or(rest.len());
        (&rest[..end], rest[end..].starts_with(':'))
    })
}
