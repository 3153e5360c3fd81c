//! One property of a state document.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::BotState;
use crate::error::Result;
use crate::turn::TurnContext;

/// Reads and writes one property of a [`BotState`], as a `T`.
///
/// A value that was read is yours: changing it changes nothing until it is [`set`](Self::set) again.
pub struct StatePropertyAccessor<T> {
    state: BotState,
    name: Arc<str>,
    value: PhantomData<fn() -> T>,
}

impl<T> StatePropertyAccessor<T> {
    pub(super) fn new(state: BotState, name: Arc<str>) -> Self {
        Self {
            state,
            name,
            value: PhantomData,
        }
    }

    /// The property's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Removes the property.
    ///
    /// # Errors
    /// When the storage cannot be read.
    pub async fn delete(&self, turn: &mut TurnContext) -> Result<()> {
        self.state.document(turn).await?.remove(&self.name);
        Ok(())
    }
}

impl<T: DeserializeOwned> StatePropertyAccessor<T> {
    /// The property's value; `None` if it is not there or `null`.
    ///
    /// # Errors
    /// When the storage cannot be read, or with [`StateError::Unreadable`](crate::StateError::Unreadable)
    /// when the value is not a `T`.
    pub async fn get(&self, turn: &mut TurnContext) -> Result<Option<T>> {
        self.state.document(turn).await?.get(&self.name)
    }

    /// The property's value, or `default`. Unlike in other SDKs, reading never stores the default.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub async fn get_or(&self, turn: &mut TurnContext, default: T) -> Result<T> {
        Ok(self.get(turn).await?.unwrap_or(default))
    }

    /// The property's value, or the type's default.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub async fn get_or_default(&self, turn: &mut TurnContext) -> Result<T>
    where
        T: Default,
    {
        Ok(self.get(turn).await?.unwrap_or_default())
    }
}

impl<T: Serialize> StatePropertyAccessor<T> {
    /// Sets the property for the rest of the turn, and for good when the turn ends well.
    ///
    /// # Errors
    /// When the storage cannot be read, or `value` not be written as JSON.
    pub async fn set(&self, turn: &mut TurnContext, value: &T) -> Result<()> {
        let value = serde_json::to_value(value)?;
        self.state.document(turn).await?.set(&self.name, value);
        Ok(())
    }
}

impl<T> Clone for StatePropertyAccessor<T> {
    fn clone(&self) -> Self {
        Self {
            state: self.state.clone(),
            name: Arc::clone(&self.name),
            value: PhantomData,
        }
    }
}

impl<T> fmt::Debug for StatePropertyAccessor<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StatePropertyAccessor")
            .field("state", &self.state)
            .field("name", &self.name)
            .finish()
    }
}
