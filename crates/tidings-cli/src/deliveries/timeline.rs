//! `tidings deliveries show`: one delivery from its acceptance to its end.

use jiff::Timestamp;
use serde_json::Value;

use super::record::{Attempt, Detail, Wait, said, why_it_waits};
use crate::ink::Ink;
use crate::moment;

/// The longest payload that is shown, in characters.
const MAX_PAYLOAD: usize = 400;

/// Who it is for and what it says, what happened to it, and what can be done about it.
pub(super) fn told(detail: &Detail, now: Timestamp, ink: Ink) -> String {
    let delivery = &detail.delivery;
    let state = ink.of_state(&delivery.state, &delivery.state_line());
    let mut text = format!("Delivery {}: {state}\n\n", delivery.id);
    for (name, value) in head(detail, now) {
        text.push_str(&format!("  {name:<9} {value}\n"));
    }
    text.push('\n');
    for (at, line) in lines(detail, now, ink) {
        let after = at.duration_since(delivery.created_at);
        let after = match after.is_positive() {
            true => format!("+{}", moment::length(after)),
            false => String::new(),
        };
        text.push_str(&format!(
            "  {}  {}  {line}\n",
            moment::millisecond(at),
            ink.faint(&format!("{after:>13}"))
        ));
    }
    if let Some(advice) = advice(detail) {
        text.push_str(&format!("\n{advice}\n"));
    }
    text
}

fn head(detail: &Detail, now: Timestamp) -> Vec<(&'static str, String)> {
    let delivery = &detail.delivery;
    let mut head = vec![
        (
            "to",
            format!("{} ({})", delivery.conversation_id, delivery.channel_id),
        ),
        ("says", delivery.content.line()),
    ];
    if let Some(payload) = &detail.payload {
        head.push(("payload", shortened(payload)));
    }
    if delivery.class != "message" {
        head.push(("class", delivery.class.clone()));
    }
    let policy = match delivery.policy.as_str() {
        "at_least_once" => "sent again if nobody knows whether it arrived",
        "at_most_once" => "not sent again if nobody knows whether it arrived",
        "reconcile" => "sent again if nobody knows whether it arrived; the channel drops a repeat",
        other => other,
    };
    head.push(("policy", policy.to_owned()));
    if delivery.ended_at.is_none() {
        let expires = delivery.expires_at;
        head.push((
            "expires",
            format!("{} ({})", moment::second(expires), moment::relative(expires, now)),
        ));
    }
    for (name, id) in [
        ("sent by", delivery.parent_id),
        ("repeats", delivery.retry_of),
        ("merged in", delivery.merged_into),
    ] {
        if let Some(id) = id {
            head.push((name, format!("delivery {id}")));
        }
    }
    head
}

fn shortened(payload: &Value) -> String {
    let text = payload.to_string();
    match text.char_indices().nth(MAX_PAYLOAD) {
        Some((end, _)) => format!("{}\u{2026}", &text[..end]),
        None => text,
    }
}

/// What happened, in its order.
fn lines(detail: &Detail, now: Timestamp, ink: Ink) -> Vec<(Timestamp, String)> {
    let delivery = &detail.delivery;
    let accepted = format!("accepted {}", moment::relative(delivery.created_at, now));
    let mut lines = vec![(delivery.created_at, accepted)];
    lines.extend(detail.waits.iter().map(|wait| (wait.since, waited(wait, now))));
    lines.extend(
        detail
            .attempts
            .iter()
            .map(|attempt| (attempt.began_at, tried(attempt, now))),
    );
    // Stable: at one time, what was said first stays first.
    lines.sort_by_key(|(at, _)| *at);
    match (delivery.ended_at, &delivery.wait) {
        (Some(ended), _) => lines.push((ended, ink.of_state(&delivery.state, &end(detail)))),
        (None, Some(wait)) => {
            let until = match wait.until {
                Some(until) => format!(
                    " until {} ({})",
                    moment::second(until),
                    moment::relative(until, now)
                ),
                None => String::new(),
            };
            lines.push((now, format!("now: {}{until}", why_it_waits(&wait.reason))));
        }
        (None, None) if delivery.state == "sending" => {}
        (None, None) => lines.push((now, "now: about to be sent".to_owned())),
    }
    lines
}

fn waited(wait: &Wait, now: Timestamp) -> String {
    let why = why_it_waits(&wait.reason);
    match wait.until {
        Some(until) if until <= now => {
            format!("{why}, for {}", moment::length(until.duration_since(wait.since)))
        }
        Some(until) => format!("{why}, until {}", moment::second(until)),
        None => why,
    }
}

fn tried(attempt: &Attempt, now: Timestamp) -> String {
    let node = attempt
        .node
        .map(|node| format!(" by node {node}"))
        .unwrap_or_default();
    let took = attempt.ended_at.unwrap_or(now).duration_since(attempt.began_at);
    let outcome = match attempt.outcome.as_str() {
        "delivered" => "the channel took it",
        "sending" => "under way",
        "not_sent" => "it did not leave",
        "throttled" => "the channel is too busy",
        "unauthorized" => "the channel did not accept the bot's token",
        "closed" => "the channel takes nothing there any more",
        "rejected" => "the channel does not accept it",
        "unknown" => "nobody knows whether it arrived",
        "lost" => "the process that sent it was gone; nobody knows whether it arrived",
        other => other,
    };
    let said = said(
        attempt.status,
        attempt.code.as_deref(),
        attempt.message.as_deref(),
    );
    let said = if said.is_empty() {
        said
    } else {
        format!(" ({said})")
    };
    let asked = match attempt.retry_after_ms {
        Some(milliseconds) => format!(
            ", asks to wait {}",
            moment::length(jiff::SignedDuration::from_millis(milliseconds))
        ),
        None => String::new(),
    };
    format!(
        "attempt {}{node}: {outcome}{said}{asked}, after {}",
        attempt.start,
        moment::length(took)
    )
}

fn end(detail: &Detail) -> String {
    let delivery = &detail.delivery;
    let mut line = delivery.state_line();
    match (&delivery.activity_id, &delivery.last_failure) {
        (Some(id), _) => line.push_str(&format!(", as activity {id}")),
        (None, Some(failure)) if delivery.state != "delivered" => {
            line.push_str(&format!(": {}", failure.line()));
        }
        _ => {}
    }
    if delivery.repeat_possible {
        line.push_str(match delivery.state.as_str() {
            "delivered" => "; an earlier attempt may have arrived too",
            "unknown" => "",
            _ => "; an attempt may have arrived all the same",
        });
    }
    line
}

fn advice(detail: &Detail) -> Option<String> {
    let delivery = &detail.delivery;
    let id = delivery.id;
    match (delivery.state.as_str(), &delivery.wait) {
        ("dead", _) if delivery.reason.as_deref() == Some("closed") => Some(format!(
            "Owe it again, in a conversation that is opened for it: tidings deliveries retry {id} --reopen"
        )),
        ("dead", _) => Some(format!("Owe it again: tidings deliveries retry {id}")),
        ("unknown", _) => Some(format!(
            "Owe it again, at the risk that the user has it twice: tidings deliveries retry {id}"
        )),
        (_, Some(wait)) if wait.reason == "paused" => {
            Some(
                "It goes on after tidings deliveries resume, with what was paused: --all, --channel or --conversation"
                    .to_owned(),
            )
        }
        ("held", _) => Some(format!(
            "Let it go: tidings deliveries release {id}. Take it back: tidings deliveries cancel {id}"
        )),
        ("scheduled" | "available" | "retryable", _) => {
            Some(format!("Take it back: tidings deliveries cancel {id}"))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::list::tests::delivery;
    use super::*;

    fn shown(mut delivery: Value, attempts: &Value, waits: &Value) -> Vec<String> {
        delivery["attempts"] = attempts.clone();
        delivery["waits"] = waits.clone();
        delivery["activity"] = json!({ "type": "message", "text": "Your report is ready." });
        let detail = serde_json::from_value(delivery).unwrap();
        let now = "2026-11-27T12:05:00Z".parse().unwrap();
        told(&detail, now, Ink::Plain)
            .lines()
            .map(str::to_owned)
            .collect()
    }

    #[test]
    fn the_life_of_a_delivery_is_told_in_its_order() {
        let mut delivery = delivery(17, "delivered");
        delivery["repeatPossible"] = json!(true);
        delivery["activityId"] = json!("1:xyz");
        delivery["endedAt"] = json!("2026-11-27T12:00:09.100Z");
        let attempts = json!([
            { "start": 1, "node": 3, "beganAt": "2026-11-27T12:00:05Z", "endedAt": "2026-11-27T12:00:05.210Z",
              "outcome": "throttled", "status": 429, "code": "TooManyRequests", "message": "slow down", "retryAfterMs": 3000 },
            { "start": 2, "node": null, "beganAt": "2026-11-27T12:00:09Z", "endedAt": "2026-11-27T12:00:09.100Z",
              "outcome": "delivered", "status": null, "code": null, "message": null, "retryAfterMs": null }
        ]);
        let waits = json!([
            { "since": "2026-11-27T12:00:00.5Z", "until": "2026-11-27T12:00:05Z", "reason": "pacing" },
            { "since": "2026-11-27T12:00:05.210Z", "until": "2026-11-27T12:00:08.210Z", "reason": "retry_after" }
        ]);
        assert_eq!(
            shown(delivery, &attempts, &waits),
            [
                "Delivery 17: delivered",
                "",
                "  to        19:abc@thread (msteams)",
                "  says      \"Your report is ready.\"",
                "  policy    sent again if nobody knows whether it arrived",
                "",
                "  2026-11-27T12:00:00.500Z                 accepted 4 min ago",
                "  2026-11-27T12:00:00.500Z                 waits for the pace of its conversation, for 4.50 s",
                "  2026-11-27T12:00:05.000Z        +4.50 s  attempt 1 by node 3: the channel is too busy (429 \
                 TooManyRequests: slow down), asks to wait 3.00 s, after 0.21 s",
                "  2026-11-27T12:00:05.210Z        +4.71 s  waits because the channel asked for it, for 3.00 s",
                "  2026-11-27T12:00:09.000Z        +8.50 s  attempt 2: the channel took it, after 0.10 s",
                "  2026-11-27T12:00:09.100Z        +8.60 s  delivered, as activity 1:xyz; an earlier attempt may have \
                 arrived too",
            ]
        );
    }

    #[test]
    fn what_can_be_done_is_said() {
        let last = |delivery: Value| shown(delivery, &json!([]), &json!([])).pop().unwrap();
        let mut dead = delivery(17, "dead");
        dead["reason"] = json!("rejected");
        dead["lastFailure"] = json!({ "status": 400, "code": null, "message": "the card is wrong" });
        dead["endedAt"] = json!("2026-11-27T12:00:01Z");
        let lines = shown(dead.clone(), &json!([]), &json!([]));
        assert_eq!(lines[0], "Delivery 17: dead (rejected)");
        assert!(
            lines
                .iter()
                .any(|line| line.ends_with("dead (rejected): 400: the card is wrong")),
            "{lines:?}"
        );
        assert_eq!(last(dead.clone()), "Owe it again: tidings deliveries retry 17");
        dead["reason"] = json!("closed");
        assert!(last(dead.clone()).ends_with("tidings deliveries retry 17 --reopen"));
        dead["state"] = json!("unknown");
        assert!(last(dead).contains("twice: tidings deliveries retry 17"));
        let mut waiting = delivery(17, "available");
        waiting["wait"] = json!({ "reason": "behind", "until": null });
        let lines = shown(waiting.clone(), &json!([]), &json!([]));
        assert!(
            lines
                .iter()
                .any(|line| line.ends_with("now: waits for others of its conversation")),
            "{lines:?}"
        );
        assert!(
            lines
                .iter()
                .any(|line| line.ends_with("2026-11-30T12:00:00Z (in 2 days)")),
            "{lines:?}"
        );
        assert_eq!(
            last(waiting.clone()),
            "Take it back: tidings deliveries cancel 17"
        );
        waiting["wait"] = json!({ "reason": "paused", "until": null });
        assert!(last(waiting).contains("tidings deliveries resume"));
    }
}
