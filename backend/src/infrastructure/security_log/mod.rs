//! Security events: sign-ins, their failures, and changes of accounts, roles and sessions, each as a log line of target
//! `security`.
//!
//! Come here to add an event, or when one is missing in the log. Other lines are written by `telemetry`, and are dropped when
//! too many wait. These are not: a handler takes [`SecurityContext`], reserves room for the lines of an act, acts, and
//! records. Where there is no room for two seconds, because nobody reads the log, the act is refused with 503.
//! Do not log e-mail addresses, passwords or tokens.

mod context;
mod event;
mod queue;

pub use context::{Act, Room, SecurityContext};
pub use event::{SecurityEvent, Subject};
pub use queue::SecurityLog;
pub(super) use queue::{SecurityLogGuard, TARGET};
