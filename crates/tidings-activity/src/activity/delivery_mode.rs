use crate::open_enum::open_enum;

open_enum! {
    /// How the sender wants an activity delivered. Unknown modes are treated as normal.
    pub enum DeliveryMode {
        /// Answers go to the channel.
        Normal = "normal",
        /// Shown as a notification too.
        Notification = "notification",
        /// Answers go into the HTTP response.
        ExpectReplies = "expectReplies",
        /// Not kept by the channel.
        Ephemeral = "ephemeral",
        /// Answers are streamed in the HTTP response.
        Stream = "stream",
    }
}
