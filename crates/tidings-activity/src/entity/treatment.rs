use super::entity_view;
use crate::open_enum::open_enum;
use crate::wire::wire;

wire! {
    /// How an activity is to be treated.
    pub struct ActivityTreatment {
        /// The treatment.
        pub treatment: Option<Treatment> = "treatment",
    }
}

entity_view!(ActivityTreatment = "activityTreatment");

impl ActivityTreatment {
    /// Shown to the recipient only, in a group.
    pub fn targeted() -> Self {
        Self {
            treatment: Some(Treatment::Targeted),
            ..Self::default()
        }
    }

    /// Whether the activity is shown to its recipient only.
    pub fn is_targeted(&self) -> bool {
        self.treatment == Some(Treatment::Targeted)
    }
}

open_enum! {
    /// The treatments of an activity.
    pub enum Treatment {
        /// Shown to the recipient only.
        Targeted = "targeted",
    }
}
