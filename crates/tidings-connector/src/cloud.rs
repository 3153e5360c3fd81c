//! The addresses and names of a Bot Framework cloud.

/// Where tokens of one Bot Framework cloud come from and what stands in them (protocol, sections 3.1 and 3.3).
///
/// [`Cloud::public`], [`Cloud::us_government`] and [`Cloud::china`] are Microsoft's; each field can be replaced, under
/// the names that botbuilder gives them.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Cloud {
    /// The authority of a multi-tenant bot, tenant included: `ToChannelFromBotLoginUrl`. A single-tenant bot replaces
    /// the last segment of its path by its own tenant.
    pub login_url: String,
    /// What a token for a channel is asked for, without `/.default`: `ToChannelFromBotOAuthScope`.
    pub oauth_scope: String,
    /// Who issues the channel's tokens: `ToBotFromChannelTokenIssuer`.
    pub channel_issuer: String,
    /// The metadata of the channel's keys: `ToBotFromChannelOpenIdMetadataUrl`, or `BotOpenIdMetadata`.
    pub channel_metadata_url: String,
    /// The metadata of the keys of the Emulator and of other bots: `ToBotFromEmulatorOpenIdMetadataUrl`.
    pub emulator_metadata_url: String,
    /// The token service for users: `OAuthUrl`.
    pub oauth_url: String,
    /// The `callerId` of an activity from a channel: `CallerId`. Empty: none is set.
    pub caller_id: String,
}

impl Cloud {
    /// Azure's public cloud.
    #[must_use]
    pub fn public() -> Self {
        Self {
            login_url: "https://login.microsoftonline.com/botframework.com".to_owned(),
            oauth_scope: "https://api.botframework.com".to_owned(),
            channel_issuer: "https://api.botframework.com".to_owned(),
            channel_metadata_url: "https://login.botframework.com/v1/.well-known/openidconfiguration"
                .to_owned(),
            emulator_metadata_url:
                "https://login.microsoftonline.com/botframework.com/v2.0/.well-known/openid-configuration"
                    .to_owned(),
            oauth_url: "https://api.botframework.com".to_owned(),
            caller_id: "urn:botframework:azure".to_owned(),
        }
    }

    /// Azure for the US government.
    #[must_use]
    pub fn us_government() -> Self {
        Self {
            login_url: "https://login.microsoftonline.us/MicrosoftServices.onmicrosoft.us".to_owned(),
            oauth_scope: "https://api.botframework.us".to_owned(),
            channel_issuer: "https://api.botframework.us".to_owned(),
            channel_metadata_url: "https://login.botframework.azure.us/v1/.well-known/openidconfiguration".to_owned(),
            emulator_metadata_url: "https://login.microsoftonline.us/cab8a31a-1906-4287-a0d8-4eef66b95f6e/v2.0/.well-known/openid-configuration".to_owned(),
            oauth_url: "https://api.botframework.azure.us".to_owned(),
            caller_id: "urn:botframework:azureusgov".to_owned(),
        }
    }

    /// Azure in China.
    #[must_use]
    pub fn china() -> Self {
        Self {
            login_url: "https://login.partner.microsoftonline.cn/microsoftservices.partner.onmschina.cn".to_owned(),
            oauth_scope: "https://api.botframework.azure.cn".to_owned(),
            channel_issuer: "https://api.botframework.azure.cn".to_owned(),
            channel_metadata_url: "https://login.botframework.azure.cn/v1/.well-known/openidconfiguration".to_owned(),
            emulator_metadata_url: "https://login.partner.microsoftonline.cn/a55a4d5b-9241-49b1-b4ff-befa8db00269/v2.0/.well-known/openid-configuration".to_owned(),
            oauth_url: "https://api.botframework.azure.cn".to_owned(),
            caller_id: "urn:botframework:azurechina".to_owned(),
        }
    }

    /// The cloud that a `ChannelService` setting names: empty is the public one.
    ///
    /// ```
    /// use tidings_connector::Cloud;
    ///
    /// assert_eq!(Cloud::of_channel_service("https://botframework.azure.us"), Some(Cloud::us_government()));
    /// assert_eq!(Cloud::of_channel_service("https://example.com"), None);
    /// ```
    #[must_use]
    pub fn of_channel_service(channel_service: &str) -> Option<Self> {
        match channel_service.trim_end_matches('/') {
            "" | "https://botframework.com" => Some(Self::public()),
            "https://botframework.azure.us" | "https://botframework.us" => Some(Self::us_government()),
            "https://botframework.azure.cn" => Some(Self::china()),
            _ => None,
        }
    }
}

impl Default for Cloud {
    /// The public cloud.
    fn default() -> Self {
        Self::public()
    }
}
