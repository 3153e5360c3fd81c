//! `tidings deliveries tail`: what changes, as it changes.

use std::collections::HashMap;
use std::io::Write;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;
use tidings_server::Scope;

use super::api;
use super::flags::{Tail, Which};
use super::record::{Delivery, fitted};
use crate::ink::Ink;
use crate::{Failure, moment, print};

/// How long to wait before asking again a server that has gone away.
const AGAIN_AFTER: Duration = Duration::from_secs(1);
/// How often a server that has gone away is asked again.
const MOST_TRIES: u32 = 60;

pub(super) async fn run(arguments: &Tail) -> Result<(), Failure> {
    let api = api(&arguments.access)?;
    let mut seen = Seen::default();
    let mut tries = 0;
    loop {
        let gone = match api
            .events("/api/v1/deliveries/events", Scope::DeliveriesRead)
            .await?
        {
            Ok(mut events) => {
                while let Some(text) = events.next().await {
                    tries = 0;
                    let page: RawPage = api.read(&text)?;
                    for delivery in seen.changed(page, arguments.last.into()) {
                        told(&delivery, arguments)?;
                    }
                }
                None
            }
            Err(failure) => Some(failure),
        };
        // The first answer decides whether there is a server at all.
        match gone {
            Some(failure) if tries == MOST_TRIES || !seen.begun => return Err(failure),
            _ => {}
        }
        if tries == 0 {
            let _unheard = writeln!(std::io::stderr(), "tidings: the server is gone; waiting for it");
        }
        tries += 1;
        tokio::time::sleep(AGAIN_AFTER).await;
    }
}

fn told(raw: &Value, arguments: &Tail) -> Result<(), Failure> {
    let Ok(delivery) = serde_json::from_value::<Delivery>(raw.clone()) else {
        return Ok(());
    };
    if !fits(&delivery, &arguments.which) {
        return Ok(());
    }
    if arguments.json {
        return print(&format!("{raw}\n"));
    }
    print(&line(&delivery, Timestamp::now(), Ink::of_stdout()))
}

fn fits(delivery: &Delivery, which: &Which) -> bool {
    let is = |wanted: &Option<String>, got: &String| wanted.as_ref().is_none_or(|wanted| wanted == got);
    (which.states.is_empty() || which.states.contains(&delivery.state))
        && is(&which.channel, &delivery.channel_id)
        && is(&which.conversation, &delivery.conversation_id)
}

fn line(delivery: &Delivery, now: Timestamp, ink: Ink) -> String {
    let why = delivery.why(now);
    let why = if why.is_empty() { why } else { format!("  {why}") };
    format!(
        "{}  {:>6}  {}  {}  {}{why}\n",
        moment::millisecond(delivery.updated_at),
        delivery.id,
        ink.of_state(&delivery.state, &format!("{:9}", delivery.state)),
        fitted(&delivery.conversation_id),
        fitted(&delivery.content.line()),
    )
}

#[derive(serde::Deserialize)]
struct RawPage {
    deliveries: Vec<Value>,
}

/// What was told before.
#[derive(Default)]
struct Seen {
    begun: bool,
    /// By their ids, when those of the page before changed last.
    told: HashMap<u64, String>,
    /// The highest id of all pages.
    newest: u64,
}

impl Seen {
    /// Those of a page that are new or have changed, the oldest change first; of the first page only the last few.
    fn changed(&mut self, page: RawPage, last: usize) -> Vec<Value> {
        let mut now = HashMap::with_capacity(page.deliveries.len());
        let mut changed = Vec::new();
        let newest_before = self.newest;
        for delivery in page.deliveries {
            let (Some(id), Some(at)) = (delivery["id"].as_u64(), delivery["updatedAt"].as_str()) else {
                continue;
            };
            self.newest = self.newest.max(id);
            let is_news = match self.told.get(&id) {
                Some(before) => before != at,
                // One that comes back into the page because a newer one is gone was told when it was in it before.
                None => !self.begun || id > newest_before,
            };
            now.insert(id, at.to_owned());
            if is_news {
                changed.push((at.to_owned(), id, delivery));
            }
        }
        self.told = now;
        changed.sort_by(|(at, id, _), (other_at, other_id, _)| {
            (instant(at), id).cmp(&(instant(other_at), other_id))
        });
        if !self.begun {
            self.begun = true;
            changed.drain(..changed.len().saturating_sub(last));
        }
        changed.into_iter().map(|(_, _, delivery)| delivery).collect()
    }
}

fn instant(text: &str) -> Timestamp {
    text.parse().unwrap_or(Timestamp::MIN)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::list::tests::delivery;
    use super::*;

    fn page(rows: &[(u64, &str, u32)]) -> RawPage {
        let row = |(id, state, second): &(u64, &str, u32)| {
            let mut row = delivery(*id, state);
            row["updatedAt"] = json!(format!("2026-11-27T12:00:{second:02}Z"));
            row
        };
        RawPage {
            deliveries: rows.iter().map(row).collect(),
        }
    }

    fn ids(changed: &[Value]) -> Vec<u64> {
        changed.iter().map(|row| row["id"].as_u64().unwrap()).collect()
    }

    #[test]
    fn only_news_is_told_and_in_the_order_in_which_it_happened() {
        let mut seen = Seen::default();
        let first = seen.changed(
            page(&[(4, "available", 4), (3, "dead", 9), (2, "delivered", 2)]),
            2,
        );
        assert_eq!(ids(&first), [4, 3]);
        let nothing = seen.changed(
            page(&[(4, "available", 4), (3, "dead", 9), (2, "delivered", 2)]),
            2,
        );
        assert!(nothing.is_empty());
        let more = seen.changed(
            page(&[(5, "available", 11), (4, "delivered", 10), (3, "dead", 9)]),
            2,
        );
        assert_eq!(ids(&more), [4, 5]);
        // The newest was pruned, an old one is back.
        let back = seen.changed(
            page(&[(4, "delivered", 10), (3, "dead", 9), (2, "delivered", 2)]),
            2,
        );
        assert!(back.is_empty());
    }

    #[test]
    fn a_line_says_who_what_and_why() {
        let mut raw = delivery(17, "retryable");
        raw["wait"] = json!({ "reason": "backoff", "until": "2026-11-27T12:00:04Z" });
        let told: Delivery = serde_json::from_value(raw).unwrap();
        let now = "2026-11-27T12:00:00Z".parse().unwrap();
        assert_eq!(
            line(&told, now, Ink::Plain),
            "2026-11-27T12:00:00.500Z      17  retryable  19:abc@thread  \"Your report is ready.\"  waits after a \
             failure, in 4 s\n"
        );
        let which = |state: &str| Which {
            states: vec![state.to_owned()],
            ..Which::default()
        };
        assert!(fits(&told, &which("retryable")) && !fits(&told, &which("dead")));
        let elsewhere = Which {
            conversation: Some("c".to_owned()),
            ..Which::default()
        };
        assert!(!fits(&told, &elsewhere));
    }
}
