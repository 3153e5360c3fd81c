use super::{CardAction, CardImage, card};
use crate::wire::wire;

wire! {
    /// A card that lists what was bought. Amounts are texts, with their currency.
    pub struct ReceiptCard {
        /// The title.
        pub title: Option<String> = "title",
        /// Facts about the purchase.
        pub facts: Option<Vec<Fact>> = "facts",
        /// What was bought.
        pub items: Option<Vec<ReceiptItem>> = "items",
        /// What a tap on the card does.
        pub tap: Option<CardAction> = "tap",
        /// The sum.
        pub total: Option<String> = "total",
        /// The tax in it.
        pub tax: Option<String> = "tax",
        /// The value added tax in it.
        pub vat: Option<String> = "vat",
        /// The buttons.
        pub buttons: Option<Vec<CardAction>> = "buttons",
    }
}

card!(ReceiptCard = "application/vnd.microsoft.card.receipt");

impl ReceiptCard {
    /// A card with this title.
    pub fn new(title: impl Into<String>) -> Self {
        Self {
            title: Some(title.into()),
            ..Self::default()
        }
    }
}

wire! {
    /// A name and what it stands for.
    pub struct Fact {
        /// The name.
        pub key: Option<String> = "key",
        /// What it stands for.
        pub value: Option<String> = "value",
    }
}

impl Fact {
    /// The fact `key`: `value`.
    pub fn new(key: impl Into<String>, value: impl Into<String>) -> Self {
        Self {
            key: Some(key.into()),
            value: Some(value.into()),
            ..Self::default()
        }
    }
}

wire! {
    /// One line of a receipt.
    pub struct ReceiptItem {
        /// What was bought.
        pub title: Option<String> = "title",
        /// What stands below the title.
        pub subtitle: Option<String> = "subtitle",
        /// The text.
        pub text: Option<String> = "text",
        /// A picture.
        pub image: Option<CardImage> = "image",
        /// The price, with its currency.
        pub price: Option<String> = "price",
        /// How many.
        pub quantity: Option<String> = "quantity",
        /// What a tap on the line does.
        pub tap: Option<CardAction> = "tap",
    }
}
