use super::entity_view;
use crate::wire::wire;

wire! {
    /// Anything, as schema.org has it.
    pub struct Thing {
        /// The name.
        pub name: Option<String> = "name",
    }
}

entity_view!(Thing = "Thing");
