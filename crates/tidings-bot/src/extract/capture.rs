//! What a pattern's `{name}` stands for, as an argument.

use std::fmt;
use std::str::FromStr;

use super::FromTurn;
use crate::error::Result;
use crate::turn::TurnContext;

/// What the `{name}` of the route's pattern stands for in this message, parsed as a `T`.
///
/// The first `Capture` argument is the pattern's first capture, the second the second, and so on. A text that
/// does not parse fails the turn with a [`CaptureError`]; take `Option<Capture<T>>` or `Result<Capture<T>>`
/// to answer it yourself.
///
/// ```
/// use tidings_bot::{Capture, Result, Router, TurnContext};
///
/// async fn finish(turn: &mut TurnContext, job: Option<Capture<u64>>) -> Result<()> {
///     match job {
///         Some(Capture(job)) => turn.say(format!("Completing job {job}.")).await,
///         None => turn.say("Enter the job ID number after \"done\".").await,
///     }
/// }
///
/// let bot = Router::new().message(["done {job}", "done"], finish);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capture<T>(pub T);

impl<T> FromTurn for Capture<T>
where
    T: FromStr + Send,
    T::Err: fmt::Display,
{
    async fn from_turn(turn: &mut TurnContext) -> Result<Self> {
        let captured = turn.captures_mut().take_next();
        let Some((name, text)) = captured else {
            return Err(CaptureError {
                name: None,
                text: None,
                problem: "the route's pattern has no more captures".to_owned(),
            }
            .into());
        };
        match text.parse() {
            Ok(value) => Ok(Self(value)),
            Err(problem) => {
                let problem = problem.to_string();
                Err(CaptureError {
                    name: Some(name.to_string()),
                    text: Some(text),
                    problem,
                }
                .into())
            }
        }
    }
}

/// A captured text is not what the handler takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaptureError {
    /// The capture's name in the pattern; `None` if the pattern has no such capture.
    pub name: Option<String>,
    /// What the user wrote there.
    pub text: Option<String>,
    /// What the parser said.
    pub problem: String,
}

impl fmt::Display for CaptureError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.name, &self.text) {
            (Some(name), Some(text)) => write!(f, "{{{name}}} = {text:?}: {}", self.problem),
            _ => f.write_str(&self.problem),
        }
    }
}

impl std::error::Error for CaptureError {}
