//! The rules of users.
//!
//! Come here to change who may do what to a user. Queries are in `crud`.

use secrecy::SecretString;

use super::change_record::ChangeRecord;
use super::crud::{self, Change, NewUser};
use super::models::Account;
use super::schemas::{UserCreate, UserRead, UserUpdate};
use crate::infrastructure::auth::{
    Attempts, Caller, Claimed, Passwords, revoke_all, revoke_others,
};
use crate::infrastructure::client_address::ClientAddress;
use crate::infrastructure::database::{Database, Transaction};
use crate::infrastructure::http::{ApiError, ApiResult, FieldError, IfMatch};
use crate::infrastructure::password_rule::check_password;
use crate::infrastructure::security_log::{SecurityContext, SecurityEvent, Subject};
use crate::infrastructure::settings::SignUp;
use crate::modules::widgets;

/// Signs a user up. `caller` is the user who asks, if one is signed in.
///
/// # Errors
/// 403 if `SIGN_UP=closed` and the caller is no superuser.
pub async fn create(
    database: &Database,
    passwords: &Passwords,
    (address, security): (ClientAddress, &SecurityContext),
    (sign_up, caller): (SignUp, Option<&Caller>),
    new: UserCreate,
) -> ApiResult<UserRead> {
    let superuser = caller.filter(|caller| caller.is_superuser);
    if sign_up == SignUp::Closed && superuser.is_none() {
        return Err(ApiError::Forbidden(
            "only superusers may make accounts here",
        ));
    }
    let act = match superuser {
        Some(superuser) => Some((security.reserve(1).await?, superuser)),
        None => None,
    };
    let user = insert(database, passwords, address, new, false).await?;
    if let Some((mut room, superuser)) = act {
        let subject = Subject::Account {
            id: user.id,
            username: &user.username,
        };
        room.record(
            SecurityEvent::AccountCreated,
            subject,
            Some(&superuser.username),
        );
    }
    Ok(user)
}

/// Creates a superuser, unless there is one of that name. Returns whether it was created. A name or an
/// address of another user is an [`ApiError::Conflict`].
pub async fn create_superuser(
    database: &Database,
    passwords: &Passwords,
    address: ClientAddress,
    new: UserCreate,
) -> ApiResult<bool> {
    match crud::is_superuser(database, &new.username).await? {
        Some(true) => return Ok(false),
        Some(false) => {
            return Err(ApiError::Conflict(
                "this username is taken by another user".to_owned(),
            ));
        }
        None => {}
    }
    insert(database, passwords, address, new, true)
        .await
        .map(|_| true)
}

async fn insert(
    database: &Database,
    passwords: &Passwords,
    address: ClientAddress,
    new: UserCreate,
    is_superuser: bool,
) -> ApiResult<UserRead> {
    let password_hash = passwords.hash(new.password, address).await?;
    let user = NewUser {
        username: &new.username,
        email: &new.email,
        name: &new.name,
        password_hash: &password_hash,
        is_superuser,
    };
    crud::insert(database, &user).await
}

/// The parts that check a password while a user is changed.
pub struct PasswordChecks<'a> {
    /// Hashes and verifies.
    pub passwords: &'a Passwords,
    /// Counts wrong ones.
    pub attempts: &'a Attempts,
    /// The address of the client.
    pub address: ClientAddress,
}

/// Changes a user: users may change themselves, superusers may change every user, and only they a role. An empty change
/// does nothing. The last superuser keeps the role.
///
/// A new password revokes the user's other tokens, or all of them if a superuser set it.
pub async fn update(
    database: &Database,
    (checks, security): (&PasswordChecks<'_>, &SecurityContext),
    caller: &Caller,
    if_match: &IfMatch,
    username: &str,
    change: UserUpdate,
) -> ApiResult<UserRead> {
    let account = find_changeable(database, caller, username).await?;
    if change.is_superuser.is_some() && !caller.is_superuser {
        return Err(ApiError::Forbidden("only superusers may change a role"));
    }
    if change.is_empty() {
        let mut transaction = database.begin().await?;
        check_precondition(&mut transaction, if_match, account.id, username).await?;
        return crud::find(&mut transaction, account.id).await;
    }
    let mut record = ChangeRecord::begin(security, caller, &account).await?;
    let is_self = account.id == caller.id;
    let needs_password = is_self && (change.email.is_some() || change.password.is_some());
    if needs_password {
        check_current_password(checks, &account, change.current_password, &mut record).await?;
    }
    let password_hash = match change.password {
        Some(password) => {
            let current = crud::find(database, account.id).await?;
            let new = [change.email.as_deref(), change.name.as_deref()];
            check_own_names(&password, &current, new)?;
            Some(checks.passwords.hash(password, checks.address).await?)
        }
        None => None,
    };
    let stored = Change {
        name: change.name.as_deref(),
        email: change.email.as_deref(),
        password_hash: password_hash.as_deref(),
        is_superuser: change.is_superuser,
    };
    let known_password_hash = needs_password.then_some(account.password_hash.as_str());
    let mut transaction = database.begin().await?;
    if change.is_superuser == Some(false)
        && crud::lock_with_superusers(&mut transaction, account.id).await?
    {
        return Err(ApiError::Conflict(
            "the last superuser keeps the role".to_owned(),
        ));
    }
    let before = crud::lock(&mut transaction, account.id).await?;
    check_precondition(&mut transaction, if_match, account.id, username).await?;
    let user = crud::update(&mut transaction, account.id, &stored, known_password_hash)
        .await?
        .ok_or_else(|| {
            ApiError::Conflict(
                "the user has just been changed by another request; try again".to_owned(),
            )
        })?;
    let revoked = match &password_hash {
        Some(_) if is_self => revoke_others(&mut transaction, account.id, &caller.token).await?,
        Some(_) => revoke_all(&mut transaction, account.id).await?,
        None => 0,
    };
    transaction.commit().await?;
    record.changed(&before, &user, password_hash.is_some().then_some(revoked));
    Ok(user)
}

/// Deletes a user with tokens and widgets: users may delete themselves, superusers may delete every
/// user, but never the last superuser.
pub async fn delete(
    database: &Database,
    security: &SecurityContext,
    caller: &Caller,
    if_match: &IfMatch,
    username: &str,
) -> ApiResult<()> {
    let account = find_changeable(database, caller, username).await?;
    let user_id = account.id;
    let mut record = ChangeRecord::begin(security, caller, &account).await?;
    let mut transaction = database.begin().await?;
    let is_last_superuser = crud::lock_with_superusers(&mut transaction, user_id).await?;
    if is_last_superuser {
        return Err(ApiError::Conflict(
            "the last superuser cannot be deleted".to_owned(),
        ));
    }
    check_precondition(&mut transaction, if_match, user_id, username).await?;
    crud::delete(&mut transaction, user_id).await?;
    revoke_all(&mut transaction, user_id).await?;
    widgets::delete_all_of(&mut transaction, user_id).await?;
    transaction.commit().await?;
    record.event(SecurityEvent::AccountDeleted);
    Ok(())
}

/// Refuses a write whose `If-Match` names another representation than the present one, which the lock keeps until the
/// transaction ends.
async fn check_precondition(
    transaction: &mut Transaction,
    if_match: &IfMatch,
    user_id: i64,
    username: &str,
) -> ApiResult<()> {
    if if_match.is_given() {
        crud::lock(transaction, user_id).await?;
        if_match.check(&crud::find_profile(transaction, username).await?)?;
    }
    Ok(())
}

/// The account of a user whom the caller may change. Other callers get the same answer whether or not
/// the user exists.
async fn find_changeable(
    database: &Database,
    caller: &Caller,
    username: &str,
) -> ApiResult<Account> {
    match crud::find_account(database, username).await {
        Ok(account) if caller.may_change(account.id) => Ok(account),
        Err(error) if caller.is_superuser || !matches!(error, ApiError::NotFound) => Err(error),
        _ => Err(ApiError::Forbidden(
            "only users themselves and superusers may change a user",
        )),
    }
}

async fn check_current_password(
    checks: &PasswordChecks<'_>,
    account: &Account,
    given: Option<SecretString>,
    record: &mut ChangeRecord<'_>,
) -> ApiResult<()> {
    let given = given.ok_or_else(|| {
        let message = "is needed to change one's own e-mail address or password";
        ApiError::Unprocessable(vec![FieldError::new("current_password", message)])
    })?;
    let claim = (Claimed::Account(account.id), checks.address);
    let hash = Some(account.password_hash.clone());
    let verified = checks.passwords.verify(checks.attempts, claim, given, hash);
    let is_right = verified.await.inspect_err(|error| {
        if matches!(error, ApiError::TooManyAttempts(_)) {
            record.event(SecurityEvent::CurrentPasswordLimited);
        }
    })?;
    if is_right {
        Ok(())
    } else {
        record.event(SecurityEvent::CurrentPasswordFailed);
        Err(ApiError::Forbidden("the current password is wrong"))
    }
}

/// Refuses a new password that contains one of the user's names, of before or after the change.
fn check_own_names(
    password: &SecretString,
    current: &UserRead,
    new: [Option<&str>; 2],
) -> ApiResult<()> {
    let current = [&current.username, &current.email, &current.name].map(String::as_str);
    let names: Vec<&str> = current
        .into_iter()
        .chain(new.into_iter().flatten())
        .collect();
    check_password(password, &names)
        .map_err(|message| ApiError::Unprocessable(vec![FieldError::new("password", message)]))
}
