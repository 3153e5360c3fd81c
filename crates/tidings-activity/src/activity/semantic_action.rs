use crate::open_enum::open_enum;
use crate::raw::Raw;
use crate::wire::wire;

wire! {
    /// A programmatic action that comes with the text. Bot Framework Activity spec: Semantic action.
    pub struct SemanticAction {
        /// Which action it is.
        pub id: Option<String> = "id",
        /// How far it is.
        pub state: Option<SemanticActionState> = "state",
        /// The entities of the action, by name.
        pub entities: Option<Raw> = "entities",
    }
}

open_enum! {
    /// How far a semantic action is.
    pub enum SemanticActionState {
        /// It begins.
        Start = "start",
        /// It goes on.
        Continue = "continue",
        /// It is done.
        Done = "done",
    }
}
