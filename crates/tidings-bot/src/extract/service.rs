//! A registered service as an argument.

use std::ops::Deref;

use super::FromTurn;
use crate::error::Result;
use crate::turn::TurnContext;

/// A service registered with [`AdapterBuilder::service`](crate::AdapterBuilder::service), as a handler's
/// argument.
///
/// ```
/// use tidings_bot::{Result, Service, TurnContext};
///
/// #[derive(Clone)]
/// struct Greeting(&'static str);
///
/// async fn hello(turn: &mut TurnContext, Service(greeting): Service<Greeting>) -> Result<()> {
///     turn.say(greeting.0).await
/// }
/// ```
#[derive(Debug, Clone)]
pub struct Service<T>(pub T);

impl<T> Deref for Service<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: Clone + Send + Sync + 'static> FromTurn for Service<T> {
    async fn from_turn(turn: &mut TurnContext) -> Result<Self> {
        turn.service().map(Self)
    }
}
