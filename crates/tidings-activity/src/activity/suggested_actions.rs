use crate::card::CardAction;
use crate::wire::wire;

wire! {
    /// Buttons that offer answers; they go away when one is pressed. Bot Framework Activity spec: Suggested actions.
    pub struct SuggestedActions {
        /// The ids of those who see them; absent or empty for all.
        pub to: Option<Vec<String>> = "to",
        /// The buttons.
        pub actions: Option<Vec<CardAction>> = "actions",
    }
}

impl SuggestedActions {
    /// Buttons for all.
    pub fn new(actions: impl IntoIterator<Item = CardAction>) -> Self {
        Self {
            actions: Some(actions.into_iter().collect()),
            ..Self::default()
        }
    }
}
