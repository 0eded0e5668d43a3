//! What the application is: one folder a feature.
//!
//! Come here to list a new module: one line, at the end of the list below. What belongs into its folder is explained in
//! `docs/modules.md`. Modules know the infrastructure below them, and of each other no more than what a `mod.rs` makes public.

use crate::infrastructure::resource::Resources;

/// Makes each name a module, and declares its resources. A macro, since no function can declare a module: with it a new
/// module takes one line.
macro_rules! modules {
    ($($name:ident,)*) => {
        $(pub mod $name;)*

        /// Declares the resources of every module.
        pub fn configure(api: &mut Resources) {
            $($name::configure(api);)*
        }
    };
}

// A path is compared with one resource after the other: what is asked most stands first.
modules! {
    widgets,
    users,
    auth,
}
