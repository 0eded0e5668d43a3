//! The events, and the line of each.
//!
//! Come here to add an event or a field of the line. The names of events are read by programs: they do not change.

use super::context::SecurityContext;
use super::queue::TARGET;

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecurityEvent {
    /// A token was issued for the right password.
    SignedIn,
    /// A sign-in with a wrong password or for a name that nobody has.
    SignInFailed,
    /// A sign-in that was refused after too many wrong ones.
    SignInLimited,
    /// A wrong `current_password`.
    CurrentPasswordFailed,
    /// A `current_password` that was refused after too many wrong ones.
    CurrentPasswordLimited,
    /// A new password.
    PasswordChanged,
    /// A new e-mail address.
    EmailChanged,
    /// A new role.
    RoleChanged {
        /// Whether the account has all rights from now on.
        is_superuser: bool,
    },
    /// A superuser changed the name that another user shows.
    NameChanged,
    /// Tokens were revoked.
    SessionsRevoked(u64),
    /// A superuser made an account.
    AccountCreated,
    /// An account was deleted, its tokens with it.
    AccountDeleted,
    /// A deleted account lost its e-mail address, name and password.
    AccountErased,
    /// A superuser changed data of another user.
    DataChanged,
    /// A superuser deleted data of another user.
    DataDeleted,
}

/// The account that an event is about.
#[derive(Clone, Copy, Debug)]
pub enum Subject<'a> {
    /// An account that exists, or existed.
    Account {
        /// The user's id.
        id: i64,
        /// The username.
        username: &'a str,
    },
    /// A name that no user has, as the client sent it.
    Unknown(&'a str),
}

impl SecurityEvent {
    /// The name in the field `event`, and the message.
    const fn texts(self) -> (&'static str, &'static str) {
        match self {
            Self::SignedIn => ("signed_in", "signed in"),
            Self::SignInFailed => ("sign_in_failed", "a sign-in failed"),
            Self::SignInLimited => ("sign_in_limited", "a sign-in was refused after too many"),
            Self::CurrentPasswordFailed => {
                ("current_password_failed", "a current password was wrong")
            }
            Self::CurrentPasswordLimited => (
                "current_password_limited",
                "a current password was refused after too many",
            ),
            Self::PasswordChanged => ("password_changed", "a password was changed"),
            Self::EmailChanged => ("email_changed", "an e-mail address was changed"),
            Self::RoleChanged { .. } => ("role_changed", "a role was changed"),
            Self::NameChanged => ("name_changed", "a name was changed"),
            Self::SessionsRevoked(_) => ("sessions_revoked", "sessions were revoked"),
            Self::AccountCreated => ("account_created", "an account was created"),
            Self::AccountDeleted => ("account_deleted", "an account was deleted"),
            Self::AccountErased => ("account_erased", "an account was erased"),
            Self::DataChanged => ("data_changed", "data of another user were changed"),
            Self::DataDeleted => ("data_deleted", "data of another user were deleted"),
        }
    }

    /// Writes the line. `by` is the username of the user who acted, if that is not the subject.
    ///
    /// Returns whether it was written: `LOG_LEVEL` may name the target and turn it off.
    pub(super) fn write(
        self,
        context: &SecurityContext,
        subject: Subject<'_>,
        by: Option<&str>,
    ) -> bool {
        if !tracing::enabled!(target: TARGET, tracing::Level::INFO) {
            return false;
        }
        let (event, message) = self.texts();
        let (account, account_id, unknown) = match subject {
            Subject::Account { id, username } => (username, Some(id), None),
            Subject::Unknown(name) => ("unknown", None, Some(context.log().hash(name))),
        };
        let is_superuser = match self {
            Self::RoleChanged { is_superuser } => Some(is_superuser),
            _ => None,
        };
        let sessions = match self {
            Self::SessionsRevoked(sessions) => Some(sessions),
            _ => None,
        };
        tracing::info!(
            target: TARGET,
            target = TARGET,
            event,
            account,
            account_id,
            account_hash = unknown,
            by,
            address = context.address().map(tracing::field::display),
            request_id = context.request_id(),
            is_superuser,
            sessions,
            "{message}"
        );
        true
    }
}
