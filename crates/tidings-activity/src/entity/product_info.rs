use super::entity_view;
use crate::wire::wire;

wire! {
    /// The product within a channel from which an activity comes, its sub-channel, such as `COPILOT`.
    pub struct ProductInfo {
        /// The sub-channel.
        pub id: Option<String> = "id",
    }
}

entity_view!(ProductInfo = "ProductInfo");
