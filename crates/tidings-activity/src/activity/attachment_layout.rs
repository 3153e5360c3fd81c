use crate::open_enum::open_enum;

open_enum! {
    /// How several attachments are laid out.
    pub enum AttachmentLayout {
        /// One below the other.
        List = "list",
        /// Side by side.
        Carousel = "carousel",
    }
}
