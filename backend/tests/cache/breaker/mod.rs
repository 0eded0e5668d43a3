//! The effects of an outage of the server (C26–C28, C35, C58) on one process. Whole outages, with real
//! processes, are in `resilience`.
//!
//! Come here to find the file of an outage by its name.

mod different_lists;
mod distrust;
mod lost_deletions;
mod one_cut_off;
mod outages;
mod restarts;
mod several_servers;
mod steered;
mod trust;
