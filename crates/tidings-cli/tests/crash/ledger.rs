//! The deliveries as the API tells them.

use http::Method;
use jiff::Timestamp;
use reqwest::Response;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::dice::Dice;
use crate::door::Door;

/// The states that nothing follows.
const FINAL: [&str; 7] = [
    "delivered",
    "dead",
    "expired",
    "cancelled",
    "refused",
    "merged",
    "unknown",
];

/// One delivery, with its attempts where something about it is to be explained.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Delivery {
    pub(crate) id: i64,
    pub(crate) conversation_id: String,
    pub(crate) state: String,
    pub(crate) reason: Option<String>,
    pub(crate) starts: u64,
    pub(crate) repeat_possible: bool,
    pub(crate) activity_id: Option<String>,
    pub(crate) content: Content,
    pub(crate) created_at: Timestamp,
    pub(crate) ended_at: Option<Timestamp>,
    #[serde(default)]
    pub(crate) attempts: Vec<Attempt>,
}

#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Content {
    #[serde(default)]
    pub(crate) text: Option<String>,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Attempt {
    pub(crate) began_at: Timestamp,
    pub(crate) ended_at: Option<Timestamp>,
    pub(crate) outcome: String,
}

impl Delivery {
    /// Whether its history is needed to judge it.
    fn is_remarkable(&self) -> bool {
        self.starts > 1 || self.repeat_possible || !matches!(self.state.as_str(), "delivered" | "cancelled")
    }
}

/// What the API tells.
pub(crate) struct Ledger<'a> {
    pub(crate) door: &'a Door,
    pub(crate) dice: Dice,
}

impl Ledger<'_> {
    /// All deliveries, oldest first.
    pub(crate) async fn all(&mut self) -> Vec<Delivery> {
        let mut all = Vec::new();
        let mut before = None;
        loop {
            let from = before.map_or_else(String::new, |before| format!("&before={before}"));
            let page = self.get(&format!("/api/v1/deliveries?limit=100{from}")).await;
            let deliveries = page["deliveries"].as_array().cloned().unwrap_or_default();
            for delivery in deliveries {
                all.push(serde_json::from_value::<Delivery>(delivery).unwrap());
            }
            match page["next"].as_str() {
                Some(next) => before = Some(next.to_owned()),
                None => break,
            }
        }
        all.reverse();
        for delivery in &mut all {
            if delivery.is_remarkable() {
                let detail = self.get(&format!("/api/v1/deliveries/{}", delivery.id)).await;
                delivery.attempts = serde_json::from_value(detail["attempts"].clone()).unwrap();
            }
        }
        all
    }

    /// How many deliveries have not ended.
    pub(crate) async fn open(&mut self) -> u64 {
        let summary = self.get("/api/v1/deliveries/summary").await;
        let states = summary["states"].as_object().expect("states");
        states
            .iter()
            .filter(|(state, _)| !FINAL.contains(&state.as_str()))
            .filter_map(|(_, count)| count.as_u64())
            .sum()
    }

    /// The server's word that deliveries have changed: an event each time.
    pub(crate) async fn news(&mut self) -> Response {
        let answer = self
            .door
            .follow(&mut self.dice, "/api/v1/deliveries/events")
            .await;
        assert_eq!(answer.status(), 200, "the events");
        answer
    }

    async fn get(&mut self, path: &str) -> Value {
        let answer = self.door.insist(&mut self.dice, Method::GET, path, None).await;
        assert_eq!(answer.status, 200, "GET {path}: {}", answer.body);
        answer.body
    }
}
