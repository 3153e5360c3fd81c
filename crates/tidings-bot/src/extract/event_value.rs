//! The activity's `value`, as an argument.

use serde::de::DeserializeOwned;

use super::FromTurn;
use crate::error::{Error, Result};
use crate::turn::TurnContext;

/// The activity's `value` decoded as a `T`: what an event or an invoke carries. An absent value is decoded as
/// `null`.
///
/// ```
/// use serde::Deserialize;
/// use tidings_bot::{EventValue, Result, Router, TurnContext};
///
/// #[derive(Deserialize)]
/// struct PriceDropped {
///     product: String,
/// }
///
/// async fn dropped(turn: &mut TurnContext, EventValue(price): EventValue<PriceDropped>) -> Result<()> {
///     turn.say(format!("{} is cheaper now.", price.product)).await
/// }
///
/// let bot = Router::new().event("priceDropped", dropped);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventValue<T>(pub T);

impl<T: DeserializeOwned + Send> FromTurn for EventValue<T> {
    async fn from_turn(turn: &mut TurnContext) -> Result<Self> {
        let value = match &turn.activity().value {
            Some(raw) => raw.parse(),
            None => serde_json::from_str("null"),
        };
        value
            .map(Self)
            .map_err(|error| Error::new(error).context("the activity's value does not fit"))
    }
}
