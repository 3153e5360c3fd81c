use crate::number::Number;
use crate::raw::Raw;
use crate::wire::wire;

wire! {
    /// The body of a failed request. Connector REST v3: `ErrorResponse`.
    pub struct ErrorResponse {
        /// What went wrong.
        pub error: Option<ErrorBody> = "error",
    }
}

impl ErrorResponse {
    /// An error of this code and message.
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        let error = ErrorBody {
            code: Some(code.into()),
            message: Some(message.into()),
            ..ErrorBody::default()
        };
        Self {
            error: Some(error),
            ..Self::default()
        }
    }
}

wire! {
    /// What went wrong with a request.
    pub struct ErrorBody {
        /// The code, such as `BadArgument` or `ConversationNotFound`.
        pub code: Option<String> = "code",
        /// A sentence for a person.
        pub message: Option<String> = "message",
        /// The error of a request made in turn.
        pub inner_http_error: Option<InnerHttpError> = "innerHttpError",
    }
}

wire! {
    /// The error of a request that was made to serve another.
    pub struct InnerHttpError {
        /// The HTTP status.
        pub status_code: Option<Number> = "statusCode",
        /// The body of the answer.
        pub body: Option<Raw> = "body",
    }
}
