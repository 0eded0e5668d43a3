//! The rules of signing in and out, and of sessions.
//!
//! Come here to change what a sign-in checks, and what the security log has of it. A sign-in takes as long for a name that
//! nobody has as for a wrong password: do nothing for one of them only.

use actix_web::rt;
use secrecy::SecretString;

use super::crud;
use super::schemas::Login;
use crate::infrastructure::auth::{
    Attempts, Caller, Claimed, IssuedToken, Origin, Passwords, issue, revoke, revoke_all,
};
use crate::infrastructure::database::Database;
use crate::infrastructure::http::{ApiError, ApiResult};
use crate::infrastructure::security_log::{SecurityContext, SecurityEvent, Subject};
use crate::modules::users::{find_account_to_sign_in, renew_password_hash};

/// How often a password is checked where its hash was replaced between the check and the token.
const CHECKS: usize = 2;

/// A sign-in, and what it needs.
pub struct SignIn<'a> {
    /// Where accounts and tokens are.
    pub database: &'a Database,
    /// Checks the password.
    pub passwords: &'a Passwords,
    /// Counts wrong ones.
    pub attempts: &'a Attempts,
    /// Where the request came from.
    pub origin: &'a Origin,
}

impl SignIn<'_> {
    /// Issues a token for a right password.
    ///
    /// # Errors
    /// 401 for a wrong name or password, 429 after too many, 503 where the security log has no room.
    pub async fn run(&self, security: &SecurityContext, login: Login) -> ApiResult<IssuedToken> {
        let mut room = security.reserve(1).await?;
        let name = login.username.to_lowercase();
        for _ in 0..CHECKS {
            // Text in PostgreSQL cannot contain NUL, so no user has such a name.
            let account = if name.contains('\0') {
                None
            } else {
                find_account_to_sign_in(self.database, &name).await?
            };
            let (claimed, subject, hash) = match &account {
                Some(account) => (
                    Claimed::Account(account.id),
                    account.subject(),
                    Some(account.password_hash.clone()),
                ),
                None => (Claimed::Unknown(&name), Subject::Unknown(&name), None),
            };
            let claim = (claimed, self.origin.address);
            let password = login.password.clone();
            let verified = self.passwords.verify(self.attempts, claim, password, hash);
            let is_right = verified.await.inspect_err(|error| {
                if matches!(error, ApiError::TooManyAttempts(_)) {
                    room.record(SecurityEvent::SignInLimited, subject, None);
                }
            })?;
            let (true, Some(account)) = (is_right, &account) else {
                room.record(SecurityEvent::SignInFailed, subject, None);
                return Err(ApiError::WrongCredentials);
            };
            let hash = &account.password_hash;
            if let Some(issued) = issue(self.database, account.id, hash, self.origin).await? {
                room.record(SecurityEvent::SignedIn, subject, None);
                self.renew_hash(account.id, hash.clone(), login.password);
                return Ok(issued);
            }
        }
        room.record(SecurityEvent::SignInFailed, Subject::Unknown(&name), None);
        Err(ApiError::WrongCredentials)
    }

    /// Hashes the password anew, in the background, if its hash was made with other parameters than today's.
    fn renew_hash(&self, user_id: i64, hash: String, password: SecretString) {
        if !Passwords::is_outdated(&hash) {
            return;
        }
        let (database, passwords) = (self.database.clone(), self.passwords.clone());
        rt::spawn(async move {
            let renewed = async {
                if let Some(renewed) = passwords.renew(password).await? {
                    renew_password_hash(&database, user_id, (&hash, &renewed)).await?;
                }
                ApiResult::Ok(())
            };
            if let Err(error) = renewed.await {
                // The next sign-in does it.
                tracing::debug!("a password was not hashed anew: {error}");
            }
        });
    }
}

/// Revokes the token of the request.
pub async fn sign_out(
    database: &Database,
    security: &SecurityContext,
    caller: &Caller,
) -> ApiResult<()> {
    let mut room = security.reserve(1).await?;
    let revoked = revoke(database, &caller.token).await?;
    room.record(
        SecurityEvent::SessionsRevoked(revoked),
        subject(caller),
        None,
    );
    Ok(())
}

/// Revokes every token of the caller.
pub async fn sign_out_everywhere(
    database: &Database,
    security: &SecurityContext,
    caller: &Caller,
) -> ApiResult<()> {
    let mut room = security.reserve(1).await?;
    let revoked = revoke_all(database, caller.id).await?;
    room.record(
        SecurityEvent::SessionsRevoked(revoked),
        subject(caller),
        None,
    );
    Ok(())
}

/// Revokes the token of one session of the caller.
///
/// # Errors
/// 404 where the caller has no such session.
pub async fn end_session(
    database: &Database,
    security: &SecurityContext,
    caller: &Caller,
    id: i64,
) -> ApiResult<()> {
    let mut room = security.reserve(1).await?;
    crud::delete_session(database, caller.id, id).await?;
    room.record(SecurityEvent::SessionsRevoked(1), subject(caller), None);
    Ok(())
}

fn subject(caller: &Caller) -> Subject<'_> {
    Subject::Account {
        id: caller.id,
        username: &caller.username,
    }
}
