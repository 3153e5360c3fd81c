//! The promise of the watermark: whatever the interleaving, nothing is lost and nothing doubled.

use proptest::prelude::{Just, Strategy, prop_oneof};
use proptest::test_runner::{Config, TestRunner};
use serde_json::Value;

use crate::kit::{Chat, Site, Socket};

#[derive(Debug, Clone)]
enum Move {
    UserSays,
    BotSays,
    /// Bot and user at once, this many each.
    Burst(usize),
    /// Reads this many sets from the socket, if one is open and has them.
    Read(usize),
    Drop,
    /// Opens a stream, whether or not one is open: the older one collides.
    Reconnect,
    Poll,
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let one = prop_oneof![
        3 => Just(Move::UserSays),
        3 => Just(Move::BotSays),
        2 => (1..6_usize).prop_map(Move::Burst),
        3 => (1..3_usize).prop_map(Move::Read),
        1 => Just(Move::Drop),
        2 => Just(Move::Reconnect),
        1 => Just(Move::Poll),
    ];
    proptest::collection::vec(one, 1..40)
}

struct Client {
    chat: Chat,
    socket: Option<Socket>,
    watermark: String,
    seen: Vec<String>,
    said: usize,
}

impl Client {
    fn take(&mut self, set: &Value) {
        let ids = set["activities"]
            .as_array()
            .unwrap()
            .iter()
            .map(|activity| activity["id"].as_str().unwrap());
        self.seen.extend(ids.map(str::to_owned));
        self.watermark = set["watermark"].as_str().unwrap().to_owned();
    }

    async fn go(&mut self, site: &Site, step: &Move) {
        match step {
            Move::UserSays => {
                site.say(&self.chat, "u").await;
                self.said += 1;
            }
            Move::BotSays => {
                site.answer(&self.chat, "b").await;
                self.said += 1;
            }
            Move::Burst(count) => {
                let users = futures_util::future::join_all((0..*count).map(|_| site.say(&self.chat, "u")));
                let bots = futures_util::future::join_all((0..*count).map(|_| site.answer(&self.chat, "b")));
                tokio::join!(users, bots);
                self.said += 2 * count;
            }
            Move::Read(count) => {
                for _ in 0..*count {
                    if self.seen.len() == self.said {
                        break;
                    }
                    let Some(socket) = &mut self.socket else { break };
                    match socket.set().await {
                        Some(set) => self.take(&set),
                        None => self.socket = None,
                    }
                }
            }
            Move::Drop => self.socket = None,
            Move::Reconnect => self.socket = Some(site.open_stream(&self.chat, &self.watermark).await),
            Move::Poll => {
                self.socket = None;
                let path = format!("{}/activities?watermark={}", self.chat.path(), self.watermark);
                let set = site.get(&path, Some(&self.chat.token)).await.ok();
                self.take(&set);
            }
        }
    }
}

#[test]
fn no_interleaving_of_posts_and_reconnects_loses_or_doubles_an_activity() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let (site, _address) = runtime.block_on(async {
        let site = Site::new().await;
        let address = site.serve().await;
        (site, address)
    });
    let site = std::sync::Mutex::new(site);
    let mut runner = TestRunner::new(Config {
        cases: 48,
        failure_persistence: None,
        ..Config::default()
    });
    runner
        .run(&moves(), |steps| {
            let mut site = site.lock().unwrap();
            runtime.block_on(async {
                let chat = site.conversation().await;
                let mut client = Client {
                    chat,
                    socket: None,
                    watermark: String::new(),
                    seen: Vec::new(),
                    said: 0,
                };
                for step in &steps {
                    client.go(&site, step).await;
                }
                // A last stream brings whatever is missing.
                client.go(&site, &Move::Reconnect).await;
                while client.seen.len() < client.said {
                    client.go(&site, &Move::Read(1)).await;
                }
                let expected: Vec<_> = (1..=client.said)
                    .map(|number| format!("{}|{number:07}", client.chat.id))
                    .collect();
                assert_eq!(client.seen, expected);
                while site.inbox.try_recv().is_ok() {}
            });
            Ok(())
        })
        .unwrap();
}
