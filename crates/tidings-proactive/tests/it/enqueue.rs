//! What is put on record, and what is not.

use jiff::SignedDuration;
use tidings_activity::{Activity, ActivityType, ConversationReference};
use tidings_proactive::{DeliveryState, Enqueue, JobState, ProactiveError, UnknownPolicy};

use crate::desk::{Desk, options, place, reference, unreachable};

#[tokio::test(start_paused = true)]
async fn a_replay_of_a_dedupe_key_answers_with_the_first_delivery() {
    let desk = Desk::new();
    let first = desk.owe("alice", "x").dedupe_key("k").accept().await.unwrap();
    assert!(!first.replay);
    let again = desk.owe("alice", "x").dedupe_key("k").accept().await.unwrap();
    assert_eq!(
        (again.id, again.state, again.replay),
        (first.id, DeliveryState::Available, true)
    );
    let running = desk.run();
    desk.deliver("x").await;
    let again = desk.owe("alice", "x").dedupe_key("k").accept().await.unwrap();
    assert_eq!((again.id, again.state), (first.id, DeliveryState::Delivered));
    running.stop().await;
    desk.check().await;
}

#[tokio::test(start_paused = true)]
async fn another_body_under_a_known_dedupe_key_is_a_conflict() {
    let desk = Desk::new();
    let first = desk.owe("alice", "x").dedupe_key("k").commit().await.unwrap();
    let handler = Enqueue::handler(&desk.proactive, reference("alice"), "x", &1).unwrap();
    for other in [
        desk.owe("alice", "y"),
        desk.owe("bob", "x"),
        desk.owe("alice", "x").class("other"),
        handler,
    ] {
        let error = other.dedupe_key("k").commit().await.unwrap_err();
        assert!(
            matches!(error, ProactiveError::DedupeConflict { id } if id == first),
            "{error}"
        );
    }
    assert_eq!(desk.ledger().await, [("available".to_owned(), 1)]);
}

#[tokio::test(start_paused = true)]
async fn a_dedupe_key_belongs_to_its_tenant_and_is_forgotten_after_a_week() {
    let desk = Desk::new();
    let owe = |tenant: &str| {
        let mut reference = reference("alice");
        reference.conversation.as_mut().unwrap().tenant_id = Some(tenant.to_owned());
        Enqueue::new(&desk.proactive, reference, &Activity::message("x"))
            .unwrap()
            .dedupe_key("k")
    };
    let one = owe("one").commit().await.unwrap();
    let two = owe("two").commit().await.unwrap();
    assert_ne!(one, two);
    desk.clock
        .advance(SignedDuration::from_hours(7 * 24) - SignedDuration::from_micros(1));
    assert_eq!(owe("one").commit().await.unwrap(), one);
    desk.clock.advance(SignedDuration::from_micros(1));
    let anew = owe("one").accept().await.unwrap();
    assert!(anew.id != one && !anew.replay);
    assert_eq!(owe("one").commit().await.unwrap(), anew.id);
}

#[tokio::test(start_paused = true)]
async fn a_conversation_has_as_many_open_deliveries_as_it_may() {
    let mut options = options(4);
    options.max_backlog = 3;
    let desk = Desk::on(place(), options);
    desk.owe("alice", "0").dedupe_key("k").commit().await.unwrap();
    for text in ["1", "2"] {
        desk.enqueue("alice", text).await;
    }
    let error = desk.owe("alice", "3").commit().await.unwrap_err();
    assert!(matches!(error, ProactiveError::BacklogFull), "{error}");
    // Neither what is known already nor another conversation is concerned.
    assert!(
        desk.owe("alice", "0")
            .dedupe_key("k")
            .accept()
            .await
            .unwrap()
            .replay
    );
    desk.enqueue("bob", "b").await;
    // A job's notice must not fail.
    let job = desk.jobs.start(reference("alice")).await.unwrap();
    desk.jobs.complete(job, "Done.").await.unwrap();
    desk.check().await;
    let running = desk.run();
    for _ in 0..2 {
        desk.call().await.deliver();
    }
    desk.call().await.deliver();
    desk.call().await.deliver();
    desk.deliver("Done.").await;
    desk.enqueue("alice", "room again").await;
    desk.deliver("room again").await;
    desk.check().await;
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn one_that_waits_to_be_tried_again_counts_into_the_backlog() {
    let mut options = options(4);
    options.max_backlog = 1;
    let desk = Desk::on(place(), options);
    let running = desk.run();
    let id = desk.enqueue("alice", "0").await;
    desk.call().await.fail(unreachable());
    desk.until(id, DeliveryState::Retryable).await;
    assert!(desk.owe("alice", "1").commit().await.is_err());
    desk.clock.advance(SignedDuration::from_secs(1));
    desk.deliver("0").await;
    desk.enqueue("alice", "1").await;
    desk.deliver("1").await;
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn names_are_neither_empty_nor_too_long() {
    let desk = Desk::new();
    let long = "é".repeat(128);
    let too_long = format!("{long}x");
    for bad in ["", too_long.as_str(), "nul\0"] {
        let errors = [
            desk.owe("alice", "x").class(bad).commit().await.unwrap_err(),
            desk.owe("alice", "x").dedupe_key(bad).commit().await.unwrap_err(),
            Enqueue::handler(&desk.proactive, reference("alice"), bad, &1)
                .err()
                .unwrap(),
        ];
        for (error, name) in errors.into_iter().zip(["class", "dedupe key", "handler"]) {
            assert!(
                matches!(error, ProactiveError::BadName { what, limit: 256 } if what == name),
                "{error}"
            );
        }
    }
    assert!(desk.ledger().await.is_empty());
    let all = desk.owe("alice", "x").class(&long).dedupe_key(&long);
    assert!(all.commit().await.is_ok());
    assert!(Enqueue::handler(&desk.proactive, reference("alice"), &*long, &1).is_ok());
}

#[tokio::test(start_paused = true)]
async fn an_activity_is_as_large_as_its_channel_takes() {
    let desk = Desk::new();
    let units = |activity: &Activity| serde_json::to_string(activity).unwrap().encode_utf16().count();
    let envelope = units(&Activity::message("x")) - 1;
    for (channel, limit) in [("test", 256 * 1024), ("msteams", 100 * 1024)] {
        let to = ConversationReference {
            channel_id: Some(channel.to_owned()),
            ..reference("alice")
        };
        // Two bytes in UTF-16, whatever they are in UTF-8.
        for letter in ["x", "é", "語"] {
            for (more, fits) in [(-1, true), (0, true), (1, false)] {
                let letters = (limit / 2 - envelope).checked_add_signed(more).unwrap();
                let activity = Activity::message(letter.repeat(letters));
                let delivery = Enqueue::new(&desk.proactive, &to, &activity).unwrap();
                match delivery.commit().await {
                    Ok(_) => assert!(fits, "{channel} {letter} {more}"),
                    Err(ProactiveError::TooLarge { size, limit: told }) => {
                        assert!(!fits && told == limit && size == limit + 2);
                    }
                    Err(error) => panic!("{error}"),
                }
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_batch_is_answered_in_its_order() {
    let desk = Desk::new();
    let running = desk.run();
    desk.until_it_runs().await;
    let texts = ["c1", "a1", "b1", "a2", "c2", "a3"];
    let batch = texts.iter().map(|text| desk.owe(&text[..1], text)).collect();
    let accepted = desk.proactive.enqueue_all(batch).await.unwrap();
    let mut sent: Vec<String> = Vec::new();
    for _ in texts {
        let call = desk.call().await;
        sent.push(call.text().to_owned());
        call.deliver();
    }
    running.stop().await;
    for (accepted, text) in accepted.iter().zip(texts) {
        let delivery = desk.delivery(accepted.id).await;
        assert_eq!(
            (delivery.conversation_id.as_str(), delivery.state),
            (&text[..1], DeliveryState::Delivered)
        );
    }
    let of_a: Vec<_> = sent.iter().filter(|text| text.starts_with('a')).collect();
    assert_eq!(of_a, ["a1", "a2", "a3"]);
    assert!(desk.proactive.enqueue_all(Vec::new()).await.unwrap().is_empty());
    desk.check().await;
}

#[tokio::test(start_paused = true)]
async fn a_batch_is_kept_whole_or_not_at_all() {
    let mut options = options(4);
    options.max_backlog = 2;
    let desk = Desk::on(place(), options);
    desk.owe("zoe", "taken").dedupe_key("k").commit().await.unwrap();
    let before = desk.ledger().await;
    let bad_name = vec![desk.owe("alice", "0"), desk.owe("alice", "1").class("")];
    let full = ["b", "a", "b", "a", "b", "c"];
    let full = full.iter().map(|to| desk.owe(to, "x")).collect();
    let conflict = vec![
        desk.owe("yan", "0"),
        desk.owe("zoe", "other").dedupe_key("k"),
        desk.owe("alice", "0"),
    ];
    let repeated = vec![
        desk.owe("alice", "0").dedupe_key("twice"),
        desk.owe("alice", "1").dedupe_key("twice"),
    ];
    for (batch, index) in [(bad_name, 1), (full, 4), (conflict, 1), (repeated, 1)] {
        let error = desk.proactive.enqueue_all(batch).await.unwrap_err();
        assert_eq!(error.index, index, "{error}");
    }
    assert_eq!(desk.ledger().await, before);
    // The same twice in one batch is one delivery.
    let same = vec![
        desk.owe("alice", "0").dedupe_key("twice"),
        desk.owe("alice", "0").dedupe_key("twice"),
    ];
    let accepted = desk.proactive.enqueue_all(same).await.unwrap();
    assert_eq!(accepted[0].id, accepted[1].id);
    assert!(accepted[1].replay);
    desk.check().await;
}

#[tokio::test(start_paused = true)]
async fn to_reconcile_is_refused_where_the_channel_cannot() {
    let desk = Desk::new();
    let running = desk.run();
    desk.until_it_runs().await;
    let error = desk
        .owe("alice", "x")
        .policy(UnknownPolicy::Reconcile)
        .commit()
        .await
        .unwrap_err();
    assert!(matches!(error, ProactiveError::CannotReconcile { .. }), "{error}");
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_conversation_is_known_once_something_was_owed_or_started_there() {
    let desk = Desk::new();
    let error = desk.proactive.conversation(None, "alice").await.unwrap_err();
    assert!(
        matches!(error, ProactiveError::UnknownConversation { .. }),
        "{error}"
    );
    desk.jobs.start(reference("alice")).await.unwrap();
    desk.enqueue("bob", "x").await;
    for name in ["alice", "bob"] {
        let found = desk.proactive.conversation(Some("test"), name).await.unwrap();
        assert_eq!(found.reference, reference(name));
        assert!(desk.proactive.conversation(Some("other"), name).await.is_err());
    }
}

#[tokio::test(start_paused = true)]
async fn a_lane_has_the_tenant_and_the_host_of_its_reference() {
    let desk = Desk::new();
    let mut to = reference("alice");
    to.service_url = Some("https://user@SMBA.example:8443/teams/?x#y".to_owned());
    to.conversation.as_mut().unwrap().tenant_id = Some("contoso".to_owned());
    let news = Activity::message("x");
    desk.proactive.enqueue(&to, &news).await.unwrap();
    desk.enqueue("bob", "x").await;
    let of_lanes = "SELECT tenant || ' ' || host FROM lanes JOIN lane_addresses ON lane_id = id ORDER BY id";
    assert_eq!(
        desk.texts(of_lanes).await,
        ["contoso smba.example:8443", " 127.0.0.1:1"]
    );
    // While something is owed by the old address, the new one goes with its own delivery; then it becomes the lane's.
    to.service_url = Some("https://emea.example/".to_owned());
    desk.proactive.enqueue(&to, &news).await.unwrap();
    assert_eq!(desk.texts(of_lanes).await[0], "contoso smba.example:8443");
    let running = desk.run();
    let mut urls = Vec::new();
    for _ in 0..3 {
        let call = desk.call().await;
        if call.conversation() == "alice" {
            urls.push(call.conversation.reference.service_url.clone().unwrap());
        }
        call.deliver();
    }
    assert_eq!(
        urls,
        [
            "https://user@SMBA.example:8443/teams/?x#y",
            "https://emea.example/"
        ]
    );
    running.stop().await;
    desk.proactive.enqueue(&to, &news).await.unwrap();
    assert_eq!(desk.texts(of_lanes).await[0], "contoso emea.example");
    desk.check().await;
}

#[tokio::test(start_paused = true)]
async fn a_nul_character_is_refused_in_what_is_kept_as_a_text_and_kept_in_json() {
    let desk = Desk::new();
    let x = &Activity::message("x");
    let mut other_channel = reference("alice");
    other_channel.channel_id = Some("te\0st".to_owned());
    for (to, field) in [
        (reference("al\0ice"), "conversation.id"),
        (other_channel, "channelId"),
    ] {
        let error = Enqueue::new(&desk.proactive, &to, x).err().unwrap();
        assert!(
            matches!(error, ProactiveError::NulCharacter { what } if what == field),
            "{error}"
        );
        let error = desk.jobs.start(to).await.unwrap_err();
        assert!(matches!(error, ProactiveError::NulCharacter { .. }), "{error}");
    }
    let owed = || desk.owe("alice", "x");
    let handler = Enqueue::handler(&desk.proactive, reference("alice"), "a\0", &());
    for error in [
        owed().class("a\0").commit().await.unwrap_err(),
        owed().dedupe_key("a\0").commit().await.unwrap_err(),
        handler.err().unwrap(),
    ] {
        assert!(matches!(error, ProactiveError::BadName { .. }), "{error}");
    }
    assert!(desk.ledger().await.is_empty());
    // A tenant is taken from the reference, and such a one is none.
    let id = desk.owe_in("alice", "con\0toso", "a\0b").commit().await.unwrap();
    assert_eq!(desk.delivery(id).await.tenant, "");
    let running = desk.run();
    desk.deliver("a\0b").await;
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn the_conversations_of_a_tenant_have_as_many_open_deliveries_as_they_may() {
    for most in [2, 3, 4] {
        let mut options = options(4);
        options.max_tenant_backlog = most;
        let desk = Desk::on(place(), options);
        let owe = |conversation: &str, text: &str| desk.owe_in(conversation, "contoso", text);
        for conversation in ["a", "b"] {
            owe(conversation, "hello").commit().await.unwrap();
        }
        let third = owe("c", "hello").dedupe_key("k").accept().await;
        let fourth = owe("a", "again").accept().await;
        assert_eq!((third.is_ok(), fourth.is_ok()), (most >= 3, most >= 4), "{most}");
        let error = owe("d", "hello").accept().await.unwrap_err();
        let ProactiveError::TenantBacklogFull { tenant } = &error else {
            panic!("{error}");
        };
        assert_eq!(tenant, "contoso");
        assert!(error.to_string().contains("try again"), "{error}");
        // Neither what is known already nor another tenant is concerned, and a job's notice must not fail.
        if most >= 3 {
            assert!(owe("c", "hello").dedupe_key("k").accept().await.unwrap().replay);
        }
        desk.owe_in("a2", "fabrikam", "hello").commit().await.unwrap();
        desk.enqueue("nobodys", "hello").await;
        let mut creator = reference("a");
        creator.conversation.as_mut().unwrap().tenant_id = Some("contoso".to_owned());
        let job = desk.jobs.start(creator).await.unwrap();
        desk.jobs.complete(job, "Done.").await.unwrap();
        desk.check().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_tenant_that_was_full_has_room_when_something_has_ended() {
    let mut options = options(4);
    options.max_tenant_backlog = 2;
    let desk = Desk::on(place(), options);
    let running = desk.run();
    desk.until_it_runs().await;
    let owe = |conversation: &str, text: &str| desk.owe_in(conversation, "contoso", text);
    for (conversation, text) in [("a", "1"), ("b", "2")] {
        owe(conversation, text).commit().await.unwrap();
    }
    let calls = [desk.call().await, desk.call().await];
    assert!(owe("c", "3").commit().await.is_err());
    for call in calls {
        let id = call.delivery;
        call.deliver();
        desk.until(id, DeliveryState::Delivered).await;
    }
    // It is counted again a second later, not at each attempt.
    assert!(owe("c", "3").commit().await.is_err());
    desk.clock.advance(SignedDuration::from_secs(1));
    for (conversation, text) in [("c", "3"), ("d", "4")] {
        owe(conversation, text).commit().await.unwrap();
    }
    assert!(owe("e", "5").commit().await.is_err());
    // The same however far the clock is set back.
    for call in [desk.call().await, desk.call().await] {
        let id = call.delivery;
        call.deliver();
        desk.until(id, DeliveryState::Delivered).await;
    }
    desk.clock.advance(SignedDuration::from_mins(-5));
    owe("e", "5").commit().await.unwrap();
    desk.deliver("5").await;
    running.stop().await;
    desk.check().await;
}

#[tokio::test(start_paused = true)]
async fn a_process_that_starts_knows_what_a_tenant_is_owed() {
    let mut options = options(4);
    options.max_tenant_backlog = 2;
    let before = Desk::on(place(), options.clone());
    before.owe_in("a", "contoso", "1").commit().await.unwrap();
    let desk = before.beside(options);
    desk.owe_in("b", "contoso", "2").commit().await.unwrap();
    assert!(desk.owe_in("c", "contoso", "3").commit().await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_was_refused_takes_no_room() {
    let mut options = options(4);
    options.max_tenant_backlog = 3;
    let desk = Desk::on(place(), options);
    let batch = |count: u32| {
        let owe = |number: u32| desk.owe_in(&number.to_string(), "contoso", "hello");
        (0..count).map(owe).collect::<Vec<_>>()
    };
    let refused = desk.proactive.enqueue_all(batch(4)).await.unwrap_err();
    assert_eq!(refused.index, 3);
    assert!(matches!(refused.error, ProactiveError::TenantBacklogFull { .. }));
    desk.clock.advance(SignedDuration::from_secs(1));
    desk.proactive.enqueue_all(batch(3)).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn processes_share_the_room_of_a_tenant() {
    let mut options = options(4);
    options.max_tenant_backlog = 8;
    options.shared = true;
    let first = Desk::on(place(), options.clone());
    let second = first.beside(options);
    let running = [first.run(), second.run()];
    // Either may send what the other puts on record, so only their rows say that both run.
    while first.texts("SELECT name FROM nodes").await.len() < 2 {
        tokio::task::yield_now().await;
    }
    let mut taken = 0;
    for round in 0..20 {
        for desk in [&first, &second] {
            let later = first.now() + SignedDuration::from_hours(1);
            let owed = desk
                .owe_in(&round.to_string(), "contoso", "later")
                .not_before(later);
            taken += u32::from(owed.commit().await.is_ok());
            desk.clock.advance(SignedDuration::from_secs(1));
        }
    }
    assert!((8..16).contains(&taken), "{taken}");
    for running in running {
        running.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_payload_is_as_large_as_it_may_be() {
    let desk = Desk::new();
    let limit = 256 * 1024;
    // As JSON, with its quotation marks; two bytes each in UTF-8.
    for (length, fits) in [(limit - 2, true), (limit, true), (limit + 2, false)] {
        let payload = "é".repeat((length - 2) / 2);
        let owed = Enqueue::handler(&desk.proactive, reference("alice"), "h", &payload);
        match owed {
            Ok(owed) => assert!(fits && owed.commit().await.is_ok(), "{length}"),
            Err(ProactiveError::PayloadTooLarge { size, limit: told }) => {
                assert!(!fits && size == length && told == limit, "{length}");
            }
            Err(error) => panic!("{error}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_notice_is_no_larger_than_any_channel_takes() {
    let desk = Desk::new();
    let envelope = serde_json::to_string(&Activity::message("x")).unwrap().len() - 1;
    let limit = 256 * 1024;
    for (more, fits) in [(-1, true), (0, true), (1, false)] {
        let letters = (limit / 2 - envelope).checked_add_signed(more).unwrap();
        let job = desk.jobs.start(reference("alice")).await.unwrap();
        let notice = Activity::message("x".repeat(letters));
        match desk.jobs.complete(job, notice).await {
            Ok(_) => assert!(fits, "{more}"),
            Err(ProactiveError::TooLarge { size, limit: told }) => {
                assert!(!fits && size == limit + 2 && told == limit, "{more}");
                let job = desk.jobs.get(job).await.unwrap().unwrap();
                assert_eq!(job.state, JobState::Running);
            }
            Err(error) => panic!("{error}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_means_something_in_a_running_turn_only_is_not_owed() {
    let desk = Desk::new();
    let job = desk.jobs.start(reference("alice")).await.unwrap();
    for kind in ["delay", "invokeResponse", "trace", "Trace"] {
        let activity = Activity::new(kind);
        let owed = Enqueue::new(&desk.proactive, reference("alice"), &activity).map(drop);
        let completed = desk.jobs.complete(job, activity).await.map(drop);
        for refused in [owed, completed] {
            let error = refused.unwrap_err();
            assert!(matches!(error, ProactiveError::NotOwed { .. }), "{error}");
            assert!(error.to_string().starts_with("activity.type: "), "{error}");
        }
    }
    assert!(desk.ledger().await.is_empty());
    assert_eq!(
        desk.jobs.get(job).await.unwrap().unwrap().state,
        JobState::Running
    );
}

#[tokio::test(start_paused = true)]
async fn what_is_owed_goes_out_as_what_the_bot_says_on_its_own() {
    let desk = Desk::new();
    let running = desk.run();
    for (kind, sent) in [
        ("", ActivityType::Message),
        ("message", ActivityType::Message),
        ("event", ActivityType::Event),
    ] {
        let mut activity = Activity::new(kind).with_id("its-own");
        activity.reply_to_id = Some("theirs".to_owned());
        let owed = Enqueue::new(&desk.proactive, reference("alice"), &activity).unwrap();
        owed.commit().await.unwrap();
        let call = desk.call().await;
        assert_eq!(
            (&call.activity.kind, &call.activity.id, &call.activity.reply_to_id),
            (&sent, &None, &None)
        );
        call.deliver();
    }
    running.stop().await;
    desk.check().await;
}
