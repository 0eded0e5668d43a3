//! What the security log has of a change of a user.
//!
//! Come here to record another kind of change. Whether a change is allowed is decided in `service`.

use super::models::Account;
use super::schemas::UserRead;
use crate::infrastructure::auth::Caller;
use crate::infrastructure::http::ApiResult;
use crate::infrastructure::security_log::{Room, SecurityContext, SecurityEvent};

/// The most lines of one change: name, address, password, sessions and role.
const MOST_LINES: u32 = 5;

/// The record of one change.
pub struct ChangeRecord<'a> {
    room: Room<'a>,
    account: &'a Account,
    /// The superuser who changes another user.
    by: Option<&'a str>,
}

impl<'a> ChangeRecord<'a> {
    /// Reserves room in the log, before the change.
    pub async fn begin(
        security: &'a SecurityContext,
        caller: &'a Caller,
        account: &'a Account,
    ) -> ApiResult<Self> {
        Ok(Self {
            room: security.reserve(MOST_LINES).await?,
            account,
            by: (caller.id != account.id).then_some(caller.username.as_str()),
        })
    }

    /// Records one event.
    pub fn event(&mut self, event: SecurityEvent) {
        self.room.record(event, self.account.subject(), self.by);
    }

    /// Records what was changed. `revoked` is the number of revoked sessions where the password is new.
    pub fn changed(&mut self, before: &UserRead, after: &UserRead, revoked: Option<u64>) {
        if self.by.is_some() && before.name != after.name {
            self.event(SecurityEvent::NameChanged);
        }
        if before.email != after.email {
            self.event(SecurityEvent::EmailChanged);
        }
        if let Some(revoked) = revoked {
            self.event(SecurityEvent::PasswordChanged);
            if revoked > 0 {
                self.event(SecurityEvent::SessionsRevoked(revoked));
            }
        }
        if before.is_superuser != after.is_superuser {
            let is_superuser = after.is_superuser;
            self.event(SecurityEvent::RoleChanged { is_superuser });
        }
    }
}
