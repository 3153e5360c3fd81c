use crate::account::ChannelAccount;
use crate::wire::wire;

wire! {
    /// One conversation and who takes part: in the answer to `GET /v3/conversations`.
    pub struct ConversationMembers {
        /// The conversation.
        pub id: Option<String> = "id",
        /// Who takes part.
        pub members: Option<Vec<ChannelAccount>> = "members",
    }
}

wire! {
    /// A page of conversations: the answer to `GET /v3/conversations`.
    pub struct ConversationsResult {
        /// What to ask with for the next page; absent or empty on the last.
        pub continuation_token: Option<String> = "continuationToken",
        /// The conversations of this page.
        pub conversations: Option<Vec<ConversationMembers>> = "conversations",
    }
}

wire! {
    /// A page of members: the answer to `GET /v3/conversations/{id}/pagedmembers`.
    pub struct PagedMembersResult {
        /// What to ask with for the next page; absent or empty on the last.
        pub continuation_token: Option<String> = "continuationToken",
        /// The members of this page.
        pub members: Option<Vec<ChannelAccount>> = "members",
    }
}
