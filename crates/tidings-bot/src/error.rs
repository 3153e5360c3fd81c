//! The one error type of handlers: whatever went wrong, with its causes.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

/// The result of a handler, an extractor, a middleware: [`Error`] unless said otherwise.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Whatever went wrong in a turn.
///
/// Every `std` error becomes one by `?`; [`Error::msg`] makes one from a sentence. It is cheap to clone, so
/// the same error reaches the bot's `on_turn_error` and the caller of
/// [`continue_conversation`](crate::Adapter::continue_conversation). `Display` prints the error and its
/// causes in one line.
///
/// Inside `on_turn_error` it is also an extractor: `async fn apologise(turn: &mut TurnContext, error:
/// Error)`.
///
/// Like other catch-all error types it does not implement [`std::error::Error`] itself, because it is made
/// *from* any such error; [`Error::as_std`] gives the error inside.
///
/// ```
/// use tidings_bot::{Error, Result};
///
/// fn number(text: &str) -> Result<u32> {
///     let number: u32 = text.parse()?;
///     if number == 0 {
///         return Err(Error::msg("the number must be positive"));
///     }
///     Ok(number)
/// }
///
/// assert_eq!(number("0").unwrap_err().to_string(), "the number must be positive");
/// assert!(number("x").unwrap_err().downcast_ref::<std::num::ParseIntError>().is_some());
/// ```
#[derive(Clone)]
pub struct Error {
    inner: Arc<dyn StdError + Send + Sync + 'static>,
}

impl Error {
    /// An error that wraps `error`; `?` does the same.
    pub fn new(error: impl StdError + Send + Sync + 'static) -> Self {
        Self {
            inner: Arc::new(error),
        }
    }

    /// An error that is only a sentence.
    pub fn msg(message: impl fmt::Display) -> Self {
        Self::new(Message {
            text: message.to_string(),
            cause: None,
        })
    }

    /// The same error with a sentence before it that says what was being done.
    #[must_use]
    pub fn context(self, message: impl fmt::Display) -> Self {
        Self::new(Message {
            text: message.to_string(),
            cause: Some(self),
        })
    }

    /// The first error of type `E` among this error and its causes.
    pub fn downcast_ref<E: StdError + 'static>(&self) -> Option<&E> {
        let mut next: Option<&(dyn StdError + 'static)> = Some(self.as_std());
        while let Some(error) = next {
            if let Some(found) = error.downcast_ref::<E>() {
                return Some(found);
            }
            next = error.source();
        }
        None
    }

    /// Whether this error or one of its causes is an `E`.
    pub fn is<E: StdError + 'static>(&self) -> bool {
        self.downcast_ref::<E>().is_some()
    }

    /// The error inside, for code that wants a [`std::error::Error`].
    pub fn as_std(&self) -> &(dyn StdError + Send + Sync + 'static) {
        &*self.inner
    }
}

impl<E: StdError + Send + Sync + 'static> From<E> for Error {
    fn from(error: E) -> Self {
        Self::new(error)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut said = self.inner.to_string();
        f.write_str(&said)?;
        let mut cause = self.inner.source();
        while let Some(error) = cause {
            let text = error.to_string();
            // Many errors print their cause themselves; once is enough.
            if !said.contains(&text) {
                write!(f, ": {text}")?;
                said = text;
            }
            cause = error.source();
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.inner, f)
    }
}

struct Message {
    text: String,
    cause: Option<Error>,
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)?;
        match &self.cause {
            Some(cause) => write!(f, ": {cause:?}"),
            None => Ok(()),
        }
    }
}

impl StdError for Message {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.cause
            .as_ref()
            .map(|cause| cause.as_std() as &(dyn StdError + 'static))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("outer")]
    struct Outer(#[source] std::num::ParseIntError);

    #[derive(Debug, thiserror::Error)]
    #[error("outer: {0}")]
    struct Repeating(#[source] std::num::ParseIntError);

    fn parse_error() -> std::num::ParseIntError {
        "x".parse::<u8>().unwrap_err()
    }

    #[test]
    fn display_names_the_causes_once() {
        assert_eq!(
            Error::new(Outer(parse_error())).to_string(),
            "outer: invalid digit found in string"
        );
        assert_eq!(
            Error::new(Repeating(parse_error())).to_string(),
            "outer: invalid digit found in string"
        );
    }

    #[test]
    fn context_goes_first_and_the_cause_stays_reachable() {
        let error = Error::from(parse_error()).context("while reading the job number");
        assert_eq!(
            error.to_string(),
            "while reading the job number: invalid digit found in string"
        );
        assert!(error.is::<std::num::ParseIntError>());
        assert!(!error.is::<fmt::Error>());
    }
}
