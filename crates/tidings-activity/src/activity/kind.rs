use serde::de::MapAccess;

use crate::open_enum::open_enum;
use crate::wire::{Field, Written};

open_enum! {
    /// The sorts of activity: the field `type`. Senders may invent more.
    #[derive(Default)]
    pub enum ActivityType {
        /// Something said, with text, attachments or both.
        #[default]
        Message = "message",
        /// A message was changed.
        MessageUpdate = "messageUpdate",
        /// A message was deleted.
        MessageDelete = "messageDelete",
        /// Reactions to a message were added or taken back.
        MessageReaction = "messageReaction",
        /// Members, topic or the like of a conversation changed.
        ConversationUpdate = "conversationUpdate",
        /// The bot was installed or removed.
        InstallationUpdate = "installationUpdate",
        /// The bot was added to or removed from a user's contacts.
        ContactRelationUpdate = "contactRelationUpdate",
        /// Somebody is typing.
        Typing = "typing",
        /// Something happened; no reply is expected.
        Event = "event",
        /// Something is asked of the bot, which answers in the HTTP response.
        Invoke = "invoke",
        /// The conversation is over.
        EndOfConversation = "endOfConversation",
        /// A note for whoever debugs the bot; only the Emulator gets to see it.
        Trace = "trace",
        /// A conversation is handed to somebody else (older practice).
        Handoff = "handoff",
        /// An order to the other side.
        Command = "command",
        /// What came of a command.
        CommandResult = "commandResult",
        /// A message to one member about another message.
        Suggestion = "suggestion",
        /// The user wants all data about them deleted.
        DeleteUserData = "deleteUserData",
        /// The answer to an invoke. Inside the SDK only.
        InvokeResponse = "invokeResponse",
        /// A pause between two messages. Inside the SDK only.
        Delay = "delay",
    }
}

/// `type` is the one property without which nothing is an activity.
impl Field for ActivityType {
    const REQUIRED: bool = true;

    fn decode<'de, A: MapAccess<'de>>(&mut self, map: &mut A) -> Result<bool, A::Error> {
        *self = map.next_value()?;
        Ok(false)
    }

    fn written(&self, _was_null: bool) -> Written {
        Written::Value
    }

    fn is_worth_building(&self) -> bool {
        true
    }
}
