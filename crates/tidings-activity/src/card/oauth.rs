use super::{CardAction, card};
use crate::wire::wire;

wire! {
    /// A card that asks the user to sign in through a connection of the bot service.
    pub struct OAuthCard {
        /// The text.
        pub text: Option<String> = "text",
        /// The connection, as it is named at the bot service.
        pub connection_name: Option<String> = "connectionName",
        /// The buttons.
        pub buttons: Option<Vec<CardAction>> = "buttons",
        /// What a token is exchanged for, for single sign-on.
        pub token_exchange_resource: Option<TokenExchangeResource> = "tokenExchangeResource",
        /// Where a token may be posted.
        pub token_post_resource: Option<TokenPostResource> = "tokenPostResource",
    }
}

card!(OAuthCard = "application/vnd.microsoft.card.oauth");

wire! {
    /// What a token is exchanged for, for single sign-on.
    pub struct TokenExchangeResource {
        /// The id of the exchange.
        pub id: Option<String> = "id",
        /// The resource.
        pub uri: Option<String> = "uri",
        /// The provider.
        pub provider_id: Option<String> = "providerId",
    }
}

wire! {
    /// Where a token may be posted.
    pub struct TokenPostResource {
        /// The address, with its shared access signature.
        pub sas_url: Option<String> = "sasUrl",
    }
}
