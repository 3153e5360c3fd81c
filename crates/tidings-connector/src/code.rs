//! Error codes that connectors answer with ([`SendError::code`](crate::SendError::code)): the set is open, these are
//! the ones that tell what to do next.
//!
//! Sources: the `ErrorResponse` of the Bot Connector REST API v3 and the Microsoft Teams pages on bot errors and
//! proactive messages.

/// 400: the request is wrong and stays wrong. The Bot Framework Emulator also answers 404 with it, for an unknown
/// activity.
pub const BAD_ARGUMENT: &str = "BadArgument";
/// 400: the body cannot be parsed, or a link in it is wrong. Permanent.
pub const BAD_SYNTAX: &str = "BadSyntax";
/// 400: a property is missing. Permanent.
pub const MISSING_PROPERTY: &str = "MissingProperty";
/// 413: the activity is too big for the channel; shrink or split it.
pub const MESSAGE_SIZE_TOO_BIG: &str = "MessageSizeTooBig";
/// 401: the app id is not registered as a bot. Permanent until somebody registers it.
pub const BOT_NOT_REGISTERED: &str = "BotNotRegistered";
/// 403: the user blocked the bot. Stop until the user writes.
pub const CONVERSATION_BLOCKED_BY_USER: &str = "ConversationBlockedByUser";
/// 403: the bot was removed from the conversation. Stop until it is installed again.
pub const BOT_NOT_IN_CONVERSATION_ROSTER: &str = "BotNotInConversationRoster";
/// 403: an administrator disabled the bot. Stop for the whole tenant.
pub const BOT_DISABLED_BY_ADMIN: &str = "BotDisabledByAdmin";
/// 403: not allowed for this target. Permanent for it.
pub const FORBIDDEN_OPERATION: &str = "ForbiddenOperationException";
/// 403: the bot lacks a permission for this target. Permanent for it.
pub const NOT_ENOUGH_PERMISSIONS: &str = "NotEnoughPermissions";
/// 403: writing to this target is blocked. Permanent for it.
pub const MESSAGE_WRITES_BLOCKED: &str = "MessageWritesBlocked";
/// 403: the wrong cloud's host was called, as for a tenant in GCC.
pub const INVALID_BOT_API_HOST: &str = "InvalidBotApiHost";
/// 403: the user stopped a streamed reply.
pub const CONTENT_STREAM_NOT_ALLOWED: &str = "ContentStreamNotAllowed";
/// 404: the conversation is gone. Its reference is of no more use.
pub const CONVERSATION_NOT_FOUND: &str = "ConversationNotFound";
/// 404: the activity to update, delete or reply to is gone. The conversation is not.
pub const ACTIVITY_NOT_FOUND_IN_CONVERSATION: &str = "ActivityNotFoundInConversation";
/// 412: a precondition failed on the service's side; it may have posted the activity.
pub const PRECONDITION_FAILED: &str = "PreconditionFailed";
/// 500: the service failed; it may have posted the activity.
pub const SERVICE_ERROR: &str = "ServiceError";
