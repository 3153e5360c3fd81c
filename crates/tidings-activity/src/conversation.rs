mod kind;
mod members;
mod parameters;

pub use kind::ConversationType;
pub use members::{ConversationMembers, ConversationsResult, PagedMembersResult};
pub use parameters::ConversationParameters;

use crate::account::RoleType;
use crate::wire::wire;

wire! {
    /// A conversation as one channel knows it. Bot Framework Activity spec: Conversation account.
    pub struct ConversationAccount {
        /// The id, unique within the channel.
        pub id: Option<String> = "id",
        /// The name to show.
        pub name: Option<String> = "name",
        /// Whether more than two take part.
        pub is_group: Option<bool> = "isGroup",
        /// Teams: personal, group chat or channel.
        pub conversation_type: Option<ConversationType> = "conversationType",
        /// The tenant the conversation belongs to.
        pub tenant_id: Option<String> = "tenantId",
        /// The object id in Microsoft Entra ID (Azure Active Directory).
        pub aad_object_id: Option<String> = "aadObjectId",
        /// What is behind the account, when it stands for one participant.
        pub role: Option<RoleType> = "role",
    }
}

impl ConversationAccount {
    /// A conversation of this id.
    pub fn new(id: impl Into<String>) -> Self {
        Self {
            id: Some(id.into()),
            ..Self::default()
        }
    }

    /// The id, None when it is absent or empty.
    pub fn known_id(&self) -> Option<&str> {
        self.id.as_deref().filter(|id| !id.is_empty())
    }
}
