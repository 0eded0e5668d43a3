//! Authentication: usernames, passwords, access tokens and the caller of a request.

mod attempts;
mod caller;
mod password;
mod password_queue;
mod require_caller;
mod token;
mod username;

pub use attempts::{Attempts, Claimed};
pub use caller::Caller;
pub use password::Passwords;
pub use require_caller::RequireCaller;
pub use token::{AccessToken, IssuedToken, find_owner, issue, revoke, revoke_all, revoke_others};
pub use username::Username;
