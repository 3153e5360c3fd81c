//! What the bot answers.

use tidings::activity::{Activity, ActivityType, ConversationAccount, TextFormat};

use crate::window::Bot;

const HELP: &str = "Type `run` or `run job` to start a new job.\r\n\
                    Type `show` or `show jobs` to display the job log.\r\n\
                    Type `done <jobNumber>` to complete a job.";
const NO_NUMBER: &str = "Enter the job ID number after \"done\".";

#[tokio::test]
async fn run_starts_a_job_however_it_is_typed() {
    let bot = Bot::start();
    let alice = bot.window("alice");
    for (job, text) in ["run", "run job", "  RUN  ", "Run\t Job\r\n"]
        .into_iter()
        .enumerate()
    {
        alice.send(text).await.unwrap().assert_reply(&format!(
            "We're starting job {} for you. We'll notify you when it's complete.",
            job + 1001
        ));
    }
}

#[tokio::test]
async fn show_says_that_the_log_is_empty_or_lists_it() {
    let bot = Bot::start();
    let (alice, bob) = (bot.window("alice|livechat"), bot.window("bob"));
    bob.send("show")
        .await
        .unwrap()
        .assert_reply("The job log is empty.");
    alice
        .send("run")
        .await
        .unwrap()
        .assert_reply("We're starting job 1001 for you. We'll notify you when it's complete.");
    bob.send("run")
        .await
        .unwrap()
        .assert_reply("We're starting job 1002 for you. We'll notify you when it's complete.");
    bob.send("done 1001")
        .await
        .unwrap()
        .assert_reply("Completing job 1001.");
    for text in ["show", "show jobs", " SHOW  Jobs "] {
        let heard = bob.send(text).await.unwrap();
        heard.assert_reply(
            "| Job number &nbsp; | Conversation ID &nbsp; | Completed |\n\
             | :--- | :---: | :---: |\n\
             | 1001 &nbsp; | alice &nbsp; | True |\n\
             | 1002 &nbsp; | bob &nbsp; | False |",
        );
        assert_eq!(heard[0].text_format, Some(TextFormat::Markdown));
    }
}

#[tokio::test]
async fn no_conversation_id_breaks_the_table() {
    let bot = Bot::start();
    for id in [
        "line\nbreak\r\nand\ttab",
        "<b>bold",
        "|",
        "19:a_b@thread.tacv2;messageid=1",
        "a/b?c#d%25 é",
    ] {
        let run = Activity {
            conversation: Some(ConversationAccount::new(id)),
            ..Activity::message("run")
        };
        bot.window.deliver(run).await.unwrap();
    }
    let heard = bot.window.send("show").await.unwrap();
    let rows: Vec<&str> = heard.texts()[0].lines().skip(2).collect();
    assert_eq!(
        rows,
        [
            "| 1001 &nbsp; | line break  and tab &nbsp; | False |",
            "| 1002 &nbsp; | &lt;b>bold &nbsp; | False |",
            "| 1003 &nbsp; |  &nbsp; | False |",
            "| 1004 &nbsp; | 19:a_b@thread.tacv2;messageid=1 &nbsp; | False |",
            "| 1005 &nbsp; | a/b?c#d%25 é &nbsp; | False |",
        ]
    );
}

#[tokio::test]
async fn done_needs_the_number_of_a_job() {
    let bot = Bot::start();
    let alice = bot.window("alice");
    for text in [
        "done",
        " DONE ",
        "done abc",
        "done 1.5",
        "done 1e3",
        "done job 1",
        "done 1 2",
        "done +1",
    ] {
        alice.send(text).await.unwrap().assert_reply(NO_NUMBER);
    }
    for number in [
        "1",
        "0",
        "-7",
        "9007199254740991",
        "9007199254740992",
        "9007199254740993",
        "99999999999999999999999",
    ] {
        let answer = format!("The log does not contain a job {number}.");
        alice
            .send(format!("done {number}").as_str())
            .await
            .unwrap()
            .assert_reply(&answer);
    }
}

#[tokio::test]
async fn other_text_is_answered_with_the_three_lines_of_help() {
    let bot = Bot::start();
    let alice = bot.window("alice");
    for text in [
        "hello there",
        "running",
        "run jobs",
        "undone 1",
        "done1",
        "",
        "héllo ✓ 𝒳 עברית <b>&\"\\",
    ] {
        alice.send(text).await.unwrap().assert_reply(HELP);
    }
    // A picture, or the submission of a card.
    alice
        .send(Activity::new(ActivityType::Message))
        .await
        .unwrap()
        .assert_reply(HELP);
}

#[tokio::test]
async fn other_activities_are_not_answered() {
    let bot = Bot::start();
    let alice = bot.window("alice");
    for kind in [
        "conversationUpdate",
        "typing",
        "endOfConversation",
        "messageReaction",
        "someFutureType",
    ] {
        let response = alice
            .deliver(Activity::new(ActivityType::from(kind)))
            .await
            .unwrap();
        assert_eq!(response.status, 200, "{kind}");
    }
    alice.event("somethingElse", &1).await.unwrap().assert_silent();
    alice.heard().assert_silent();
}

#[tokio::test]
async fn a_mention_of_the_bot_is_not_part_of_the_command() {
    let bot = Bot::start();
    let run = Activity::from_slice(
        br#"{"type":"message","text":"<at>Bot</at> run","entities":[
             {"type":"mention","mentioned":{"id":"bot","name":"Bot"},"text":"<at>Bot</at>"}]}"#,
    )
    .unwrap();
    bot.window("team")
        .send(run)
        .await
        .unwrap()
        .assert_reply("We're starting job 1001 for you. We'll notify you when it's complete.");
}
