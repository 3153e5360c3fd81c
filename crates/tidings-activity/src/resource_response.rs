use crate::wire::wire;

wire! {
    /// A channel's answer to a sent activity.
    pub struct ResourceResponse {
        /// The id the channel gave the activity; empty when it told none.
        pub id: String = "id",
    }
}

impl ResourceResponse {
    /// The answer with this id.
    pub fn new(id: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            ..Self::default()
        }
    }
}

wire! {
    /// A channel's answer to `POST /v3/conversations`.
    pub struct ConversationResourceResponse {
        /// The id of the new conversation; empty when the channel told none.
        pub id: String = "id",
        /// The id of its first activity, when one was sent along.
        pub activity_id: Option<String> = "activityId",
        /// Where activities for the conversation go.
        pub service_url: Option<String> = "serviceUrl",
    }
}
