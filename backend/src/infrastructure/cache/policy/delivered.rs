//! The invalidations of a delivery, which `Cache-Status` shows to the writes that waited for it (C31, C54).
//!
//! Come here to change what such a write shows. The delivery itself is in `provider::changes`, not here.

use std::sync::Arc;

use super::write_keys::WritePlan;

/// What a delivery has invalidated.
#[derive(Clone, Debug, Default)]
pub struct Delivered {
    plan: Arc<WritePlan>,
    /// The same as text, made once for all writes that wait for the delivery.
    text: Arc<str>,
}

impl Delivered {
    pub(in crate::infrastructure::cache) fn of(plan: WritePlan) -> Self {
        Self {
            text: plan.effect().into(),
            plan: Arc::new(plan),
        }
    }

    /// Both together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        if other.plan.is_empty() {
            return self;
        }
        if self.plan.is_empty() {
            return other;
        }
        let mut plan = Arc::unwrap_or_clone(self.plan);
        plan.add(&other.plan);
        Self::of(plan)
    }

    /// The parameters of `Cache-Status` of a write that has also carried out a plan of its own.
    pub(in crate::infrastructure::cache) fn effect_with(self, own: WritePlan) -> Arc<str> {
        if !own.is_empty() {
            return Self::of(own).and(self).text;
        }
        if self.plan.is_empty() {
            return self.plan.effect().into();
        }
        self.text
    }
}
