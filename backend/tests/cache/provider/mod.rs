//! Backends under names, and the provider (C22–C25). Come here for the operations of services.

mod computations;
mod invalidations;
#[expect(
    clippy::module_inception,
    reason = "the folder and its first file are both the provider"
)]
mod provider;
