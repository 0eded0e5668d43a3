//! One declared method of one path, with all that the description of the API needs.
//!
//! Come here to add a fact that a declaration knows. The document is made in `infrastructure::openapi`.

use super::handler_input::InputDescription;
use super::handler_output::OutputDescription;
use crate::cache::DeclaredRoute;

/// A declared method of a path.
#[derive(Clone, Debug)]
pub struct Operation {
    /// Method, path, caller and policy.
    pub route: DeclaredRoute,
    /// The path of the handler in the sources, such as `backend::modules::widgets::routes::read`.
    pub handler_name: &'static str,
    /// The parameters of the handler.
    pub input: InputDescription,
    /// The successful answers.
    pub output: OutputDescription,
    /// The statuses with which the handler itself refuses.
    pub refusals: &'static [u16],
}
