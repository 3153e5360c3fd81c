//! Which handler an activity is for.

use std::collections::HashMap;
use std::fmt;

use async_trait::async_trait;
use tidings_activity::ActivityType;

use crate::bot::Bot;
use crate::error::{Error, Result};
use crate::handler::{AnyHandler, Handler, erase};
use crate::turn::TurnContext;

mod captures;
mod names;
mod pattern;
pub(crate) mod utterance;

pub use captures::Captures;
pub use names::Names;
use pattern::Pattern;

/// Routes activities to handlers; a [`Bot`] made of `async fn`s.
///
/// ```
/// use tidings_bot::{Capture, Error, Result, Router, Text, TurnContext};
///
/// async fn start(turn: &mut TurnContext) -> Result<()> {
///     turn.say("We're starting a job for you.").await
/// }
///
/// async fn finish(turn: &mut TurnContext, Capture(job): Capture<u64>) -> Result<()> {
///     turn.say(format!("Completing job {job}.")).await
/// }
///
/// async fn help(turn: &mut TurnContext, text: Text) -> Result<()> {
///     turn.say(format!("I do not understand \"{text}\". Type `run` or `done 7`.")).await
/// }
///
/// async fn apologise(turn: &mut TurnContext, error: Error) -> Result<()> {
///     turn.say(format!("Sorry, that went wrong: {error}")).await
/// }
///
/// let bot = Router::new()
///     .message(["run", "run job"], start)
///     .message("done {job}", finish)
///     .otherwise(help)
///     .on_turn_error(apologise);
/// ```
///
/// # Patterns of messages
///
/// A pattern is compared with the user's text word by word: upper and lower case are the same, white space is
/// only a separator, and the mention of the bot that group chats put into the text is left out. `{name}`
/// stands for one word and `{name..}`, at the end, for all the words that are left, at least one; the handler
/// gets them by [`Capture`](crate::Capture) or [`Captures`], in the user's spelling. Of several patterns that
/// fit, the one registered first wins.
///
/// # What nothing fits
///
/// A message goes to [`otherwise`](Self::otherwise), then to a handler for all [messages](Self::activity). An
/// event or invoke goes to a handler for all of its type. Anything else is taken silently (an invoke without
/// a result is answered with 501).
#[derive(Default)]
pub struct Router {
    handlers: Vec<Box<dyn AnyHandler>>,
    exact: HashMap<Box<str>, usize>,
    patterns: Vec<(Pattern, usize)>,
    events: HashMap<Box<str>, usize>,
    invokes: HashMap<Box<str>, usize>,
    by_type: Vec<(ActivityType, usize)>,
    otherwise: Option<usize>,
    on_turn_error: Option<usize>,
}

impl Router {
    /// A router that knows nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Messages that fit one of `patterns` go to `handler`.
    ///
    /// # Panics
    /// When a pattern has no words, an unfinished `{name}`, the same name twice, or words after a `{name..}`.
    #[must_use]
    pub fn message<Args: 'static>(mut self, patterns: impl Names, handler: impl Handler<Args>) -> Self {
        let route = self.add(handler);
        patterns.each(&mut |source| {
            let pattern = match Pattern::parse(source) {
                Ok(pattern) => pattern,
                Err(problem) => panic!("the message pattern {source:?} {problem}"),
            };
            match pattern.into_exact() {
                Ok(text) => {
                    self.exact.entry(text).or_insert(route);
                }
                Err(pattern) => self.patterns.push((pattern, route)),
            }
        });
        self
    }

    /// Events with one of `names`, exactly as spelled, go to `handler`.
    #[must_use]
    pub fn event<Args: 'static>(mut self, names: impl Names, handler: impl Handler<Args>) -> Self {
        let route = self.add(handler);
        names.each(&mut |name| {
            self.events.entry(name.into()).or_insert(route);
        });
        self
    }

    /// Invokes with one of `names`, exactly as spelled, go to `handler`, which answers with
    /// [`TurnContext::respond_invoke`].
    #[must_use]
    pub fn invoke<Args: 'static>(mut self, names: impl Names, handler: impl Handler<Args>) -> Self {
        let route = self.add(handler);
        names.each(&mut |name| {
            self.invokes.entry(name.into()).or_insert(route);
        });
        self
    }

    /// Conversation updates (somebody joined or left, the topic changed) go to `handler`.
    #[must_use]
    pub fn conversation_update<Args: 'static>(self, handler: impl Handler<Args>) -> Self {
        self.activity(ActivityType::ConversationUpdate, handler)
    }

    /// Activities of type `kind` that no other route takes go to `handler`.
    #[must_use]
    pub fn activity<Args: 'static>(mut self, kind: ActivityType, handler: impl Handler<Args>) -> Self {
        let route = self.add(handler);
        self.by_type.push((kind, route));
        self
    }

    /// Messages that no pattern fits go to `handler`.
    #[must_use]
    pub fn otherwise<Args: 'static>(mut self, handler: impl Handler<Args>) -> Self {
        self.otherwise = Some(self.add(handler));
        self
    }

    /// Turns that fail go to `handler`; take the [`Error`] as an argument to see it. See
    /// [`Bot::on_turn_error`].
    #[must_use]
    pub fn on_turn_error<Args: 'static>(mut self, handler: impl Handler<Args>) -> Self {
        self.on_turn_error = Some(self.add(handler));
        self
    }

    fn add<Args: 'static>(&mut self, handler: impl Handler<Args>) -> usize {
        self.handlers.push(erase(handler));
        self.handlers.len() - 1
    }

    fn route(&self, turn: &mut TurnContext) -> Option<usize> {
        let activity = turn.activity();
        let named = match activity.kind {
            ActivityType::Message => {
                let text = utterance::of(activity);
                let folded = pattern::fold(&text);
                let (route, captures) = self.message_route(&text, &folded)?;
                *turn.captures_mut() = captures;
                return Some(route);
            }
            ActivityType::Event => activity
                .name
                .as_deref()
                .and_then(|name| self.events.get(name))
                .copied(),
            ActivityType::Invoke => activity
                .name
                .as_deref()
                .and_then(|name| self.invokes.get(name))
                .copied(),
            _ => None,
        };
        named.or_else(|| self.route_by_type(&activity.kind))
    }

    fn message_route(&self, text: &str, folded: &str) -> Option<(usize, Captures)> {
        let exact = self.exact.get(folded).copied();
        let first_fit = self
            .patterns
            .iter()
            .take_while(|(_, route)| exact.is_none_or(|exact| *route < exact))
            .find_map(|(pattern, route)| Some((*route, pattern.captures(text, folded)?)));
        first_fit.or_else(|| {
            let route = exact
                .or(self.otherwise)
                .or_else(|| self.route_by_type(&ActivityType::Message))?;
            Some((route, Captures::default()))
        })
    }

    fn route_by_type(&self, kind: &ActivityType) -> Option<usize> {
        self.by_type
            .iter()
            .find(|(wanted, _)| wanted == kind)
            .map(|(_, route)| *route)
    }
}

#[async_trait]
impl Bot for Router {
    async fn on_turn(&self, turn: &mut TurnContext) -> Result<()> {
        match self.route(turn) {
            Some(route) => self.handlers[route].call(turn).await,
            None => Ok(()),
        }
    }

    async fn on_turn_error(&self, turn: &mut TurnContext, error: Error) -> Result<()> {
        match self.on_turn_error {
            Some(route) => self.handlers[route].call(turn).await,
            None => Err(error),
        }
    }
}

impl fmt::Debug for Router {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Router")
            .field("handlers", &self.handlers.len())
            .finish_non_exhaustive()
    }
}
