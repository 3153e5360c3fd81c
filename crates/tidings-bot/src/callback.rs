//! The logic of one proactive turn.

use std::future::Future;

use futures_util::future::BoxFuture;

use crate::error::Result;
use crate::turn::TurnContext;

/// The logic of one proactive turn: an async closure `async move |turn: &mut TurnContext| { ... }` or an
/// `async fn`.
///
/// Implemented for all of them; there is no need to implement it by hand.
pub trait TurnCallback<'a>: Send {
    /// What the callback returns.
    type Future: Future<Output = Result<()>> + Send + 'a;

    /// Runs the callback in the turn.
    fn run(self, turn: &'a mut TurnContext) -> Self::Future;
}

impl<'a, F, Fut> TurnCallback<'a> for F
where
    F: FnOnce(&'a mut TurnContext) -> Fut + Send,
    Fut: Future<Output = Result<()>> + Send + 'a,
{
    type Future = Fut;

    fn run(self, turn: &'a mut TurnContext) -> Fut {
        self(turn)
    }
}

pub(crate) type BoxedCallback =
    Box<dyn for<'a> FnOnce(&'a mut TurnContext) -> BoxFuture<'a, Result<()>> + Send>;

pub(crate) fn boxed<C>(callback: C) -> BoxedCallback
where
    C: for<'a> TurnCallback<'a> + 'static,
{
    Box::new(move |turn| Box::pin(callback.run(turn)))
}
