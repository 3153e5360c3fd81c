//! Who hears that a job is complete.

use std::io::Write;
use std::sync::{Arc, Mutex};

use serde_json::json;
use tidings::activity::Activity;

use crate::window::{Bot, next};

/// What the bot logs.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn lines(&self) -> Vec<String> {
        let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        text.lines().map(str::to_owned).collect()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn the_creator_is_told_in_the_conversation_the_job_was_started_in() {
    let bot = Bot::start();
    let (alice, bob) = (bot.window("alice"), bot.window("bob"));
    alice
        .send("run")
        .await
        .unwrap()
        .assert_reply("We're starting job 1001 for you. We'll notify you when it's complete.");
    bob.send("DONE 1001")
        .await
        .unwrap()
        .assert_reply("Completing job 1001.");
    let news = alice.next().await;
    assert_eq!(news.text.as_deref(), Some("Job 1001 is complete."));
    assert_eq!(
        news.recipient.and_then(|user| user.id).as_deref(),
        Some("user-alice")
    );
    assert_eq!(
        (news.from.and_then(|bot| bot.id).as_deref(), news.reply_to_id),
        (Some("bot"), None)
    );
    bob.send("done 1001")
        .await
        .unwrap()
        .assert_reply("Job 1001 is already complete.");
    alice.heard().assert_silent();
    bob.heard().assert_silent();
}

#[tokio::test]
async fn a_creator_who_completes_it_herself_hears_the_answer_first() {
    let bot = Bot::start();
    let alice = bot.window("alice");
    for job in 1001..=1020 {
        alice.send("run").await.unwrap().assert_reply(&format!(
            "We're starting job {job} for you. We'll notify you when it's complete."
        ));
        alice.deliver(format!("done {job}").as_str()).await.unwrap();
        assert_eq!(next(&alice).await, format!("Completing job {job}."));
        assert_eq!(next(&alice).await, format!("Job {job} is complete."));
    }
}

#[tokio::test]
async fn an_event_completes_a_job_silently_for_its_sender() {
    let bot = Bot::start();
    let (alice, service) = (bot.window("alice"), bot.window("service"));
    let values = [json!(1001), json!("1002"), json!(1003.0), json!(" 1004 ")];
    for (job, value) in (1001..).zip(values) {
        alice.deliver("run").await.unwrap();
        assert!(
            next(&alice)
                .await
                .starts_with(&format!("We're starting job {job} "))
        );
        let name = if job % 2 == 0 {
            "jobCompleted"
        } else {
            "jobComplete"
        };
        for _ in 0..2 {
            service.event(name, &value).await.unwrap().assert_silent();
        }
        assert_eq!(next(&alice).await, format!("Job {job} is complete."));
        alice.heard().assert_silent();
    }
}

#[tokio::test]
async fn an_event_with_anything_else_is_ignored_with_a_line_in_the_log() {
    let log = Log::default();
    let lines = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_ansi(false)
        .with_writer(move || lines.clone())
        .finish();
    let _until_the_end = tracing::subscriber::set_default(subscriber);
    let bot = Bot::start();
    let (alice, service) = (bot.window("alice"), bot.window("service"));
    alice.deliver("run").await.unwrap();
    next(&alice).await;
    let odd = [
        json!(null),
        json!({"odd": [1]}),
        json!([1]),
        json!(true),
        json!("one"),
        json!(""),
        json!("1001.0"),
        json!("0x3e9"),
        json!(1001.5),
        json!(0),
        json!(-1),
    ];
    let unknown = [
        json!(424_242),
        json!(9_007_199_254_740_993_u64),
        json!("99999999999999999999"),
    ];
    for value in odd.into_iter().chain(unknown) {
        let said = log.lines();
        service
            .event("jobCompleted", &value)
            .await
            .unwrap()
            .assert_silent();
        let line = log.lines().split_off(said.len());
        assert!(
            line.len() == 1 && line[0].contains("ignored: "),
            "{value}: {line:?}"
        );
    }
    service
        .send(Activity::event("jobComplete"))
        .await
        .unwrap()
        .assert_silent();
    // Names are exact, as everywhere in the protocol.
    service
        .event("JOBCOMPLETED", &1001)
        .await
        .unwrap()
        .assert_silent();
    assert!(bot.window("bob").send("show").await.unwrap().texts()[0].contains("| alice &nbsp; | False |"));
    alice.heard().assert_silent();
}

#[tokio::test]
async fn a_failing_turn_is_apologised_for() {
    let bot = Bot::start();
    let alice = bot.window("alice");
    // The answer to `run` is refused, the apology is not; the job exists all the same.
    bot.window.channel().refuse_next(503);
    let failed = alice.deliver("run").await;
    assert_eq!(
        next(&alice).await,
        "Sorry, it looks like something went wrong!",
        "{failed:?}"
    );
    assert_eq!(bot.jobs.page(10).await.unwrap().jobs.len(), 1);
}
