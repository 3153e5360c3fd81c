//! Deliveries as JSON.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::value::RawValue;
use tidings_proactive::{
    Attempt, Body, Content, Delivery, DeliveryDetail, DeliveryId, DeliveryPage, Pauses, Summary, Wait,
};

#[derive(Serialize)]
pub(super) struct Page {
    deliveries: Vec<Line>,
    /// A text: it goes back into an address, not into a sum.
    next: Option<String>,
}

impl From<DeliveryPage> for Page {
    fn from(page: DeliveryPage) -> Self {
        Self {
            deliveries: page.deliveries.into_iter().map(Line::from).collect(),
            next: page.next.map(|id| id.to_string()),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Line {
    id: DeliveryId,
    channel_id: String,
    conversation_id: String,
    tenant: String,
    class: String,
    state: &'static str,
    reason: Option<String>,
    policy: &'static str,
    wait: Option<WaitingLine>,
    due_at: Option<Timestamp>,
    expires_at: Timestamp,
    starts: u32,
    repeat_possible: bool,
    last_failure: Option<FailureLine>,
    activity_id: Option<String>,
    content: ContentLine,
    parent_id: Option<DeliveryId>,
    retry_of: Option<DeliveryId>,
    merged_into: Option<DeliveryId>,
    created_at: Timestamp,
    updated_at: Timestamp,
    ended_at: Option<Timestamp>,
}

#[derive(Serialize)]
struct WaitingLine {
    reason: String,
    until: Option<Timestamp>,
}

#[derive(Serialize)]
struct FailureLine {
    status: Option<u16>,
    code: Option<String>,
    message: String,
}

#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
enum ContentLine {
    Activity {
        text: Option<String>,
        #[serde(rename = "type")]
        kind: String,
    },
    Handler {
        name: String,
    },
}

impl From<Delivery> for Line {
    fn from(delivery: Delivery) -> Self {
        Self {
            id: delivery.id,
            channel_id: delivery.channel_id,
            conversation_id: delivery.conversation_id,
            tenant: delivery.tenant,
            class: delivery.class,
            state: delivery.state.as_str(),
            reason: delivery.reason,
            policy: delivery.policy.as_str(),
            wait: delivery.wait.map(|wait| WaitingLine {
                reason: wait.reason,
                until: wait.until,
            }),
            due_at: delivery.due_at,
            expires_at: delivery.expires_at,
            starts: delivery.starts,
            repeat_possible: delivery.repeat_possible,
            last_failure: delivery.last_failure.map(|failure| FailureLine {
                status: failure.status,
                code: failure.code,
                message: failure.message,
            }),
            activity_id: delivery.activity_id,
            content: match delivery.content {
                Content::Activity { kind, text } => ContentLine::Activity { text, kind },
                Content::Handler { name } => ContentLine::Handler { name },
                _ => ContentLine::Handler { name: String::new() },
            },
            parent_id: delivery.parent_id,
            retry_of: delivery.retry_of,
            merged_into: delivery.merged_into,
            created_at: delivery.created_at,
            updated_at: delivery.updated_at,
            ended_at: delivery.ended_at,
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Detail {
    #[serde(flatten)]
    delivery: Line,
    #[serde(flatten)]
    body: BodyLine,
    attempts: Vec<AttemptLine>,
    waits: Vec<WaitLine>,
}

/// What is owed, whole; null where the row does not hold JSON.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
enum BodyLine {
    Activity(Option<Box<RawValue>>),
    Payload(Option<Box<RawValue>>),
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AttemptLine {
    start: u32,
    node: Option<i64>,
    began_at: Timestamp,
    ended_at: Option<Timestamp>,
    outcome: String,
    status: Option<u16>,
    code: Option<String>,
    message: Option<String>,
    retry_after_ms: Option<i64>,
}

#[derive(Serialize)]
struct WaitLine {
    since: Timestamp,
    until: Option<Timestamp>,
    reason: String,
}

impl From<DeliveryDetail> for Detail {
    fn from(detail: DeliveryDetail) -> Self {
        let raw = |json| RawValue::from_string(json).ok();
        Self {
            delivery: detail.delivery.into(),
            body: match detail.body {
                Body::Activity(json) => BodyLine::Activity(raw(json)),
                Body::Payload(json) => BodyLine::Payload(json.and_then(raw)),
                _ => BodyLine::Payload(None),
            },
            attempts: detail.attempts.into_iter().map(AttemptLine::from).collect(),
            waits: detail.waits.into_iter().map(WaitLine::from).collect(),
        }
    }
}

impl From<Attempt> for AttemptLine {
    fn from(attempt: Attempt) -> Self {
        Self {
            start: attempt.start,
            node: attempt.node,
            began_at: attempt.began_at,
            ended_at: attempt.ended_at,
            outcome: attempt.outcome,
            status: attempt.status,
            code: attempt.code,
            message: attempt.message,
            retry_after_ms: attempt.retry_after_ms,
        }
    }
}

impl From<Wait> for WaitLine {
    fn from(wait: Wait) -> Self {
        Self {
            since: wait.since,
            until: wait.until,
            reason: wait.reason,
        }
    }
}

#[derive(Serialize)]
pub(super) struct Summed {
    states: BTreeMap<&'static str, u64>,
    oldest: Option<Timestamp>,
    paused: Paused,
}

impl From<Summary> for Summed {
    fn from(summary: Summary) -> Self {
        let counted = |(state, count): (tidings_proactive::DeliveryState, u64)| (state.as_str(), count);
        Self {
            states: summary.states.into_iter().map(counted).collect(),
            oldest: summary.oldest,
            paused: summary.paused.into(),
        }
    }
}

#[derive(Serialize)]
pub(super) struct Paused {
    all: bool,
    channels: Vec<String>,
    lanes: Vec<PausedLane>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PausedLane {
    channel_id: String,
    conversation_id: String,
}

impl From<Pauses> for Paused {
    fn from(pauses: Pauses) -> Self {
        let lane = |lane: tidings_proactive::PausedLane| PausedLane {
            channel_id: lane.channel_id,
            conversation_id: lane.conversation_id,
        };
        Self {
            all: pauses.all,
            channels: pauses.channels,
            lanes: pauses.lanes.into_iter().map(lane).collect(),
        }
    }
}
