//! The features of the application: one folder for each.
//!
//! Come here to list a new module: one line in the list below. `./scripts/module add` does it. The content of a folder is
//! explained in `docs/modules.md`. Modules may use the infrastructure, and only the public items of another module's `mod.rs`.
//! No route is declared here.

use crate::infrastructure::cache::Changes;
use crate::infrastructure::resource::Resources;

/// Makes each name a module, declares its resources and collects its `CHANGES`. It is a macro because no function can declare
/// a module. So a new module takes one line.
macro_rules! modules {
    ($($name:ident,)*) => {
        $(pub mod $name;)*

        /// Declares the resources of every module.
        pub fn configure(api: &mut Resources) {
            $($name::configure(api);)*
        }

        /// The changes that the triggers of the modules record, and what each of them invalidates.
        #[must_use]
        pub fn changes() -> Vec<Changes> {
            [$($name::CHANGES),*].concat()
        }
    };
}

// A path is compared with one resource after the other, in this order. Any place in the list is right. The modules with
// the most requests are first, because their resources are found after fewer comparisons.
modules! {
    widgets,
    users,
    auth,
}
