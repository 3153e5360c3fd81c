//! What a handler's arguments are made from.

use std::future::Future;

use crate::error::{Error, Result};
use crate::turn::TurnContext;

mod capture;
mod event_value;
mod service;
mod text;

pub use capture::{Capture, CaptureError};
pub use event_value::EventValue;
pub use service::Service;
pub use text::Text;

/// A value that a handler can take as an argument: made from the turn just before the handler runs.
///
/// A service crate makes its handle an extractor with a few lines:
///
/// ```
/// use tidings_bot::{FromTurn, Result, TurnContext};
///
/// #[derive(Clone)]
/// struct Prices;
///
/// impl FromTurn for Prices {
///     async fn from_turn(turn: &mut TurnContext) -> Result<Self> {
///         turn.service()
///     }
/// }
/// ```
///
/// `Option<T>` is `None` where `T` fails, and `Result<T>` hands the failure to the handler.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an extractor",
    note = "implement `FromTurn`, or ask for a registered service by `Service<{Self}>`"
)]
pub trait FromTurn: Sized {
    /// Makes the value.
    fn from_turn(turn: &mut TurnContext) -> impl Future<Output = Result<Self>> + Send;
}

impl<T: FromTurn> FromTurn for Option<T> {
    async fn from_turn(turn: &mut TurnContext) -> Result<Self> {
        Ok(T::from_turn(turn).await.ok())
    }
}

impl<T: FromTurn> FromTurn for Result<T> {
    async fn from_turn(turn: &mut TurnContext) -> Result<Self> {
        Ok(T::from_turn(turn).await)
    }
}

/// The error that ended the turn; only inside `on_turn_error`.
impl FromTurn for Error {
    async fn from_turn(turn: &mut TurnContext) -> Result<Self> {
        turn.error()
            .cloned()
            .ok_or_else(|| Error::msg("the extractor Error works only inside on_turn_error"))
    }
}
