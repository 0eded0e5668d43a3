//! The accounts that operators make: the first superuser from `ADMIN_*`, and `backend create-superuser`.
//!
//! Come here to change when such an account is made. The rules of accounts are in `modules::users`.

use secrecy::ExposeSecret;

use super::StartError;
use crate::infrastructure::auth::Passwords;
use crate::infrastructure::client_address::ClientAddress;
use crate::infrastructure::database::Database;
use crate::infrastructure::http::ApiError;
use crate::infrastructure::settings::{AdministratorSettings, DatabaseSettings};
use crate::modules::users::{self, UserCreate};

/// Creates a superuser; `false` where there is one of that name.
///
/// # Errors
/// The database is unavailable, or another user has the name or the address.
pub async fn create_superuser(
    settings: &DatabaseSettings,
    new: UserCreate,
) -> Result<bool, StartError> {
    let database = Database::new(settings)?;
    database.check_connection(true).await?;
    let passwords = Passwords::new();
    users::create_superuser(&database, &passwords, ClientAddress::LOCAL, new)
        .await
        .map_err(StartError::Superuser)
}

/// The first superuser, from `ADMIN_*`.
pub(super) async fn create_administrator(
    database: &Database,
    passwords: &Passwords,
    settings: &AdministratorSettings,
) -> Result<(), StartError> {
    let (Some(username), Some(email), Some(password)) = (
        &settings.admin_username,
        &settings.admin_email,
        &settings.admin_password,
    ) else {
        return Ok(());
    };
    let new = UserCreate {
        username: username.clone(),
        email: email.to_lowercase(),
        password: password.expose_secret().into(),
        name: username.clone(),
    };
    match users::create_superuser(database, passwords, ClientAddress::LOCAL, new).await {
        Ok(true) => tracing::info!(username, "created the first superuser"),
        Ok(false) => {}
        // Another instance may have created it first. A taken address does not stop the start.
        Err(error @ ApiError::Conflict(_)) => {
            tracing::warn!(username, "ADMIN_USERNAME was not created: {error}");
        }
        Err(error) => return Err(StartError::Superuser(error)),
    }
    Ok(())
}
