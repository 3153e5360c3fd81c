mod role;

pub use role::RoleType;

use crate::wire::wire;

wire! {
    /// A user, bot or group member as one channel knows it. Bot Framework Activity spec: Channel account.
    ///
    /// ```
    /// use tidings_activity::ChannelAccount;
    ///
    /// let user = ChannelAccount::new("29:1a2b", "Ana");
    /// assert_eq!(user.id.as_deref(), Some("29:1a2b"));
    /// ```
    pub struct ChannelAccount {
        /// The id, unique within the channel.
        pub id: Option<String> = "id",
        /// The name to show.
        pub name: Option<String> = "name",
        /// The object id in Microsoft Entra ID (Azure Active Directory).
        pub aad_object_id: Option<String> = "aadObjectId",
        /// What is behind the account.
        pub role: Option<RoleType> = "role",
        /// The tenant the account belongs to.
        pub tenant_id: Option<String> = "tenantId",
        /// The user id of an agent that has an identity of its own.
        pub agentic_user_id: Option<String> = "agenticUserId",
        /// The app id of an agent that has an identity of its own.
        pub agentic_app_id: Option<String> = "agenticAppId",
    }
}

impl ChannelAccount {
    /// An account of this id and name.
    pub fn new(id: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            id: Some(id.into()),
            name: Some(name.into()),
            ..Self::default()
        }
    }

    /// The same account with a role.
    #[must_use]
    pub fn with_role(mut self, role: RoleType) -> Self {
        self.role = Some(role);
        self
    }

    /// The id, None when it is absent or empty.
    pub fn known_id(&self) -> Option<&str> {
        self.id.as_deref().filter(|id| !id.is_empty())
    }
}
