//! What the bot is registered as.

use std::str::FromStr;

/// How a bot is registered with Azure Bot Service: `MicrosoftAppType`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AppType {
    /// Any tenant may use it; tokens come from the Bot Framework's tenant.
    #[default]
    MultiTenant,
    /// One tenant; tokens come from that tenant.
    SingleTenant,
    /// A user-assigned managed identity of one tenant.
    UserAssignedMsi,
}

impl AppType {
    /// The name of the setting's value.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::MultiTenant => "MultiTenant",
            Self::SingleTenant => "SingleTenant",
            Self::UserAssignedMsi => "UserAssignedMsi",
        }
    }
}

impl FromStr for AppType {
    type Err = String;

    /// The three names, in any case, as the Bot Framework reads them.
    fn from_str(text: &str) -> Result<Self, String> {
        [Self::MultiTenant, Self::SingleTenant, Self::UserAssignedMsi]
            .into_iter()
            .find(|kind| kind.as_str().eq_ignore_ascii_case(text.trim()))
            .ok_or_else(|| "must be MultiTenant, SingleTenant or UserAssignedMsi".to_owned())
    }
}

/// The bot's registration: who it is to the channels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppRegistration {
    /// `MicrosoftAppId`.
    pub app_id: String,
    /// `MicrosoftAppType`.
    pub app_type: AppType,
    /// `MicrosoftAppTenantId`; needed by all but multi-tenant bots.
    pub tenant_id: Option<String>,
}
