//! Properties that are known by their type.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{BotState, StatePropertyAccessor};
use crate::error::{Error, Result};
use crate::extract::FromTurn;
use crate::turn::TurnContext;

/// Which documents a [`StateProperty`] lives in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// [`BotState::conversation`].
    Conversation,
    /// [`BotState::user`].
    User,
    /// [`BotState::private_conversation`].
    PrivateConversation,
    /// A [`BotState::custom`] of this name, registered with
    /// [`AdapterBuilder::state`](crate::AdapterBuilder::state).
    Custom(&'static str),
}

/// A type that is a state property itself, so that its accessor is an extractor.
///
/// ```
/// use serde::{Deserialize, Serialize};
/// use tidings_bot::{Result, Scope, StateProperty, StatePropertyAccessor, TurnContext};
///
/// #[derive(Default, Serialize, Deserialize)]
/// struct Visits {
///     count: u32,
/// }
///
/// impl StateProperty for Visits {
///     const NAME: &'static str = "visits";
///     const SCOPE: Scope = Scope::User;
/// }
///
/// async fn count(turn: &mut TurnContext, visits: StatePropertyAccessor<Visits>) -> Result<()> {
///     let mut now = visits.get_or_default(turn).await?;
///     now.count += 1;
///     visits.set(turn, &now).await?;
///     turn.say(format!("Visit number {}.", now.count)).await
/// }
/// ```
pub trait StateProperty: Serialize + DeserializeOwned + Send + 'static {
    /// The property's name in the document.
    const NAME: &'static str;
    /// Which documents it lives in.
    const SCOPE: Scope;
}

impl<T: StateProperty> FromTurn for StatePropertyAccessor<T> {
    async fn from_turn(turn: &mut TurnContext) -> Result<Self> {
        let state = match T::SCOPE {
            Scope::Conversation => BotState::conversation(),
            Scope::User => BotState::user(),
            Scope::PrivateConversation => BotState::private_conversation(),
            Scope::Custom(name) => turn.adapter().state(name).cloned().ok_or_else(|| {
                Error::msg(format!(
                    "no state named {name:?} is registered; add it with AdapterBuilder::state"
                ))
            })?,
        };
        Ok(state.property(T::NAME))
    }
}
