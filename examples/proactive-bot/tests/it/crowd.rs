//! Many at once.

use std::collections::BTreeSet;

use futures_util::future::join_all;

use crate::window::{Bot, next};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_simultaneous_runs_give_a_thousand_jobs_and_show_lists_the_newest() {
    let bot = Bot::start();
    let run = async |n: u64| {
        let window = bot.window(&format!("c{n}"));
        let heard = window.send("run").await.unwrap();
        let text = heard.texts()[0].to_owned();
        let number = text
            .trim_start_matches("We're starting job ")
            .split(' ')
            .next()
            .unwrap()
            .parse()
            .unwrap();
        (number, window)
    };
    let started = join_all((0..1000).map(run)).await;
    let numbers: BTreeSet<u64> = started.iter().map(|(number, _)| *number).collect();
    assert!(
        numbers.iter().copied().eq(1001..=2000),
        "{} numbers",
        numbers.len()
    );

    let heard = bot.window("bob").send("show").await.unwrap();
    let lines: Vec<&str> = heard.texts()[0].split('\n').collect();
    assert_eq!(lines.len(), 2 + 500 + 2);
    assert!(
        lines[2].starts_with("| 1501 ") && lines[501].starts_with("| 2000 "),
        "{:?}",
        (lines[2], lines[501])
    );
    assert_eq!(lines[502..], ["", "Older jobs not shown: 500."]);

    let boss = bot.window("boss");
    join_all(
        numbers
            .iter()
            .map(|number| boss.deliver(format!("done {number}"))),
    )
    .await;
    for (number, window) in &started {
        assert_eq!(next(window).await, format!("Job {number} is complete."));
        window.heard().assert_silent();
    }
}

#[tokio::test]
async fn show_mentions_older_jobs_only_beyond_five_hundred() {
    let bot = Bot::start();
    let (alice, bob) = (bot.window("alice"), bot.window("bob"));
    join_all((0..500).map(|_| alice.deliver("run"))).await;
    assert!(!bob.send("show").await.unwrap().texts()[0].contains("not shown"));
    alice.deliver("run").await.unwrap();
    let heard = bob.send("show").await.unwrap();
    assert!(
        heard.texts()[0].ends_with("\n\nOlder jobs not shown: 1."),
        "{:?}",
        heard.texts()[0].lines().last()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_simultaneous_dones_of_one_job_give_one_notification() {
    let bot = Bot::start();
    let alice = bot.window("alice");
    alice.deliver("run").await.unwrap();
    next(&alice).await;
    let ask = async |n: u64| {
        bot.window(&format!("boss{n}"))
            .send("done 1001")
            .await
            .unwrap()
            .texts()[0]
            .to_owned()
    };
    let mut answers = join_all((0..10).map(ask)).await;
    answers.sort();
    let mut expected = vec!["Job 1001 is already complete."; 9];
    expected.insert(0, "Completing job 1001.");
    assert_eq!(answers, expected);
    assert_eq!(next(&alice).await, "Job 1001 is complete.");
    // What came after a second notification would have come before this answer.
    alice
        .send("done 1001")
        .await
        .unwrap()
        .assert_reply("Job 1001 is already complete.");
}
