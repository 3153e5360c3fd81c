//! Where callers find a server, whichever node lives, and how they insist on an answer.

use std::time::Duration;

use http::{Method, StatusCode};
use reqwest::{Client, Response};
use serde_json::Value;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::dice::Dice;
use crate::journal::Journal;
use crate::node::PATIENCE;

/// How long one try may take: a node that stands still does not refuse, it is silent.
const TRY: Duration = Duration::from_secs(10);

/// The addresses of the nodes that are ready. Clones share them.
#[derive(Clone)]
pub(crate) struct Door {
    open: watch::Sender<Vec<String>>,
    journal: Journal,
    http: Client,
}

/// What a server answered.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Value,
    /// How often the request was sent.
    pub(crate) tries: u32,
}

impl Door {
    pub(crate) fn new(journal: Journal) -> Self {
        let http = Client::builder().no_proxy().build().unwrap();
        Self {
            open: watch::Sender::default(),
            journal,
            http,
        }
    }

    pub(crate) fn open(&self, base: &str) {
        self.open.send_modify(|bases| bases.push(base.to_owned()));
    }

    pub(crate) fn close(&self, base: &str) {
        self.open.send_modify(|bases| bases.retain(|open| open != base));
    }

    /// Sends a request until a server has answered it for good: no answer, 429 and 5xx are tried again, elsewhere if
    /// there is another node.
    pub(crate) async fn insist(
        &self,
        dice: &mut Dice,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Answer {
        let mut tries = 0;
        let insist = async {
            loop {
                // Both from before the try, so that nothing that happens meanwhile is missed.
                let (mut open, mut posts) = (self.open.subscribe(), self.journal.watch());
                let base = pick(&mut open, dice).await;
                tries += 1;
                if let Some(answer) = self.once(&base, method.clone(), path, body).await {
                    return answer;
                }
                // The server ends, or it is busy: then another comes, or it sends something and has more room.
                let news = async {
                    tokio::select! {
                        changed = open.changed() => changed,
                        posted = posts.changed() => posted,
                    }
                };
                let _ = timeout(TRY, news).await;
            }
        };
        let answer = timeout(PATIENCE, insist).await;
        let (status, body) = answer.unwrap_or_else(|_| panic!("{method} {path}: no answer"));
        Answer { status, body, tries }
    }

    /// An answer that goes on and on, of one of the nodes.
    pub(crate) async fn follow(&self, dice: &mut Dice, path: &str) -> Response {
        let base = pick(&mut self.open.subscribe(), dice).await;
        self.http.get(format!("{base}{path}")).send().await.unwrap()
    }

    /// What a node counts under this name, all labels together.
    pub(crate) async fn metric(&self, base: &str, name: &str) -> f64 {
        let request = self.http.get(format!("{base}/metrics")).timeout(TRY);
        let response = request.send().await.unwrap();
        let text = response.text().await.unwrap();
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let counts = lines.filter_map(|line| {
            let (key, value) = line.rsplit_once(' ')?;
            (key.split('{').next() == Some(name)).then(|| value.parse::<f64>().ok())?
        });
        counts.sum()
    }

    async fn once(
        &self,
        base: &str,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Option<(u16, Value)> {
        let request = self.http.request(method, format!("{base}{path}"));
        let mut request = request.timeout(TRY);
        if let Some(body) = body {
            request = request
                .header("content-type", "application/json")
                .body(body.to_string());
        }
        let response = request.send().await.ok()?;
        let status = response.status();
        let text = response.text().await.ok()?;
        if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
            return None;
        }
        Some((status.as_u16(), serde_json::from_str(&text).unwrap_or_default()))
    }
}

/// A node that is ready, as soon as there is one.
async fn pick(open: &mut watch::Receiver<Vec<String>>, dice: &mut Dice) -> String {
    let bases = open.wait_for(|bases| !bases.is_empty()).await.unwrap();
    dice.pick(&bases).clone()
}
