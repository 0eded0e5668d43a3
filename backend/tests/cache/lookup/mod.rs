//! Hit, claim, or another request's run of the handler (C33, C34, C36), with the interleavings forced.
//! Come here for a race between readers and writers.

mod claims;
mod groups;
mod identity;
mod never_stale;
mod single_flight;
mod variants;
