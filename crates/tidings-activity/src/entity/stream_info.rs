use super::entity_view;
use crate::number::Number;
use crate::open_enum::open_enum;
use crate::wire::wire;

wire! {
    /// The place of an activity in a reply that is streamed.
    pub struct StreamInfo {
        /// The stream: the id of its first activity.
        pub stream_id: Option<String> = "streamId",
        /// The number of this part, from 1; the final one has none.
        pub stream_sequence: Option<Number> = "streamSequence",
        /// What sort of part it is.
        pub stream_type: Option<StreamType> = "streamType",
        /// How the stream ended.
        pub stream_result: Option<String> = "streamResult",
    }
}

entity_view!(StreamInfo = "streaminfo");

open_enum! {
    /// The sorts of part of a streamed reply.
    pub enum StreamType {
        /// About the progress, replaced by the next part.
        Informative = "informative",
        /// The reply so far.
        Streaming = "streaming",
        /// The whole reply.
        Final = "final",
    }
}
