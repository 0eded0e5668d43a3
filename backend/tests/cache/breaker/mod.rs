//! What an outage of the server means (C26–C28, C35, C58): what one process sees.
//! Whole outages, with real processes, are in `resilience`.

mod distrust;
mod lost_deletions;
mod outages;
mod restarts;
mod steered;
mod trust;
