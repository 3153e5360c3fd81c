use serde_json::json;
use tidings_activity::{Activity, ChannelAccount, Entity, Mention};

fn message(text: &str) -> Activity {
    Activity::message(text).with_recipient(ChannelAccount::new("bot", "Tidings"))
}

fn of_bot(text: &str) -> Mention {
    Mention::new(ChannelAccount::new("bot", "Tidings"), text)
}

#[test]
fn mentions_are_found_whatever_the_case_of_their_type() {
    let mut odd = Entity::from(of_bot("@Tidings"));
    odd.kind = "MENTION".to_owned();
    let strange = Entity {
        kind: "mention".to_owned(),
        ..serde_json::from_value(json!({"mentioned": 5})).expect("any")
    };
    let activity = message("x")
        .with_entity(Entity::new("Place"))
        .with_entity(odd)
        .with_entity(strange);
    assert_eq!(activity.mentions(), [of_bot("@Tidings")]);
}

#[test]
fn the_mention_of_the_recipient_is_cut_out_once() {
    for (text, spelled, expected) in [
        ("<at>Tidings</at> run", "<at>Tidings</at>", "run"),
        (
            "<at>Tidings</at> run <at>Tidings</at>",
            "<at>Tidings</at>",
            "run <at>Tidings</at>",
        ),
        ("run, @Tidings, now", "@Tidings", "run, , now"),
        ("<at>Tidings</at>  run\n", "Tidings", "run"),
        ("<at>Tidings</at> run", "@Tidings", "run"),
        ("<at>Tidings</at> run", "", "run"),
        ("run", "@Tidings", "run"),
        (" run ", "@Tidings", " run "),
        ("<at>Tidings</at>", "<at>Tidings</at>", ""),
    ] {
        let mut activity = message(text).with_entity(of_bot(spelled));
        assert_eq!(
            activity.remove_recipient_mention().as_deref(),
            Some(expected),
            "{text} / {spelled}"
        );
        assert_eq!(activity.text.as_deref(), Some(expected));
        assert_eq!(activity.mentions().len(), 1, "the entity stays");
    }
}

#[test]
fn mentions_of_others_stay() {
    let ana = Mention::new(ChannelAccount::new("ana", "Ana"), "<at>Ana</at>");
    let mut activity = message("<at>Ana</at> <at>Tidings</at> run")
        .with_entity(ana)
        .with_entity(of_bot("<at>Tidings</at>"));
    assert_eq!(
        activity.remove_recipient_mention().as_deref(),
        Some("<at>Ana</at>  run")
    );
}

#[test]
fn without_text_or_recipient_nothing_happens() {
    let nobody = Mention::new(ChannelAccount::default(), "<at>X</at>");
    let mut activity = Activity::message("<at>X</at> run").with_entity(nobody.clone());
    assert_eq!(
        activity.remove_recipient_mention().as_deref(),
        Some("<at>X</at> run")
    );
    activity.recipient = Some(ChannelAccount::default());
    assert_eq!(
        activity.remove_recipient_mention().as_deref(),
        Some("<at>X</at> run")
    );
    activity.text = None;
    assert_eq!(activity.remove_recipient_mention(), None);
}

#[test]
fn a_hundred_mentions_are_cut_and_no_more() {
    for (count, left) in [(99, 0), (100, 0), (101, 1)] {
        let mut activity = message(&"@Tidings ".repeat(count));
        activity.entities = Some(vec![of_bot("@Tidings").into(); count]);
        let text = activity.remove_recipient_mention().unwrap_or_default();
        assert_eq!(text.matches("@Tidings").count(), left, "{count}");
    }
}
