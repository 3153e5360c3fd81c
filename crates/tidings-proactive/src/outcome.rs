//! What a failed attempt means: for its delivery, for its lane, and for what is sent next.
//!
//! [`ANSWERS`] has one row for each status and code that differ; the first row that fits decides.

use std::ops::RangeInclusive;
use std::time::Duration;

use tidings_connector::{Phase, SendError, code};

use crate::reason::{CloseReason, DeadReason};

/// What to do after a failed attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Judgement {
    /// The channel took it; only its answer is of no use.
    Accepted,
    /// It was not delivered, and may be sent again.
    Retry {
        /// What the channel asked to wait.
        after: Option<Duration>,
        /// What has to wait as long, besides the delivery.
        pause: Option<PauseScope>,
        attempt: AttemptOutcome,
    },
    /// It may have been delivered. The delivery's policy decides.
    Unknown { after: Option<Duration> },
    /// This delivery cannot be delivered. Says nothing about the others of the lane.
    Dead(DeadReason),
    /// Nothing can be delivered in this conversation.
    CloseLane(CloseReason),
}

impl Judgement {
    /// How the attempt is recorded, `None` if it delivered.
    #[cfg_attr(not(test), expect(dead_code, reason = "until attempts are on record"))]
    pub(crate) fn attempt(self) -> Option<AttemptOutcome> {
        match self {
            Judgement::Accepted => None,
            Judgement::Retry { attempt, .. } => Some(attempt),
            Judgement::Unknown { .. } => Some(AttemptOutcome::Unknown),
            Judgement::Dead(_) => Some(AttemptOutcome::Rejected),
            Judgement::CloseLane(_) => Some(AttemptOutcome::Closed),
        }
    }
}

/// How far a wait that the channel asks for reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PauseScope {
    /// The conversation.
    Lane,
    /// The app's conversations in the tenant.
    Tenant,
    /// All of the app's conversations on the channel.
    App,
}

/// How an attempt that did not deliver ended, as it is recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AttemptOutcome {
    /// It provably did not reach the channel.
    NotSent,
    /// The channel turned it away because too much was sent.
    Throttled,
    /// The channel did not accept the token.
    Unauthorized,
    /// The channel takes nothing in this conversation.
    Closed,
    /// The channel does not take this activity.
    Rejected,
    /// It may have been delivered.
    Unknown,
    /// The node went away before it recorded an outcome. It may have been delivered.
    Lost,
}

impl AttemptOutcome {
    /// Every outcome.
    pub const ALL: [AttemptOutcome; 7] = [
        AttemptOutcome::NotSent,
        AttemptOutcome::Throttled,
        AttemptOutcome::Unauthorized,
        AttemptOutcome::Closed,
        AttemptOutcome::Rejected,
        AttemptOutcome::Unknown,
        AttemptOutcome::Lost,
    ];

    /// The outcome as the database and the API spell it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            AttemptOutcome::NotSent => "not_sent",
            AttemptOutcome::Throttled => "throttled",
            AttemptOutcome::Unauthorized => "unauthorized",
            AttemptOutcome::Closed => "closed",
            AttemptOutcome::Rejected => "rejected",
            AttemptOutcome::Unknown => "unknown",
            AttemptOutcome::Lost => "lost",
        }
    }

    /// The outcome spelled so by [`as_str`](Self::as_str), `None` if none is.
    #[must_use]
    pub fn from_row(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.as_str() == text)
    }
}

/// Which codes a row is for.
#[derive(Clone, Copy, Debug)]
enum Code {
    Any,
    /// The answer has none: it came from a gateway, or from a channel that gives none.
    Missing,
    Is(&'static str),
}

/// What an answer means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Meaning {
    Accepted,
    /// Turned away before the channel acted: to send it again repeats nothing.
    Retry(AttemptOutcome, Option<PauseScope>),
    /// Something on the way failed. Unknown if the body had begun to leave, else not sent.
    ByPhase,
    Dead(DeadReason),
    Close(CloseReason),
}

type Row = (RangeInclusive<u16>, Code, Meaning);

/// Every answer, from the special to the general. The last row takes what the others leave.
#[rustfmt::skip]
const ANSWERS: &[Row] = {
    use Code::{Any, Is, Missing};
    use Meaning::{Accepted, ByPhase, Close, Dead, Retry};
    &[
        (200..=299, Any, Accepted),
        (400..=400, Any, Dead(DeadReason::Rejected)),
        (401..=401, Is(code::BOT_NOT_REGISTERED), Dead(DeadReason::NotRegistered)),
        // The connector has renewed the token and tried once more before it says this.
        (401..=401, Any, Retry(AttemptOutcome::Unauthorized, None)),
        (403..=403, Is(code::CONVERSATION_BLOCKED_BY_USER), Close(CloseReason::BlockedByUser)),
        (403..=403, Is(code::BOT_NOT_IN_CONVERSATION_ROSTER), Close(CloseReason::NotInRoster)),
        (403..=403, Is(code::BOT_DISABLED_BY_ADMIN), Close(CloseReason::DisabledByAdmin)),
        (403..=403, Is(code::FORBIDDEN_OPERATION), Close(CloseReason::Forbidden)),
        (403..=403, Is(code::NOT_ENOUGH_PERMISSIONS), Close(CloseReason::Forbidden)),
        (403..=403, Is(code::MESSAGE_WRITES_BLOCKED), Close(CloseReason::Forbidden)),
        // About the serviceUrl and about one streamed reply, not about the conversation.
        (403..=403, Is(code::INVALID_BOT_API_HOST), Dead(DeadReason::WrongHost)),
        (403..=403, Is(code::CONTENT_STREAM_NOT_ALLOWED), Dead(DeadReason::Rejected)),
        (403..=403, Any, Close(CloseReason::Forbidden)),
        (404..=404, Is(code::CONVERSATION_NOT_FOUND), Close(CloseReason::ConversationNotFound)),
        // A channel that gives no codes means the conversation: what is posted names nothing else.
        (404..=404, Missing, Close(CloseReason::ConversationNotFound)),
        // ActivityNotFoundInConversation, and whatever else is not the conversation.
        (404..=404, Any, Dead(DeadReason::NotFound)),
        (405..=405, Any, Dead(DeadReason::Unsupported)),
        (408..=408, Any, ByPhase),
        (412..=412, Any, ByPhase),
        (413..=413, Any, Dead(DeadReason::TooLarge)),
        (425..=425, Any, ByPhase),
        // No published code tells the quota of a tenant or of the app from that of a conversation.
        (429..=429, Any, Retry(AttemptOutcome::Throttled, Some(PauseScope::Lane))),
        (300..=499, Any, Dead(DeadReason::Rejected)),
        // 5xx, and numbers that are no status of HTTP: whoever answered so may have acted on it.
        (0..=u16::MAX, Any, ByPhase),
    ]
};

impl Code {
    fn fits(self, code: Option<&str>) -> bool {
        match self {
            Code::Any => true,
            Code::Missing => code.is_none(),
            Code::Is(expected) => code == Some(expected),
        }
    }
}

/// What `error` means.
pub(crate) fn judge(error: &SendError) -> Judgement {
    let meaning = match error.status {
        Some(status) => ANSWERS
            .iter()
            .find(|(statuses, code, _)| statuses.contains(&status) && code.fits(error.code.as_deref()))
            .map_or(Meaning::ByPhase, |(_, _, meaning)| *meaning),
        None if error.phase == Phase::Refused => Meaning::Dead(DeadReason::HostRefused),
        None => Meaning::ByPhase,
    };
    let after = error.retry_after;
    match meaning {
        Meaning::Accepted => Judgement::Accepted,
        Meaning::Retry(attempt, pause) => Judgement::Retry {
            after,
            pause,
            attempt,
        },
        Meaning::ByPhase => match error.phase {
            Phase::AfterBody => Judgement::Unknown { after },
            Phase::Refused | Phase::BeforeBody => Judgement::Retry {
                after,
                pause: None,
                attempt: AttemptOutcome::NotSent,
            },
        },
        Meaning::Dead(reason) => Judgement::Dead(reason),
        Meaning::Close(reason) => Judgement::CloseLane(reason),
    }
}

#[cfg(test)]
mod tests;
