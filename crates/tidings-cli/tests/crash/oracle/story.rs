//! The oracle's own tests: made-up runs that add up, and each with the one thing that does not.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::violations;
use crate::journal::{Post, Reply, activity_id};
use crate::killer::Outage;
use crate::ledger::{Attempt, Content, Delivery};
use crate::owed::Owed;
use crate::run::Evidence;

const CONVERSATION: &str = "c";
const CLASS: &str = "message";

/// A run that is told step by step; each step takes 10 ms.
struct Story {
    now: Timestamp,
    evidence: Evidence,
}

impl Story {
    fn new() -> Self {
        Self {
            now: "2030-01-01T00:00:00Z".parse().unwrap(),
            evidence: Evidence::default(),
        }
    }

    fn tick(&mut self) -> Timestamp {
        self.now += SignedDuration::from_millis(10);
        self.now
    }

    /// Accepts a message and puts it on record, not yet sent.
    fn owe(mut self, text: &str) -> Self {
        let now = self.tick();
        let deliveries = &mut self.evidence.deliveries;
        let id = 1 + deliveries.len() as i64;
        let mut owed = Owed::new(text.to_owned(), CONVERSATION, CLASS);
        owed.id = Some(id);
        owed.place = Some(id.unsigned_abs());
        self.evidence.owed.push(owed);
        deliveries.push(Delivery {
            id,
            conversation_id: CONVERSATION.to_owned(),
            state: "available".to_owned(),
            reason: None,
            starts: 0,
            repeat_possible: false,
            activity_id: None,
            content: Content {
                text: Some(text.to_owned()),
            },
            created_at: now,
            ended_at: None,
            attempts: Vec::new(),
        });
        self
    }

    fn owed(mut self, text: &str, change: impl FnOnce(&mut Owed)) -> Self {
        change(
            self.evidence
                .owed
                .iter_mut()
                .find(|owed| owed.text == text)
                .unwrap(),
        );
        self
    }

    fn record(&mut self, text: &str) -> &mut Delivery {
        let deliveries = &mut self.evidence.deliveries;
        let is_it = |delivery: &&mut Delivery| delivery.content.text.as_deref() == Some(text);
        deliveries.iter_mut().find(is_it).unwrap()
    }

    fn change(mut self, text: &str, change: impl FnOnce(&mut Delivery)) -> Self {
        change(self.record(text));
        self
    }

    /// An attempt that brings it to the channel.
    fn post(mut self, text: &str, reply: Reply) -> Self {
        let at = self.tick();
        let place = self.evidence.posts.len();
        self.evidence.posts.push(Post {
            at,
            conversation: CONVERSATION.to_owned(),
            text: Some(text.to_owned()),
            reply,
            place,
            activity_id: activity_id(place),
            answered_at: Some(at),
        });
        let outcome = match reply {
            Reply::Throttle => "throttled",
            Reply::Accept | Reply::AcceptLate(_) => "delivered",
            _ => "unknown",
        };
        let told = reply.tells() && reply.accepts();
        self.start(text, outcome);
        let record = self.record(text);
        record.repeat_possible |= !reply.tells();
        if told {
            record.activity_id = Some(activity_id(place));
        }
        self
    }

    fn start(&mut self, text: &str, outcome: &str) {
        let began_at = self.now;
        let record = self.record(text);
        record.starts += 1;
        record.attempts.push(Attempt {
            began_at,
            ended_at: None,
            outcome: outcome.to_owned(),
        });
    }

    /// The process is killed before anyone knows what became of the last attempt.
    fn killed(mut self, text: &str) -> Self {
        let at = self.tick();
        self.evidence.outages.push(Outage {
            from: at,
            until: at,
            what: "killed".to_owned(),
        });
        let record = self.record(text);
        record.repeat_possible = true;
        record.activity_id = None;
        match record.attempts.last_mut() {
            Some(attempt) => attempt.outcome = "lost".to_owned(),
            None => self.start(text, "lost"),
        }
        self
    }

    fn end(mut self, text: &str, state: &str) -> Self {
        let now = self.tick();
        let record = self.record(text);
        record.state = state.to_owned();
        record.ended_at = Some(now);
        self
    }

    fn adds_up(&self) {
        assert_eq!(violations(&self.evidence), Vec::<String>::new());
    }

    /// It does not add up, and the one reason has these words.
    fn does_not(&self, words: &str) {
        let found = violations(&self.evidence);
        assert_eq!(found.len(), 1, "{found:#?}");
        assert!(found[0].contains(words), "{found:#?}");
    }
}

fn two() -> Story {
    let story = Story::new()
        .owe("a")
        .owe("b")
        .post("a", Reply::Accept)
        .end("a", "delivered");
    story.post("b", Reply::Accept).end("b", "delivered")
}

#[test]
fn what_is_seen_once_and_in_order_adds_up() {
    two().adds_up();
}

#[test]
fn what_is_lost_is_found() {
    let lost = Story::new().owe("a").end("a", "delivered");
    lost.does_not("it is delivered");
    let open = Story::new().owe("a").post("a", Reply::Accept);
    open.does_not("it is available");
    let mut gone = two();
    gone.evidence.deliveries.pop();
    gone.does_not("`b` is on record 0 times");
    gone.owed("b", |owed| owed.doubtful = true).adds_up();
}

#[test]
fn a_doubled_record_is_found() {
    let mut twice = two();
    let deliveries = &mut twice.evidence.deliveries;
    let mut again = deliveries[1].clone();
    again.id = 3;
    deliveries.push(again);
    twice.does_not("`b` is on record 2 times");
    two()
        .change("b", |delivery| delivery.id = 1)
        .owed("b", |owed| owed.id = Some(1))
        .does_not("id 1 has both");
    two()
        .owed("b", |owed| owed.id = Some(9))
        .does_not("its caller was told another id");
}

#[test]
fn strangers_are_found() {
    let mut stranger = two();
    stranger.evidence.owed.pop();
    let found = violations(&stranger.evidence);
    assert!(
        found[0].contains("`b` was posted and nobody owed it"),
        "{found:#?}"
    );
    assert!(found[1].contains("says `b`, which nobody owes"), "{found:#?}");
    let mut elsewhere = two();
    elsewhere.evidence.posts[1].conversation = "d".to_owned();
    elsewhere.does_not("posted to another conversation");
}

#[test]
fn a_repeat_needs_a_reason_and_a_note() {
    let again = || Story::new().owe("a").post("a", Reply::Accept);
    let unfounded = again().post("a", Reply::Accept).end("a", "delivered");
    let found = violations(&unfounded.evidence);
    assert!(found[0].contains("no process died in between"), "{found:#?}");
    assert!(found[1].contains("the record does not say so"), "{found:#?}");
    again()
        .killed("a")
        .post("a", Reply::Accept)
        .end("a", "delivered")
        .adds_up();
    for reply in [Reply::AcceptAndFail, Reply::AcceptAndClose, Reply::Close] {
        let story = Story::new().owe("a").post("a", reply).post("a", Reply::Accept);
        story.end("a", "delivered").adds_up();
    }
    let silent = again().killed("a").post("a", Reply::Accept).end("a", "delivered");
    silent
        .change("a", |delivery| delivery.repeat_possible = false)
        .does_not("the record does not say so");
    two()
        .change("a", |delivery| delivery.repeat_possible = true)
        .does_not("each attempt told what became of it");
}

#[test]
fn at_most_once_is_never_seen_twice() {
    let once = |text: &'static str| Story::new().owe(text).owed(text, |owed| owed.at_most_once = true);
    once("a")
        .post("a", Reply::Throttle)
        .post("a", Reply::Accept)
        .end("a", "delivered")
        .adds_up();
    once("a")
        .post("a", Reply::AcceptAndFail)
        .end("a", "unknown")
        .adds_up();
    once("a").killed("a").end("a", "unknown").adds_up();
    once("a")
        .post("a", Reply::Accept)
        .end("a", "unknown")
        .does_not("it is unknown");
    once("a")
        .post("a", Reply::AcceptAndFail)
        .post("a", Reply::Accept)
        .end("a", "delivered")
        .does_not("is to be sent at most once");
    let at_least_once = Story::new().owe("a").post("a", Reply::AcceptAndFail);
    at_least_once.end("a", "unknown").does_not("it is unknown");
}

#[test]
fn order_is_that_of_the_first_time_seen() {
    let swapped = Story::new()
        .owe("a")
        .owe("b")
        .post("b", Reply::Accept)
        .end("b", "delivered");
    let swapped = swapped.post("a", Reply::Accept).end("a", "delivered");
    swapped.does_not("came after");
    swapped.owed("a", |owed| owed.place = None).adds_up();
    let overtaken = Story::new().owe("a").owe("b").post("a", Reply::Throttle);
    let overtaken = overtaken.post("b", Reply::Accept).end("b", "delivered");
    overtaken
        .post("a", Reply::Accept)
        .end("a", "delivered")
        .does_not("came after");
}

#[test]
fn one_post_at_a_time_in_a_conversation() {
    let mut both = two();
    both.evidence.posts[0].answered_at = None;
    both.does_not("was on its way");
    both.evidence.outages.push(Outage {
        from: both.evidence.posts[0].at,
        until: both.evidence.posts[0].at,
        what: "killed".to_owned(),
    });
    both.adds_up();
}

#[test]
fn nothing_is_posted_before_its_time_or_after_its_end() {
    let early = two();
    let posted = early.evidence.posts[1].at;
    early
        .owed("b", |owed| {
            owed.not_before = Some(posted + Duration::from_millis(1));
        })
        .does_not("before its time");
    let late = Story::new().owe("a").post("a", Reply::AcceptAndFail);
    late.end("a", "delivered")
        .post("a", Reply::Accept)
        .does_not("after it had ended");
}

#[test]
fn other_ends_are_explained() {
    let at = |story: &Story| story.now;
    let cancelled = Story::new().owe("a").owed("a", |owed| owed.cancelled = true);
    cancelled.end("a", "cancelled").adds_up();
    Story::new()
        .owe("a")
        .end("a", "cancelled")
        .does_not("it is cancelled");
    let story = Story::new().owe("a");
    let due = at(&story) + Duration::from_millis(5);
    let expired = story
        .owed("a", |owed| owed.expires_at = Some(due))
        .end("a", "expired");
    expired.adds_up();
    expired
        .owed("a", |owed| owed.expires_at = Some(Timestamp::MAX))
        .does_not("it is expired");
    let killed = |times| {
        let mut story = Story::new().owe("a");
        for _ in 0..times {
            story.start("a", "sending");
            story = story.killed("a");
        }
        story
            .change("a", |delivery| delivery.reason = Some("poison".to_owned()))
            .end("a", "dead")
    };
    killed(3).adds_up();
    killed(2).does_not("it is dead");
}
