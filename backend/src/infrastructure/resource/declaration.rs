//! The words of a declaration, and the actix resource that it becomes.
//!
//! Come here to change the order of wrapping, HEAD or `Allow`, or to add a word. Mistakes that need the other resources
//! are found by the map (`cache::map`), not here. Nothing here may panic.

use std::any::{TypeId, type_name};
use std::marker::PhantomData;

use actix_web::http::Method;
use actix_web::http::header::{self, HeaderValue};
use actix_web::{FromRequest, Handler, HttpResponse, Responder, Route, web};

use super::handler_input::{self, HandlerInput, InputDescription};
use super::handler_output::{self, HandlerOutput, OutputDescription};
use super::operation::Operation;
use crate::auth::RequireCaller;
use crate::cache::{
    CachePolicy, Changes, DeclaredRoute, Invalidation, RequiredCaller, RoutePolicy,
};
use crate::http;
use crate::metrics::RouteMetrics;

/// No route has been declared yet.
#[derive(Debug)]
pub struct NoRoute;
/// The last declared route reads.
#[derive(Debug)]
pub struct Reading;
/// The last declared route writes.
#[derive(Debug)]
pub struct Writing;

/// A declared route. The next word may describe it.
pub trait OnRoute {}
impl OnRoute for Reading {}
impl OnRoute for Writing {}

/// A path with the routes of its methods. `Last` is the kind of the last declared route: words such as
/// [`signed_in`](Self::signed_in) belong to it.
#[derive(Debug)]
#[must_use = "a resource answers where it is added: `api.add(resource(…))`"]
pub struct Resource<Last = NoRoute> {
    path: &'static str,
    routes: Vec<MethodRoute>,
    mistakes: Vec<String>,
    last: PhantomData<Last>,
}

/// One method of a resource.
#[derive(Debug)]
struct MethodRoute {
    method: Method,
    route: RouteWithHandler,
    caller: RequiredCaller,
    policy: RoutePolicy,
    handler: TypeId,
    handler_name: &'static str,
    input: InputDescription,
    output: OutputDescription,
    refusals: &'static [u16],
}

/// An actix route; it has no `Debug`.
struct RouteWithHandler(Route);

impl std::fmt::Debug for RouteWithHandler {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Route")
    }
}

/// Begins the declaration of the resource at a path below the prefix of its [`Resources`](super::Resources), with
/// `{name}` for each parameter.
pub const fn resource(path: &'static str) -> Resource {
    Resource {
        path,
        routes: Vec::new(),
        mistakes: Vec::new(),
        last: PhantomData,
    }
}

impl<Last> Resource<Last> {
    /// The handler of GET. HEAD is answered too.
    pub fn get<F, Input>(self, handler: F) -> Resource<Reading>
    where
        F: Handler<Input>,
        Input: FromRequest + HandlerInput + 'static,
        F::Output: Responder + HandlerOutput + 'static,
    {
        self.route(Method::GET, handler)
    }

    /// The handler of POST.
    pub fn post<F, Input>(self, handler: F) -> Resource<Writing>
    where
        F: Handler<Input>,
        Input: FromRequest + HandlerInput + 'static,
        F::Output: Responder + HandlerOutput + 'static,
    {
        self.route(Method::POST, handler)
    }

    /// The handler of PUT.
    pub fn put<F, Input>(self, handler: F) -> Resource<Writing>
    where
        F: Handler<Input>,
        Input: FromRequest + HandlerInput + 'static,
        F::Output: Responder + HandlerOutput + 'static,
    {
        self.route(Method::PUT, handler)
    }

    /// The handler of PATCH.
    pub fn patch<F, Input>(self, handler: F) -> Resource<Writing>
    where
        F: Handler<Input>,
        Input: FromRequest + HandlerInput + 'static,
        F::Output: Responder + HandlerOutput + 'static,
    {
        self.route(Method::PATCH, handler)
    }

    /// The handler of DELETE.
    pub fn delete<F, Input>(self, handler: F) -> Resource<Writing>
    where
        F: Handler<Input>,
        Input: FromRequest + HandlerInput + 'static,
        F::Output: Responder + HandlerOutput + 'static,
    {
        self.route(Method::DELETE, handler)
    }

    fn route<F, Input, Next>(mut self, method: Method, handler: F) -> Resource<Next>
    where
        F: Handler<Input>,
        Input: FromRequest + HandlerInput + 'static,
        F::Output: Responder + HandlerOutput + 'static,
    {
        if self.routes.iter().any(|known| known.method == method) {
            self.mistakes.push(format!("{method} is declared twice"));
        }
        let guarded = if method == Method::GET {
            http::get()
        } else {
            web::method(method.clone())
        };
        self.routes.push(MethodRoute {
            method,
            route: RouteWithHandler(guarded.to(handler)),
            caller: RequiredCaller::Anyone,
            policy: RoutePolicy::None,
            handler: TypeId::of::<F>(),
            handler_name: type_name::<F>(),
            input: handler_input::describe::<Input>(),
            output: handler_output::describe::<F::Output>(),
            refusals: &[],
        });
        Resource {
            path: self.path,
            routes: self.routes,
            mistakes: self.mistakes,
            last: PhantomData,
        }
    }

    /// The path below the prefix.
    pub(super) const fn path(&self) -> &'static str {
        self.path
    }

    /// The mistakes of the declaration by itself, a sentence each.
    pub(super) fn take_mistakes(&mut self) -> Vec<String> {
        if self.routes.is_empty() {
            self.mistakes.push("no method is declared".to_owned());
        }
        std::mem::take(&mut self.mistakes)
    }

    /// The rows of the map with what the description of the API adds, one for each method.
    pub(super) fn operations(&self, prefix: &str) -> Vec<Operation> {
        let operation = |route: &MethodRoute| Operation {
            route: DeclaredRoute {
                method: route.method.to_string(),
                path: format!("{prefix}{}", self.path),
                caller: route.caller,
                policy: route.policy,
                handler: route.handler,
                handler_authenticates: route.input.authenticates,
                handler_query: route.input.query,
            },
            handler_name: route.handler_name,
            input: route.input.clone(),
            output: route.output.clone(),
            refusals: route.refusals,
        };
        self.routes.iter().map(operation).collect()
    }

    /// The actix resource. It carries the metrics of its route.
    pub(super) fn build(self, prefix: &str) -> actix_web::Resource {
        let allowed = allowed_methods(&self.routes);
        let metrics = RouteMetrics::of(format!("{prefix}{}", self.path));
        let mut resource = web::resource(self.path).app_data(metrics);
        for route in self.routes {
            resource = resource.route(route.wrapped());
        }
        resource.default_service(web::route().to(move || {
            let allowed = allowed.clone();
            async move {
                HttpResponse::MethodNotAllowed()
                    .insert_header((header::ALLOW, allowed))
                    .finish()
            }
        }))
    }
}

impl<Last: OnRoute> Resource<Last> {
    /// Only signed-in callers. Others get 401, before the cache is asked and before the body is read.
    pub fn signed_in(self) -> Self {
        self.requires(RequiredCaller::SignedIn)
    }

    /// Only superusers. Without a valid token 401, other callers get 403, before the cache is asked and
    /// before the body is read.
    pub fn superuser(self) -> Self {
        self.requires(RequiredCaller::Superuser)
    }

    /// The statuses with which the handler itself refuses, such as `&[403, 409]`: for the description of the API.
    /// Those that follow from the parameters of the handler and from the other words are not listed. The test client fails a
    /// test that gets a status which is described by neither.
    pub fn refuses(mut self, statuses: &'static [u16]) -> Self {
        if let Some(last) = self.routes.last_mut() {
            if let Some(wrong) = statuses.iter().find(|status| !(400..500).contains(*status)) {
                self.mistakes.push(format!(
                    "{}: {wrong} is no refusal; 500 and 503 are described everywhere",
                    last.method
                ));
            }
            last.refusals = statuses;
        }
        self
    }

    fn requires(mut self, caller: RequiredCaller) -> Self {
        if let Some(last) = self.routes.last_mut() {
            if last.caller != RequiredCaller::Anyone {
                self.mistakes.push(format!(
                    "{}: say `signed_in()` or `superuser()`, once",
                    last.method
                ));
            }
            last.caller = caller;
        }
        self
    }

    fn with_policy(mut self, policy: &RoutePolicy) -> Self {
        if let Some(last) = self.routes.last_mut() {
            if !matches!(last.policy, RoutePolicy::None) {
                self.mistakes
                    .push(format!("{} has two cache policies", last.method));
            }
            last.policy = *policy;
        }
        self
    }
}

impl Resource<Reading> {
    /// The GET is read through the cache by this policy (C8–C14).
    pub fn cached(self, policy: CachePolicy) -> Self {
        self.with_policy(&RoutePolicy::Reads(policy))
    }
}

impl Resource<Writing> {
    /// The invalidation by the success of the write (C15–C17): an [`Invalidation`], or the
    /// [`CachePolicy`] of the resource itself where no other entry becomes stale.
    pub fn ends(self, invalidation: impl Into<Invalidation>) -> Self {
        self.with_policy(&RoutePolicy::Ends(invalidation.into()))
    }

    /// The changes that triggers record of this write. Its answer waits for their delivery by the database feed (C54), and its
    /// handler binds nothing.
    #[track_caller]
    pub fn changes(self, changes: &'static [Changes]) -> Self {
        self.ends(Invalidation::recorded(changes))
    }
}

impl MethodRoute {
    /// The route with its layers in the only correct order: authentication around the policy around the
    /// handler.
    fn wrapped(self) -> Route {
        let RouteWithHandler(mut route) = self.route;
        route = match self.policy {
            RoutePolicy::None => route,
            RoutePolicy::Reads(policy) => route.wrap(policy),
            RoutePolicy::Ends(invalidation) => route.wrap(invalidation),
        };
        match self.caller {
            RequiredCaller::Anyone => route,
            RequiredCaller::SignedIn => route.wrap(RequireCaller::signed_in()),
            RequiredCaller::Superuser => route.wrap(RequireCaller::superuser()),
        }
    }
}

/// The value of `Allow` (RFC 9110, section 10.2.1).
fn allowed_methods(routes: &[MethodRoute]) -> HeaderValue {
    let names: Vec<&str> = routes
        .iter()
        .map(|route| match &route.method {
            method if *method == Method::GET => "GET, HEAD",
            method => method.as_str(),
        })
        .collect();
    // Names of methods are tokens, so this cannot fail.
    HeaderValue::from_str(&names.join(", ")).unwrap_or(HeaderValue::from_static(""))
}
