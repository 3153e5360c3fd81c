//! Deliveries as the server tells them.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use crate::moment;

/// The longest text and the longest id that a column shows, in characters.
const MAX_COLUMN: usize = 40;

#[derive(Deserialize)]
pub(super) struct Page {
    pub(super) deliveries: Vec<Delivery>,
    pub(super) next: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Delivery {
    pub(super) id: u64,
    pub(super) channel_id: String,
    pub(super) conversation_id: String,
    pub(super) class: String,
    pub(super) state: String,
    pub(super) reason: Option<String>,
    pub(super) policy: String,
    pub(super) wait: Option<Waiting>,
    pub(super) expires_at: Timestamp,
    pub(super) repeat_possible: bool,
    pub(super) last_failure: Option<Failure>,
    pub(super) activity_id: Option<String>,
    pub(super) content: Content,
    pub(super) parent_id: Option<u64>,
    pub(super) retry_of: Option<u64>,
    pub(super) merged_into: Option<u64>,
    pub(super) created_at: Timestamp,
    pub(super) updated_at: Timestamp,
    pub(super) ended_at: Option<Timestamp>,
}

#[derive(Deserialize)]
pub(super) struct Waiting {
    pub(super) reason: String,
    pub(super) until: Option<Timestamp>,
}

#[derive(Deserialize)]
pub(super) struct Failure {
    pub(super) status: Option<u16>,
    pub(super) code: Option<String>,
    pub(super) message: String,
}

#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub(super) enum Content {
    Activity {
        text: Option<String>,
        #[serde(rename = "type")]
        kind: String,
    },
    Handler {
        name: String,
    },
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Detail {
    #[serde(flatten)]
    pub(super) delivery: Delivery,
    pub(super) payload: Option<Value>,
    pub(super) attempts: Vec<Attempt>,
    pub(super) waits: Vec<Wait>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Attempt {
    pub(super) start: u32,
    pub(super) node: Option<i64>,
    pub(super) began_at: Timestamp,
    pub(super) ended_at: Option<Timestamp>,
    pub(super) outcome: String,
    pub(super) status: Option<u16>,
    pub(super) code: Option<String>,
    pub(super) message: Option<String>,
    pub(super) retry_after_ms: Option<i64>,
}

#[derive(Deserialize)]
pub(super) struct Wait {
    pub(super) since: Timestamp,
    pub(super) until: Option<Timestamp>,
    pub(super) reason: String,
}

impl Content {
    /// What it says, on one line.
    pub(super) fn line(&self) -> String {
        match self {
            Content::Activity { text: Some(text), .. } if !text.is_empty() => {
                format!("{:?}", text.replace('\n', " "))
            }
            Content::Activity { kind, .. } => format!("({kind})"),
            Content::Handler { name } => format!("handler {name}"),
        }
    }
}

impl Failure {
    /// `400 BadArgument: the card is wrong`.
    pub(super) fn line(&self) -> String {
        said(self.status, self.code.as_deref(), Some(&self.message))
    }
}

/// What a channel answered, on one line.
pub(super) fn said(status: Option<u16>, code: Option<&str>, message: Option<&str>) -> String {
    let head = [status.map(|status| status.to_string()), code.map(str::to_owned)];
    let head: Vec<String> = head.into_iter().flatten().collect();
    let message = message.unwrap_or_default().replace('\n', " ");
    // Most of our own sentences about an answer have both in them.
    let is_told = head.iter().all(|part| message.contains(part));
    match (is_told, message.is_empty()) {
        (true, _) => message,
        (false, true) => head.join(" "),
        (false, false) => format!("{}: {message}", head.join(" ")),
    }
}

impl Delivery {
    /// Why it is as it is, on one line; empty if there is nothing to say.
    pub(super) fn why(&self, now: Timestamp) -> String {
        if let Some(wait) = &self.wait {
            let until = match wait.until {
                Some(until) => format!(", {}", moment::relative(until, now)),
                None => String::new(),
            };
            return format!("{}{until}", why_it_waits(&wait.reason));
        }
        let reason = self.reason.clone();
        let failure = self.last_failure.as_ref().map(Failure::line);
        let repeat = match (self.repeat_possible, self.state.as_str()) {
            (true, "delivered") => Some("may have arrived twice".to_owned()),
            (true, "dead" | "expired" | "cancelled") => Some("may have arrived all the same".to_owned()),
            _ => None,
        };
        let merged = self.merged_into.map(|id| format!("into {id}"));
        let failure = failure.filter(|_| self.state != "delivered");
        let parts: Vec<String> = [reason, failure, repeat, merged].into_iter().flatten().collect();
        parts.join("; ")
    }

    /// `dead (rejected)`.
    pub(super) fn state_line(&self) -> String {
        match (&self.reason, self.merged_into) {
            (Some(reason), _) => format!("{} ({reason})", self.state),
            (None, Some(id)) => format!("{} (into {id})", self.state),
            (None, None) => self.state.clone(),
        }
    }
}

/// The reason of a wait as a clause.
pub(super) fn why_it_waits(reason: &str) -> String {
    match reason {
        "backoff" => "waits after a failure",
        "retry_after" => "waits because the channel asked for it",
        "pacing" => "waits for the pace of its conversation",
        "budget" => "waits for the pace of its tenant",
        "breaker" => "waits because the channel's host fails",
        "paused" => "paused by an operator",
        "scheduled" => "its time has not come",
        "held" => "held",
        "behind" => "waits for others of its conversation",
        "turn" => "waits for its turn",
        "closed" => "its conversation is closed",
        other => return other.to_owned(),
    }
    .to_owned()
}

/// A text that fits into a column: what is too long loses its middle, as ids differ at both ends.
pub(super) fn fitted(text: &str) -> String {
    let count = text.chars().count();
    if count <= MAX_COLUMN {
        return text.to_owned();
    }
    let half = (MAX_COLUMN - 1) / 2;
    let begin: String = text.chars().take(MAX_COLUMN - 1 - half).collect();
    let end: String = text.chars().skip(count - half).collect();
    format!("{begin}\u{2026}{end}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_channel_said_is_one_line() {
        assert_eq!(
            said(Some(429), Some("Busy"), Some("slow\ndown")),
            "429 Busy: slow down"
        );
        let whole = "the connector answered 429 (Busy): slow down";
        assert_eq!(said(Some(429), Some("Busy"), Some(whole)), whole);
        assert_eq!(said(Some(502), None, None), "502");
        assert_eq!(said(None, None, Some("connection refused")), "connection refused");
        assert_eq!(said(None, None, None), "");
    }

    #[test]
    fn long_ids_keep_both_ends() {
        assert_eq!(fitted(&"x".repeat(40)), "x".repeat(40));
        let fitted = fitted(&format!("19:{}@thread.v2", "x".repeat(60)));
        assert_eq!(fitted.chars().count(), 40);
        assert!(
            fitted.starts_with("19:") && fitted.ends_with("@thread.v2"),
            "{fitted}"
        );
    }
}
