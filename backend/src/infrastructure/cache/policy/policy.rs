//! The policy: how one resource is cached, declared once as a constant and wrapped around its routes.
//!
//! Come here to add a word to policies that read. A policy that writes is in `invalidation`, and keys are built in
//! `read_key` and `write_keys`, not here.
//!
//! ```
//! use response_cache::{CachePolicy, Invalidation};
//!
//! /// One widget, the same for every caller.
//! const WIDGET: CachePolicy = CachePolicy::new("widget").resource_id_name("widget_id").expiration(600).shared();
//! /// The write of a widget, which changes the number of widgets too. An invalidation is a type of its own, so a GET with one does not compile.
//! const WIDGET_WRITE: Invalidation = WIDGET.to_invalidate_extra(&[("widget_count", "global")]);
//! ```
//!
//! The names are those of the documented `@cache` decorator (clauses C1–C19 in `docs/contract.md`). Every method is a
//! `const fn`, so a malformed template in a constant does not compile:
//!
//! ```compile_fail
//! use response_cache::CachePolicy;
//!
//! const BROKEN: CachePolicy = CachePolicy::new("widget_{owner");
//! ```

use std::panic::Location;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::keys::{QueryType, ResourceIdType, check_template};

/// The source of the resource id.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ResourceId {
    Inferred,
    Argument(&'static str),
    Literal(&'static str),
}

/// The callers that may share an answer (C13).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Audience {
    /// Not declared: requests with credentials are not cached.
    Unspecified,
    /// The same answer for every caller.
    Shared,
    /// The caller is part of the key.
    PerCaller,
}

/// How one resource is cached. On a route that writes, it invalidates the resource. An [`Invalidation`]
/// adds further keys.
///
/// Defaults: inferred integer id, `DEFAULT_CACHE_EXPIRATION`, the default backend, no query, and
/// requests with credentials are not cached.
#[derive(Clone, Copy, Debug)]
pub struct CachePolicy {
    pub(crate) key_prefix: &'static str,
    pub(crate) resource_id: ResourceId,
    pub(crate) resource_id_types: &'static [ResourceIdType],
    pub(crate) expiration: Option<u64>,
    pub(crate) audience: Audience,
    pub(crate) query: Option<QueryType>,
    pub(crate) backend_name: Option<&'static str>,
    pub(crate) group: Option<&'static str>,
    pub(crate) binds: &'static [&'static str],
    pub(crate) declared_at: &'static Location<'static>,
    pub(crate) freshness: Freshness,
    pub(crate) near: bool,
    pub(crate) client_max_age: Option<u32>,
}

/// The use of an entry that is no longer fresh, and its refresh.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Freshness {
    pub(crate) stale_while_revalidate: u64,
    pub(crate) stale_if_error: u64,
    pub(crate) early_refresh: bool,
    pub(crate) negative: u64,
}

impl CachePolicy {
    /// A policy whose keys are `{key_prefix}:{resource_id}` (C1). `{name}` in the prefix is replaced by
    /// the argument of that name (C2): a value that was bound on the request
    /// ([`CacheArguments::bind`](crate::CacheArguments::bind)), else a path
    /// parameter, else a field of the declared [`query`](Self::query).
    ///
    /// `{caller}` is the id of the caller, as authentication bound it
    /// ([`bind_caller`](crate::bind_caller)). It is the user's id and not the
    /// username, and neither a path nor a query can name it. A key with `{caller}` belongs to that
    /// caller alone, as with [`per_caller`](Self::per_caller). On a write, `{caller}` is the writing
    /// caller. Where a write makes another user's entries stale, as when a superuser changes a user, the
    /// handler binds that user's id under another name, and the write names the same key with it:
    /// `me_{user_id}` for `me_{caller}`.
    ///
    /// `{query_hash}` is a hash of all fields of the declared query.
    ///
    /// A read that misses an argument of its key is not cached; the log says so once for the route (C6).
    /// A write that misses one invalidates the smallest known set that contains the key, at most the
    /// namespace, and logs an error (C48).
    ///
    /// # Panics
    /// Where the template is malformed or ambiguous (C3): in a constant, the program does not compile.
    #[must_use]
    #[track_caller]
    pub const fn new(key_prefix: &'static str) -> Self {
        check_template(key_prefix);
        Self {
            key_prefix,
            resource_id: ResourceId::Inferred,
            resource_id_types: &[ResourceIdType::Integer],
            expiration: None,
            audience: Audience::Unspecified,
            query: None,
            backend_name: None,
            group: None,
            binds: &[],
            declared_at: Location::caller(),
            near: true,
            client_max_age: None,
            freshness: Freshness {
                stale_while_revalidate: 0,
                stale_if_error: 0,
                early_refresh: false,
                negative: 0,
            },
        }
    }

    /// The prefix of the policy's keys, which is the policy's name in the log.
    pub(crate) const fn key_prefix(&self) -> &'static str {
        self.key_prefix
    }

    /// The argument that holds the resource id.
    #[must_use]
    pub const fn resource_id_name(mut self, argument: &'static str) -> Self {
        self.resource_id = ResourceId::Argument(argument);
        self
    }

    /// A fixed resource id, as in `widget_count:global`.
    #[must_use]
    pub const fn resource_id(mut self, literal: &'static str) -> Self {
        self.resource_id = ResourceId::Literal(literal);
        self
    }

    /// The type of an inferred resource id; an integer by default (C7). The type applies to inference
    /// only: an id that is named with [`resource_id_name`](Self::resource_id_name) is taken as it is.
    #[must_use]
    pub const fn resource_id_type(self, resource_id_type: ResourceIdType) -> Self {
        self.resource_id_types(match resource_id_type {
            ResourceIdType::Integer => &[ResourceIdType::Integer],
            ResourceIdType::String => &[ResourceIdType::String],
            ResourceIdType::Uuid => &[ResourceIdType::Uuid],
        })
    }

    /// The types of an inferred resource id where there are several, such as `&[ResourceIdType::Integer,
    /// ResourceIdType::Uuid]`.
    ///
    /// # Panics
    /// For an empty list, since no id could be inferred.
    #[must_use]
    pub const fn resource_id_types(mut self, types: &'static [ResourceIdType]) -> Self {
        assert!(
            !types.is_empty(),
            "resource_id_types without a type: name the id with resource_id_name, or name a type"
        );
        self.resource_id_types = types;
        self
    }

    /// The number of seconds for which an entry is used. Without it, `DEFAULT_CACHE_EXPIRATION`.
    ///
    /// # Panics
    /// For 0, which would mean "for ever" on one server and an error on another (C12).
    #[must_use]
    pub const fn expiration(mut self, seconds: u64) -> Self {
        assert!(
            seconds > 0,
            "a cache expiration of 0 seconds is refused: leave the policy out, or name a time"
        );
        self.expiration = Some(seconds);
        self
    }

    /// The answer is the same for every caller: requests with credentials are cached too.
    #[must_use]
    pub const fn shared(mut self) -> Self {
        self.audience = Audience::Shared;
        self
    }

    /// Every caller has an entry of its own. The key gets the caller at its end, as in
    /// `note:7:caller=2`, or where a template places `{caller}`, as in `me_2:profile`. An authenticating
    /// middleware outside the policy binds the caller with
    /// [`bind_caller`](crate::bind_caller), which gives the version of the rights
    /// that the entries belong to: a caller with fewer rights than before gets no earlier entry.
    ///
    /// All entries of one resource, here the note 7, are ended by a write with the same policy, by any
    /// caller. A prefix with `{caller}` and a literal id, as in `me_{caller}` and `profile`, is a
    /// resource of that caller alone: a write by another caller names it with
    /// [`to_invalidate_extra`](Self::to_invalidate_extra).
    #[must_use]
    pub const fn per_caller(mut self) -> Self {
        self.audience = Audience::PerCaller;
        self
    }

    /// The type of the route's query (C14): its fields, serialised in order, become arguments. A field that no
    /// template places is appended to the key, as in `paged:7:page=2`. A field that is `None` is left out; one that is
    /// not serialised is appended as the client sent it. A template that places an optional field by name has no value for it
    /// while the client leaves it out, so such a request is not cached (C6): give the field a default, or leave it out of the
    /// template and have it appended.
    ///
    /// All entries of one resource, whatever their query, are ended by a write with the same policy (C44). The write
    /// needs no query: the resource is that of the key without the fields of the query, here `paged:7`.
    #[must_use]
    pub const fn query<Q: Serialize + DeserializeOwned + 'static>(mut self) -> Self {
        self.query = Some(QueryType::of::<Q>());
        self
    }

    /// One of several registered backends; an unknown name behaves as an unavailable backend (C22).
    #[must_use]
    pub const fn backend_name(mut self, name: &'static str) -> Self {
        self.backend_name = Some(name);
        self
    }

    /// The group that the entries belong to (C36), such as `user_{username}_widgets` for the pages
    /// of a list. [`to_invalidate_groups`](Self::to_invalidate_groups) ends all of them at once.
    #[must_use]
    pub const fn group(mut self, template: &'static str) -> Self {
        check_template(template);
        self.group = Some(template);
        self
    }

    /// The arguments of the key that are bound by a middleware outside the policy, such as a tenant;
    /// and, where the policy itself is on a write (`ends(PROFILE.binds(&["username"]))`), the arguments
    /// that the handler binds (C47). Authentication binds `caller`, which is not listed.
    ///
    /// # Panics
    /// Where the list was given before: in a constant, the program does not compile.
    #[must_use]
    pub const fn binds(mut self, arguments: &'static [&'static str]) -> Self {
        assert!(
            self.binds.is_empty(),
            "binds was given before: one list holds all names"
        );
        self.binds = arguments;
        self
    }

    /// For this many seconds after expiry the old answer is given at once and refreshed in the
    /// background (RFC 5861, C38).
    #[must_use]
    pub const fn stale_while_revalidate(mut self, seconds: u64) -> Self {
        self.freshness.stale_while_revalidate = seconds;
        self
    }

    /// For this many seconds after expiry the old answer is given in place of a failure: the handler
    /// answers 5xx, or runs past its deadline (RFC 5861, C38). The deadline is `CACHE_COLLAPSE_WAIT_MS`
    /// after the handler began, or 1 s where that is 0. The handler goes on, and its answer is stored;
    /// meanwhile other requests wait for the rest of the deadline at most. An invalidated answer is
    /// never given, and neither is an expired 404 that was stored by [`negative`](Self::negative).
    #[must_use]
    pub const fn stale_if_error(mut self, seconds: u64) -> Self {
        self.freshness.stale_if_error = seconds;
        self
    }

    /// A hot entry is refreshed before it expires, at a time drawn for each reader (`XFetch`, C39).
    #[must_use]
    pub const fn early_refresh(mut self) -> Self {
        self.freshness.early_refresh = true;
        self
    }

    /// For this many seconds browsers and proxies may use the answer again without asking (C52). They do
    /// not learn of writes: in that time they may show stale answers. Without it answers carry
    /// `Cache-Control: no-cache`, so that clients ask each time and mostly get a 304. A `Cache-Control`
    /// that the handler sets is kept.
    ///
    /// # Panics
    /// For 0, which is the default: leave it out.
    #[must_use]
    pub const fn client_max_age(mut self, seconds: u32) -> Self {
        assert!(
            seconds > 0,
            "a client_max_age of 0 seconds is refused: leave it out, and clients ask each time"
        );
        self.client_max_age = Some(seconds);
        self
    }

    /// Hits always ask the server, even where `CACHE_NEAR` keeps answers in the process.
    #[must_use]
    pub const fn never_near(mut self) -> Self {
        self.near = false;
        self
    }

    /// Answers with status 404 are stored for this many seconds (C41).
    #[must_use]
    pub const fn negative(mut self, seconds: u64) -> Self {
        self.freshness.negative = seconds;
        self
    }
}
