//! Where an act comes from, and the room for its lines.
//!
//! Come here for what a handler does to record an event.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest, web};
use tokio::sync::OwnedSemaphorePermit;

use super::event::{SecurityEvent, Subject};
use super::queue::SecurityLog;
use crate::auth::Caller;
use crate::client_address::ClientAddress;
use crate::http::{ApiError, request_id};

/// Where an act comes from: the address and the id of the request. An extractor.
///
/// ```ignore
/// // Before the act: an act that cannot be recorded is not done.
/// let mut room = context.reserve(1).await?;
/// crud::delete(&database, account.id).await?;
/// room.record(SecurityEvent::AccountDeleted, subject, Some(&caller.username));
/// ```
#[derive(Clone, Debug)]
pub struct SecurityContext {
    log: SecurityLog,
    address: Option<ClientAddress>,
    request_id: Option<String>,
}

/// Room for the lines of an act. What is left of it is given back.
#[derive(Debug)]
#[must_use = "an act is recorded: `room.record(…)`"]
pub struct Room<'a> {
    context: &'a SecurityContext,
    room: OwnedSemaphorePermit,
}

/// An act on data that belong to a user. It is an event if another user does it.
#[derive(Debug)]
#[must_use = "an act is recorded: `act.done(…)`"]
pub struct Act<'a> {
    /// `None` for an act on one's own data.
    room: Option<Room<'a>>,
    owner: Subject<'a>,
    by: &'a str,
}

impl SecurityContext {
    /// The context of work that no request asked for.
    #[must_use]
    pub fn of_background(log: SecurityLog) -> Self {
        Self {
            log,
            address: None,
            request_id: None,
        }
    }

    /// Reserves room for the lines of an act, before it is done. It is held over the act, so reserve no more than it may
    /// write.
    ///
    /// # Errors
    /// 503 where there is no room for two seconds.
    pub async fn reserve(&self, lines: u32) -> Result<Room<'_>, ApiError> {
        Ok(Room {
            context: self,
            room: self.log.reserve(lines).await?,
        })
    }

    /// Begins an act of the caller on data of a user, before it is done.
    ///
    /// # Errors
    /// 503 where there is no room for two seconds.
    pub async fn act_on<'a>(
        &'a self,
        (id, username): (i64, &'a str),
        caller: &'a Caller,
    ) -> Result<Act<'a>, ApiError> {
        Ok(Act {
            room: match caller.id {
                own if own == id => None,
                _ => Some(self.reserve(1).await?),
            },
            owner: Subject::Account { id, username },
            by: &caller.username,
        })
    }

    pub(super) const fn log(&self) -> &SecurityLog {
        &self.log
    }

    pub(super) const fn address(&self) -> Option<ClientAddress> {
        self.address
    }

    pub(super) fn request_id(&self) -> Option<&str> {
        self.request_id.as_deref()
    }
}

impl Room<'_> {
    /// Records an event after it has happened. `by` is the username of the user who acted, if that is not the subject.
    pub fn record(&mut self, event: SecurityEvent, subject: Subject<'_>, by: Option<&str>) {
        if event.write(self.context, subject, by) {
            // The thread that writes the line gives it back.
            if let Some(taken) = self.room.split(1) {
                taken.forget();
            }
        }
    }
}

impl Act<'_> {
    /// Records the act after it is done.
    pub fn done(mut self, event: SecurityEvent) {
        if let Some(room) = &mut self.room {
            room.record(event, self.owner, Some(self.by));
        }
    }
}

impl FromRequest for SecurityContext {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let log = request.app_data::<web::Data<SecurityLog>>();
        let log = log.ok_or_else(|| ApiError::internal(&"no security log"));
        ready(log.map(|log| Self {
            log: log.get_ref().clone(),
            address: Some(ClientAddress::of(request)),
            request_id: request_id(request).map(str::to_owned),
        }))
    }
}
