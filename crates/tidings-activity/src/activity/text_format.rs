use crate::open_enum::open_enum;

open_enum! {
    /// How the text of a message is written.
    pub enum TextFormat {
        /// Markdown.
        Markdown = "markdown",
        /// Plain text.
        Plain = "plain",
        /// XML, a small part of HTML.
        Xml = "xml",
    }
}
