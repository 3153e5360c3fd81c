//! Callers that owe messages to conversations and repeat what was not answered, while the server dies under them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use http::Method;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::dice::Dice;
use crate::door::{Answer, Door};
use crate::journal::Journal;
use crate::owed::Owed;

const CHANNEL: &str = "test";
/// Messages that may be owed at the same time; beyond it callers take a breath after each request.
const CROWD: usize = 400;
const BREATH: Duration = Duration::from_millis(50);
/// The class of what is scheduled.
const LATER: &str = "later";
const CLASSES: [&str; 2] = ["message", "alert"];

/// What all callers share.
#[derive(Clone)]
pub(crate) struct Market {
    pub(crate) door: Door,
    pub(crate) journal: Journal,
    pub(crate) service_url: String,
    /// Set when callers shall finish what they are at.
    pub(crate) over: Arc<AtomicBool>,
    pub(crate) accepted: Arc<AtomicUsize>,
}

/// One caller, who alone owes to its conversations and so knows their order.
pub(crate) struct Caller {
    market: Market,
    dice: Dice,
    lanes: Vec<Lane>,
    owed: Vec<Owed>,
    /// What the server answered that it must not answer.
    complaints: Vec<String>,
    said: u64,
}

struct Lane {
    conversation: String,
    tenant: Option<&'static str>,
    /// How many were owed in it.
    count: u64,
    /// Jobs that run.
    jobs: Vec<u64>,
}

impl Caller {
    /// A caller with `lanes` conversations of its own.
    pub(crate) fn new(market: Market, dice: Dice, name: &str, lanes: usize) -> Self {
        let tenants = [None, Some("tenant-a"), Some("tenant-b")];
        let lanes = (0..lanes).map(|lane| Lane {
            conversation: format!("{name}-{lane}"),
            tenant: tenants[lane % tenants.len()],
            count: 0,
            jobs: Vec::new(),
        });
        Self {
            lanes: lanes.collect(),
            market,
            dice,
            owed: Vec::new(),
            complaints: Vec::new(),
            said: 0,
        }
    }

    /// Makes its conversations known to the bot.
    pub(crate) async fn introduce(&mut self) {
        for lane in 0..self.lanes.len() {
            self.run_job(lane).await;
        }
    }

    /// Owes until the market is over; returns what it owes and what went wrong.
    pub(crate) async fn trade(mut self) -> (Vec<Owed>, Vec<String>) {
        while !self.market.over.load(Ordering::Relaxed) {
            let lane = usize::try_from(self.dice.below(self.lanes.len() as u64)).unwrap();
            self.act(lane).await;
            if self.market.accepted.load(Ordering::Relaxed) > self.market.journal.texts() + CROWD {
                // Time itself, a wait for nothing: the load is kept at what the server can do.
                tokio::time::sleep(BREATH).await;
            }
        }
        for lane in 0..self.lanes.len() {
            while !self.lanes[lane].jobs.is_empty() {
                self.finish_job(lane).await;
            }
        }
        (self.owed, self.complaints)
    }

    async fn act(&mut self, lane: usize) {
        match self.dice.below(1000) {
            0..450 => self.enqueue(lane).await,
            450..700 => self.enqueue_batch().await,
            700..780 => self.schedule(lane).await,
            780..830 => self.cancel(lane).await,
            830..870 => self.expire(lane).await,
            870..900 => self.replay(lane).await,
            _ if self.lanes[lane].jobs.len() < 2 => self.run_job(lane).await,
            _ => self.finish_job(lane).await,
        }
    }

    fn next(&mut self, lane: usize) -> Owed {
        let class = *self.dice.pick(&CLASSES);
        let at_most_once = self.dice.chance(200);
        let owed = self.next_of(lane, class);
        Owed {
            place: Some(self.lanes[lane].count),
            at_most_once,
            ..owed
        }
    }

    fn next_of(&mut self, lane: usize, class: &'static str) -> Owed {
        let lane = &mut self.lanes[lane];
        lane.count += 1;
        let text = format!("{} {class} {}", lane.conversation, lane.count);
        Owed::new(text, &lane.conversation, class)
    }

    async fn enqueue(&mut self, lane: usize) {
        let owed = self.next(lane);
        self.owe(owed).await;
    }

    async fn enqueue_batch(&mut self) {
        let count = 2 + self.dice.below(19);
        let mut batch = Vec::new();
        for _ in 0..count {
            let lane = usize::try_from(self.dice.below(self.lanes.len() as u64)).unwrap();
            batch.push(self.next(lane));
        }
        let body = json!({ "deliveries": batch.iter().map(wire).collect::<Vec<_>>() });
        let answer = self.insist(Method::POST, "/api/v1/deliveries", Some(&body)).await;
        let ids = answer.body["deliveries"].as_array().cloned().unwrap_or_default();
        if answer.status != 202 || ids.len() != batch.len() {
            return self.complain("a batch", &answer);
        }
        for (owed, answered) in batch.into_iter().zip(ids) {
            self.keep(owed, &answered);
        }
    }

    async fn schedule(&mut self, lane: usize) {
        let mut owed = self.next_of(lane, LATER);
        let wait = self.dice.within(Duration::from_millis(1500));
        owed.not_before = Some(Timestamp::now() + wait);
        self.owe(owed).await;
    }

    /// Schedules something and takes it back.
    async fn cancel(&mut self, lane: usize) {
        let mut owed = self.next_of(lane, LATER);
        owed.not_before = Some(Timestamp::now() + Duration::from_secs(3600));
        let Some(id) = self.owe(owed).await else { return };
        let path = format!("/api/v1/deliveries/{id}/cancel");
        let answer = self.insist(Method::POST, &path, Some(&json!({}))).await;
        // Asked again after a lost answer, it is cancelled already.
        if answer.status != 200 && !(answer.status == 409 && answer.tries > 1) {
            return self.complain("a cancellation", &answer);
        }
        if let Some(owed) = self.owed.last_mut() {
            owed.cancelled = true;
        }
        self.market.accepted.fetch_sub(1, Ordering::Relaxed);
    }

    async fn expire(&mut self, lane: usize) {
        let mut owed = self.next(lane);
        let wait = Duration::from_millis(100) + self.dice.within(Duration::from_secs(2));
        owed.expires_at = Some(Timestamp::now() + wait);
        let body = wire(&owed);
        let answer = self.insist(Method::POST, "/api/v1/deliveries", Some(&body)).await;
        match answer.status {
            202 => drop(self.keep(owed, &answer.body)),
            // It took longer to be heard; an earlier try may have been.
            400 if Timestamp::now() > owed.expires_at.unwrap_or(Timestamp::MAX) => {
                owed.doubtful = true;
                self.owed.push(owed);
            }
            _ => self.complain("what expires", &answer),
        }
    }

    /// Sends an enqueue twice although it was answered, and then something else under its key.
    async fn replay(&mut self, lane: usize) {
        let owed = self.next(lane);
        let (text, body) = (owed.text.clone(), wire(&owed));
        let Some(first) = self.owe(owed).await else { return };
        let again = self.insist(Method::POST, "/api/v1/deliveries", Some(&body)).await;
        if again.status != 202 || id(&again.body) != Some(first) {
            self.complain(&format!("a repeated enqueue of {first}"), &again);
        }
        let mut other = body;
        other["activity"]["text"] = json!(format!("not {text}"));
        let refused = self
            .insist(Method::POST, "/api/v1/deliveries", Some(&other))
            .await;
        if refused.status != 409 {
            self.complain("another body under a known key", &refused);
        }
    }

    async fn owe(&mut self, owed: Owed) -> Option<i64> {
        let body = wire(&owed);
        let answer = self.insist(Method::POST, "/api/v1/deliveries", Some(&body)).await;
        if answer.status != 202 {
            self.complain("an enqueue", &answer);
            return None;
        }
        self.keep(owed, &answer.body)
    }

    fn keep(&mut self, mut owed: Owed, answered: &Value) -> Option<i64> {
        owed.id = id(answered);
        if owed.id.is_none() {
            self.complaints
                .push(format!("{}: no id in {answered}", owed.text));
        }
        self.market.accepted.fetch_add(1, Ordering::Relaxed);
        let id = owed.id;
        self.owed.push(owed);
        id
    }

    async fn run_job(&mut self, lane: usize) {
        let said = self.say(lane, "run").await;
        let number = said
            .strip_prefix("We're starting job ")
            .and_then(|rest| rest.split_whitespace().next())
            .and_then(|number| number.parse().ok());
        match number {
            Some(number) => self.lanes[lane].jobs.push(number),
            None => self.complaints.push(format!("`run` was answered with {said:?}")),
        }
    }

    async fn finish_job(&mut self, lane: usize) {
        let number = self.lanes[lane].jobs.remove(0);
        let said = self.say(lane, &format!("done {number}")).await;
        // The turn whose answer was lost may have completed it.
        let completed = [
            format!("Completing job {number}."),
            format!("Job {number} is already complete."),
        ];
        if !completed.contains(&said) {
            return self
                .complaints
                .push(format!("`done {number}` was answered with {said:?}"));
        }
        let lane = &mut self.lanes[lane];
        lane.count += 1;
        let mut owed = Owed::new(format!("Job {number} is complete."), &lane.conversation, "job");
        owed.place = Some(lane.count);
        self.market.accepted.fetch_add(1, Ordering::Relaxed);
        self.owed.push(owed);
    }

    /// Says something to the bot until the turn is over, and returns the answer's text.
    async fn say(&mut self, lane: usize, text: &str) -> String {
        self.said += 1;
        let lane = &self.lanes[lane];
        let mut conversation = json!({ "id": lane.conversation });
        if let Some(tenant) = lane.tenant {
            conversation["tenantId"] = json!(tenant);
        }
        let activity = json!({
            "type": "message",
            "id": format!("{}-{}", self.lanes[0].conversation, self.said),
            "channelId": CHANNEL,
            "serviceUrl": self.market.service_url,
            "from": { "id": "user" },
            "recipient": { "id": "bot" },
            "conversation": conversation,
            "deliveryMode": "expectReplies",
            "text": text,
        });
        let answer = self.insist(Method::POST, "/api/messages", Some(&activity)).await;
        answer.body["activities"][0]["text"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    async fn insist(&mut self, method: Method, path: &str, body: Option<&Value>) -> Answer {
        let door = self.market.door.clone();
        door.insist(&mut self.dice, method, path, body).await
    }

    fn complain(&mut self, what: &str, answer: &Answer) {
        self.complaints.push(format!(
            "{what} was answered {} {} after {} tries",
            answer.status, answer.body, answer.tries
        ));
    }
}

fn id(answered: &Value) -> Option<i64> {
    answered["id"].as_i64()
}

/// What is owed, as the API takes it.
fn wire(owed: &Owed) -> Value {
    let mut wire = json!({
        "channelId": CHANNEL,
        "conversationId": owed.conversation,
        "activity": { "type": "message", "text": owed.text },
        "class": owed.class,
        "dedupeKey": owed.text,
    });
    if owed.at_most_once {
        wire["policy"] = json!("at_most_once");
    }
    if let Some(at) = owed.not_before {
        wire["notBefore"] = json!(at.to_string());
    }
    if let Some(at) = owed.expires_at {
        wire["expiresAt"] = json!(at.to_string());
    }
    wire
}
