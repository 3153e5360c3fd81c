//! Plain async functions as handlers.

use std::future::Future;

use futures_util::future::BoxFuture;

use crate::error::Result;
use crate::extract::FromTurn;
use crate::turn::TurnContext;

/// What a route calls: an `async fn` that takes the turn and up to six [extractors](FromTurn).
///
/// ```
/// use tidings_bot::{Result, Router, Text, TurnContext};
///
/// async fn echo(turn: &mut TurnContext, text: Text) -> Result<()> {
///     turn.say(format!("You said {text}")).await
/// }
///
/// let bot = Router::new().otherwise(echo).message("ping", async |turn: &mut TurnContext| turn.say("pong").await);
/// ```
///
/// An async closure that captures nothing is a handler too. A handler that needs something from outside asks
/// for it as a [service](crate::Services). Extractors run in order before the handler; the first that fails
/// fails the turn.
///
/// Implemented for all such functions; there is no need to implement it by hand. `Args` tells them apart.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a handler",
    label = "not a handler",
    note = "a handler is `async fn(turn: &mut TurnContext, ...) -> tidings::Result<()>` with at most six more arguments, each an extractor (`FromTurn`), \
            and its future must be `Send`"
)]
pub trait Handler<Args>: Send + Sync + 'static {
    /// Runs the extractors, then the function.
    fn call<'a>(&'a self, turn: &'a mut TurnContext) -> BoxFuture<'a, Result<()>>;
}

/// A handler whose arguments are forgotten, as the router keeps it.
pub(crate) trait AnyHandler: Send + Sync {
    fn call<'a>(&'a self, turn: &'a mut TurnContext) -> BoxFuture<'a, Result<()>>;
}

struct Erased<H, Args> {
    handler: H,
    args: std::marker::PhantomData<fn() -> Args>,
}

impl<H: Handler<Args>, Args> AnyHandler for Erased<H, Args> {
    fn call<'a>(&'a self, turn: &'a mut TurnContext) -> BoxFuture<'a, Result<()>> {
        self.handler.call(turn)
    }
}

pub(crate) fn erase<H: Handler<Args>, Args: 'static>(handler: H) -> Box<dyn AnyHandler> {
    Box::new(Erased {
        handler,
        args: std::marker::PhantomData,
    })
}

/// For each number of extractors a helper trait that carries the turn's lifetime, which `for<'a> Fn(&'a mut
/// _) -> Fut` cannot.
macro_rules! handlers {
    ($($helper:ident ( $($arg:ident: $Arg:ident),* );)*) => {$(
        #[doc(hidden)]
        pub trait $helper<'a, $($Arg),*>: Send + Sync {
            type Future: Future<Output = Result<()>> + Send + 'a;
            fn invoke(&self, turn: &'a mut TurnContext, args: ($($Arg,)*)) -> Self::Future;
        }

        impl<'a, F, Fut, $($Arg),*> $helper<'a, $($Arg),*> for F
        where
            F: Fn(&'a mut TurnContext, $($Arg),*) -> Fut + Send + Sync,
            Fut: Future<Output = Result<()>> + Send + 'a,
        {
            type Future = Fut;

            fn invoke(&self, turn: &'a mut TurnContext, ($($arg,)*): ($($Arg,)*)) -> Fut {
                self(turn, $($arg),*)
            }
        }

        impl<F, $($Arg),*> Handler<($($Arg,)*)> for F
        where
            F: for<'a> $helper<'a, $($Arg),*> + 'static,
            $($Arg: FromTurn + Send + 'static,)*
        {
            fn call<'a>(&'a self, turn: &'a mut TurnContext) -> BoxFuture<'a, Result<()>> {
                Box::pin(async move {
                    $(let $arg = $Arg::from_turn(turn).await?;)*
                    self.invoke(turn, ($($arg,)*)).await
                })
            }
        }
    )*};
}

handlers! {
    HandlerFn0();
    HandlerFn1(a1: A1);
    HandlerFn2(a1: A1, a2: A2);
    HandlerFn3(a1: A1, a2: A2, a3: A3);
    HandlerFn4(a1: A1, a2: A2, a3: A3, a4: A4);
    HandlerFn5(a1: A1, a2: A2, a3: A3, a4: A4, a5: A5);
    HandlerFn6(a1: A1, a2: A2, a3: A3, a4: A4, a5: A5, a6: A6);
}
