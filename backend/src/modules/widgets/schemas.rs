//! Input and output of `/widgets`.
//!
//! Come here to change a field or its bounds. Nothing is decided here.

use chrono::{DateTime, Utc};
use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::infrastructure::http::{ItemsPerPage, PageNumber, nullable, present, without_nul};

/// A new widget.
#[derive(Debug, Deserialize, JsonSchema, Validate)]
#[serde(deny_unknown_fields)]
pub struct WidgetCreate {
    /// 1–100 characters.
    #[garde(length(chars, min = 1, max = 100), custom(without_nul))]
    #[schemars(example = &"Cog")]
    pub name: String,
    /// Up to 2000 characters.
    #[garde(length(chars, max = 2000), inner(custom(without_nul)))]
    #[schemars(example = &"Turns when its neighbour turns")]
    pub description: Option<String>,
}

/// A change of a widget. Absent fields stay.
#[derive(Debug, Deserialize, JsonSchema, Validate)]
#[serde(deny_unknown_fields)]
pub struct WidgetUpdate {
    /// 1–100 characters.
    #[serde(default, deserialize_with = "present")]
    #[garde(length(chars, min = 1, max = 100), inner(custom(without_nul)))]
    #[schemars(with = "String", example = &"Cogwheel")]
    pub name: Option<String>,
    /// Up to 2000 characters; `null` clears it.
    #[serde(default, deserialize_with = "nullable")]
    #[garde(length(chars, max = 2000), inner(inner(custom(without_nul))))]
    #[schemars(example = &"Turns its neighbours")]
    #[expect(
        clippy::option_option,
        reason = "left out, cleared and given are three things"
    )]
    pub description: Option<Option<String>>,
}

impl WidgetUpdate {
    /// Whether no field is given.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.name.is_none() && self.description.is_none()
    }
}

/// A widget.
#[derive(Debug, JsonSchema, Serialize)]
pub struct WidgetRead {
    /// Its id.
    pub id: i64,
    /// The name of the user it belongs to.
    #[schemars(example = &"ada")]
    pub owner: String,
    /// Its name.
    #[schemars(example = &"Cog")]
    pub name: String,
    /// Its description.
    #[schemars(example = &"Turns when its neighbour turns")]
    pub description: Option<String>,
    /// The time of creation.
    pub created_at: DateTime<Utc>,
    /// The time of the last change.
    pub updated_at: DateTime<Utc>,
}

/// The wanted widgets.
#[derive(Debug, Default, Deserialize, JsonSchema, Serialize, Validate)]
#[serde(default)]
pub struct WidgetQuery {
    /// A text that the name or the description contains, up to 500 characters; empty for all widgets.
    #[garde(length(chars, max = 500), custom(without_nul))]
    pub q: String,
    /// The number of the page, from 1.
    #[garde(dive)]
    pub page: PageNumber,
    /// The number of items on a page: 1–100, 10 by default.
    #[garde(dive)]
    pub items_per_page: ItemsPerPage,
}

/// The number of widgets.
#[derive(Debug, JsonSchema, Serialize)]
pub struct WidgetCount {
    /// All widgets that are not deleted.
    pub count: i64,
}
