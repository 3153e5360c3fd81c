use crate::open_enum::open_enum;
use crate::wire::wire;

wire! {
    /// A reaction to a message.
    pub struct MessageReaction {
        /// Which reaction it is.
        pub kind: Option<ReactionType> = "type",
    }
}

open_enum! {
    /// The reactions that have a name; channels add more.
    pub enum ReactionType {
        /// Like.
        Like = "like",
        /// Plus one.
        PlusOne = "plusOne",
    }
}
