//! What an outage of the server means (C26–C28, C35): what one process sees.
//! Whole outages, with real processes, are in `resilience`.

mod lost_deletions;
mod outages;
