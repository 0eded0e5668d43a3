//! The features of the application: one folder for each.
//!
//! Come here to list a new module: one line, at the end of the list below. The content of its folder is
//! explained in `docs/modules.md`. Modules may use the infrastructure, and only the public items of
//! another module's `mod.rs`.

use crate::infrastructure::cache::Changes;
use crate::infrastructure::resource::Resources;

/// Makes each name a module, and declares its resources. A macro, since no function can declare a
/// module: so a new module takes one line.
macro_rules! modules {
    ($($name:ident,)*) => {
        $(pub mod $name;)*

        /// Declares the resources of every module.
        pub fn configure(api: &mut Resources) {
            $($name::configure(api);)*
        }
    };
}

// A path is compared with one resource after the other: the most frequent ones are first.
modules! {
    widgets,
    users,
    auth,
}

/// The changes that the modules' triggers record, and what each ends: the one place where they are listed.
#[must_use]
pub fn changes() -> Vec<Changes> {
    [users::CHANGES, widgets::CHANGES].concat()
}
