use crate::number::Number;
use crate::wire::wire;

wire! {
    /// A part of a message's text to show with emphasis.
    pub struct TextHighlight {
        /// The text to look for.
        pub text: Option<String> = "text",
        /// Which occurrence of it is meant, from 1.
        pub occurrence: Option<Number> = "occurrence",
    }
}
