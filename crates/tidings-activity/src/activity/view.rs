use std::ops::Deref;

use serde::de::DeserializeOwned;

use super::{Activity, ActivityType, EndOfConversationCode, MessageReaction, UpdateAction};
use crate::account::ChannelAccount;
use crate::attachment::Attachment;
use crate::raw::Raw;

impl Activity {
    /// Whether the activity is of this type, ignoring case; a sub-type written `type/...` counts as the type.
    ///
    /// The SDKs compare so. The spec's own comparison is `activity.kind == ActivityType::Message`.
    pub fn has_type(&self, kind: &str) -> bool {
        let (own, kind) = (self.kind.as_str().as_bytes(), kind.as_bytes());
        match own.split_at_checked(kind.len()) {
            Some((head, tail)) => {
                head.eq_ignore_ascii_case(kind) && matches!(tail.first(), None | Some(b'/'))
            }
            None => false,
        }
    }
}

/// Declares the view of one type of activity: a reference that is known to be of the type.
macro_rules! view {
    ($( $View:ident = $Kind:ident by $method:ident { $($accessors:tt)* } )*) => { $(
        #[doc = concat!("An activity of type `", stringify!($Kind), "`: see [`Activity::", stringify!($method), "`].")]
        ///
        /// Dereferences to the activity, for the fields that have no method here.
        #[derive(Clone, Copy, Debug)]
        pub struct $View<'a>(&'a Activity);

        impl Activity {
            #[doc = concat!("The activity as a `", stringify!($Kind), "`, else None.")]
            ///
            /// The type is compared as by [`has_type`](Self::has_type).
            pub fn $method(&self) -> Option<$View<'_>> {
                self.has_type(ActivityType::$Kind.as_str()).then_some($View(self))
            }
        }

        impl Deref for $View<'_> {
            type Target = Activity;

            fn deref(&self) -> &Activity {
                self.0
            }
        }

        impl<'a> $View<'a> {
            /// The activity.
            pub fn activity(self) -> &'a Activity {
                self.0
            }

            accessors! { $($accessors)* }
        }
    )* };
}

/// The accessors by what they return: text is `""` and a list is empty when absent.
macro_rules! accessors {
    () => {};
    ($(#[$meta:meta])* text $name:ident = $field:ident; $($rest:tt)*) => {
        $(#[$meta])*
        pub fn $name(self) -> &'a str {
            self.0.$field.as_deref().unwrap_or_default()
        }
        accessors! { $($rest)* }
    };
    ($(#[$meta:meta])* list $field:ident: $Type:ty; $($rest:tt)*) => {
        $(#[$meta])*
        pub fn $field(self) -> &'a [$Type] {
            self.0.$field.as_deref().unwrap_or_default()
        }
        accessors! { $($rest)* }
    };
    ($(#[$meta:meta])* option $field:ident: $Type:ty; $($rest:tt)*) => {
        $(#[$meta])*
        pub fn $field(self) -> Option<&'a $Type> {
            self.0.$field.as_ref()
        }
        accessors! { $($rest)* }
    };
    (value; $($rest:tt)*) => {
        /// The value.
        pub fn value(self) -> Option<&'a Raw> {
            self.0.value.as_ref()
        }

        /// The value as a `T`; None when it is absent or something else.
        pub fn value_as<T: DeserializeOwned>(self) -> Option<T> {
            self.0.value.as_ref()?.parse().ok()
        }
        accessors! { $($rest)* }
    };
}

view! {
    MessageView = Message by as_message {
        /// What is said.
        text text = text;
        /// Files, pictures and cards.
        list attachments: Attachment;
        value;
    }
    MessageUpdateView = MessageUpdate by as_message_update {
        /// The message that was changed.
        text target_id = id;
        /// What is said now.
        text text = text;
        /// Files, pictures and cards.
        list attachments: Attachment;
    }
    MessageDeleteView = MessageDelete by as_message_delete {
        /// The message that was deleted.
        text target_id = id;
    }
    MessageReactionView = MessageReaction by as_message_reaction {
        /// The message that was reacted to.
        text target_id = reply_to_id;
        /// Reactions that were added.
        list reactions_added: MessageReaction;
        /// Reactions that were taken back.
        list reactions_removed: MessageReaction;
    }
    ConversationUpdateView = ConversationUpdate by as_conversation_update {
        /// Who has joined.
        list members_added: ChannelAccount;
        /// Who has left.
        list members_removed: ChannelAccount;
        /// The new topic.
        option topic_name: String;
        /// Whether new members see what was said before.
        option history_disclosed: bool;
    }
    InstallationUpdateView = InstallationUpdate by as_installation_update {
        /// Whether the bot was added or removed.
        option action: UpdateAction;
    }
    ContactRelationUpdateView = ContactRelationUpdate by as_contact_relation_update {
        /// Whether the bot was added or removed.
        option action: UpdateAction;
    }
    TypingView = Typing by as_typing {
        /// What is being typed, while a reply is streamed.
        text text = text;
    }
    EventView = Event by as_event {
        /// The name of the event.
        text name = name;
        value;
    }
    InvokeView = Invoke by as_invoke {
        /// What is asked.
        text name = name;
        value;
    }
    EndOfConversationView = EndOfConversation by as_end_of_conversation {
        /// How the conversation ended.
        option code: EndOfConversationCode;
        /// A last word.
        text text = text;
        value;
    }
    TraceView = Trace by as_trace {
        /// The name of the trace.
        text name = name;
        /// What it is about.
        text label = label;
        /// What sort of value it carries.
        text value_type = value_type;
        value;
    }
    HandoffView = Handoff by as_handoff {
        value;
    }
    CommandView = Command by as_command {
        /// The name of the command, such as `application/vnd.example.start`.
        text name = name;
        value;
    }
    CommandResultView = CommandResult by as_command_result {
        /// The name of the command.
        text name = name;
        value;
    }
    SuggestionView = Suggestion by as_suggestion {
        /// What is suggested.
        text text = text;
        /// The parts of the other message that it is about.
        list text_highlights: super::TextHighlight;
    }
}
