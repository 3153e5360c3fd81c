use crate::activity::Activity;
use crate::wire::wire;

wire! {
    /// Activities of the past: the body of `POST /v3/conversations/{id}/activities/history`.
    pub struct Transcript {
        /// The activities, oldest first.
        pub activities: Option<Vec<Activity>> = "activities",
    }
}

wire! {
    /// The HTTP answer to an activity whose delivery mode is `expectReplies`.
    pub struct ExpectedReplies {
        /// The replies, in order.
        pub activities: Option<Vec<Activity>> = "activities",
    }
}
