//! What most bots need: `use tidings::prelude::*;`.

pub use tidings_activity::{Activity, ActivityType, ConversationReference};
pub use tidings_bot::{
    Bot, BotState, Capture, Captures, Conversation, EventValue, FromTurn, Middleware, Next, Router, Scope,
    Service, StateProperty, StatePropertyAccessor, Text, TurnContext, async_trait,
};
pub use tidings_proactive::{Completion, Job, JobNumber, JobState, Jobs, Proactive};
