use crate::number::Number;
use crate::wire::wire;

wire! {
    /// A file to be stored by the channel: the body of `POST /v3/conversations/{id}/attachments`.
    pub struct AttachmentData {
        /// The media type.
        pub kind: Option<String> = "type",
        /// The name of the file.
        pub name: Option<String> = "name",
        /// The file, in base64.
        pub original_base64: Option<String> = "originalBase64",
        /// A small picture of it, in base64.
        pub thumbnail_base64: Option<String> = "thumbnailBase64",
    }
}

wire! {
    /// A stored file: the answer to `GET /v3/attachments/{id}`.
    pub struct AttachmentInfo {
        /// The name of the file.
        pub name: Option<String> = "name",
        /// The media type.
        pub kind: Option<String> = "type",
        /// The forms in which it can be had.
        pub views: Option<Vec<AttachmentView>> = "views",
    }
}

wire! {
    /// One form of a stored file, such as `original` or `thumbnail`.
    pub struct AttachmentView {
        /// What to ask with: `GET /v3/attachments/{id}/views/{viewId}`.
        pub view_id: Option<String> = "viewId",
        /// The size in bytes.
        pub size: Option<Number> = "size",
    }
}
