use futures_util::FutureExt;
use tidings_activity::{Activity, ConversationAccount, Raw};
use tidings_store::ManualClock;

use super::*;
use crate::conversation_key::ConversationKey;

struct Setup {
    clock: ManualClock,
    deduplication: Deduplication,
}

fn setup(activities: usize, age: u64, body_bytes: usize) -> Setup {
    let clock = ManualClock::default();
    let limits = DeduplicationLimits {
        activities,
        age: Duration::from_secs(age),
        body_bytes,
    };
    Setup {
        deduplication: Deduplication::new(limits, Arc::new(clock.clone())),
        clock,
    }
}

impl Setup {
    fn commit(&self, id: &str, body: Option<&str>) {
        let activity = activity(id);
        let key = ActivityKey::of(&activity);
        let facts = TurnFacts {
            activity: &activity,
            kind: TurnKind::Inbound,
            conversation: &ConversationKey::new("test", "c"),
            responded: true,
            activity_key: key.as_ref(),
        };
        let body = body.map(|text| Raw::new(text).unwrap());
        self.deduplication
            .committed(&facts, &TurnResponse { status: 200, body });
    }

    fn admit(&self, id: &str) -> Admission {
        let inbound = Inbound::anonymous(activity(id));
        self.deduplication
            .admit(&inbound)
            .now_or_never()
            .unwrap()
            .unwrap()
    }

    fn remembers(&self, id: &str) -> bool {
        self.admit(id) != Admission::Run
    }
}

fn activity(id: &str) -> Activity {
    Activity::message("hi")
        .with_id(id)
        .with_channel_id("test")
        .with_conversation(ConversationAccount::new("c"))
}

#[test]
fn only_what_was_committed_is_remembered_with_its_answer() {
    let setup = setup(10, 60, 100);
    assert_eq!(setup.admit("1"), Admission::Run);
    assert_eq!(setup.admit("1"), Admission::Run, "asking is not committing");
    setup.commit("1", Some("result"));
    let Admission::Answered(answer) = setup.admit("1") else {
        panic!("forgotten")
    };
    assert_eq!(answer.body.unwrap().get(), "\"result\"");
}

#[test]
fn the_oldest_goes_when_there_are_too_many() {
    let setup = setup(2, 60, 100);
    setup.commit("1", None);
    setup.commit("2", None);
    assert!(setup.remembers("1"));
    setup.commit("3", None);
    assert!(!setup.remembers("1") && setup.remembers("2") && setup.remembers("3"));
}

#[test]
fn age_is_a_limit_too() {
    let setup = setup(10, 60, 100);
    setup.commit("1", None);
    setup.clock.advance(SignedDuration::from_millis(59_999));
    assert!(setup.remembers("1"));
    setup.clock.advance(SignedDuration::from_millis(1));
    assert!(!setup.remembers("1"));
}

#[test]
fn bodies_are_dropped_oldest_first_and_the_turn_is_still_known() {
    let setup = setup(10, 60, 20);
    setup.commit("1", Some("12345678")); // ten bytes as JSON
    setup.commit("2", Some("12345678"));
    let body = |id: &str| match setup.admit(id) {
        Admission::Answered(answer) => answer.body.is_some(),
        Admission::Run => panic!("forgotten"),
    };
    assert!(body("1") && body("2"));
    setup.commit("3", Some(""));
    assert!(!body("1") && body("2") && body("3"));
}

#[test]
fn what_is_forgotten_takes_its_body_along() {
    let setup = setup(1, 60, 100);
    for id in 0..50 {
        setup.commit(&id.to_string(), Some("body"));
    }
    let committed = setup.deduplication.committed_turns();
    assert_eq!(
        (
            committed.answers.len(),
            committed.order.len(),
            committed.bodies.len()
        ),
        (1, 1, 1)
    );
    assert_eq!(committed.body_bytes, 6);
}
