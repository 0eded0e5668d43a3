//! Authentication: usernames, passwords, access tokens and the caller of a request.
//!
//! Come here to change how a request or a password is checked: `caller` and `require_caller` authenticate requests,
//! `token` issues and revokes tokens, `origin` and `last_use` are what their
//! sessions show, `password` and `password_queue` hash, and `attempts` limits wrong passwords. The
//! routes for signing in are in `modules::auth`, not here.

mod attempts;
mod caller;
mod last_use;
mod origin;
mod password;
mod password_queue;
mod require_caller;
mod token;
mod username;

pub use attempts::{Attempts, Claimed};
pub use caller::Caller;
pub use origin::Origin;
pub use password::Passwords;
pub use require_caller::RequireCaller;
pub use token::{
    AccessToken, IssuedToken, find_owner, issue, remove_expired, revoke, revoke_all, revoke_others,
};
pub use username::Username;
