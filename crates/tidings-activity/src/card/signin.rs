use super::{CardAction, CardActionType, card};
use crate::wire::wire;

wire! {
    /// A card that asks the user to sign in at a web page.
    pub struct SigninCard {
        /// The text.
        pub text: Option<String> = "text",
        /// The buttons.
        pub buttons: Option<Vec<CardAction>> = "buttons",
    }
}

card!(SigninCard = "application/vnd.microsoft.card.signin");

impl SigninCard {
    /// A card with this text and one button that leads to `url`.
    pub fn new(text: impl Into<String>, button: impl Into<String>, url: impl Into<String>) -> Self {
        let url = serde_json::Value::String(url.into());
        let button = CardAction::new(CardActionType::Signin, button, url);
        Self {
            text: Some(text.into()),
            buttons: Some(vec![button]),
            ..Self::default()
        }
    }
}
