//! The routes of deliveries, as their callers see them.

mod owing;

use std::sync::Mutex;
use std::time::Duration;

use http_body_util::BodyExt;
use serde_json::{Value, json};
use tidings_proactive::{DeliveryState, MIGRATIONS};
use tidings_store::{Database, StoreError, params};

use super::intake::{NotTaken, Taken, Why};
use super::order::Order;
use super::*;
use crate::access::ApiAccess;
use crate::api::tests::{Ask, Rig, read};
use crate::schema;

/// One delivery in each of these states, with ids from 1, in the conversation `19:abc@thread` of Teams.
const STATES: [&str; 5] = ["delivered", "dead", "unknown", "available", "scheduled"];
/// 2026-11-27T12:00:00Z, as the rig's clock has it.
const NOW: i64 = 1_795_780_800_000_000;

async fn database() -> Database {
    let database = Database::temporary([MIGRATIONS, schema::MIGRATIONS]).unwrap();
    database
        .write(|tx| {
            tx.execute(
                "INSERT INTO lanes (channel_id, conversation_id, tenant, backlog, next_at)
                 VALUES ('msteams', '19:abc@thread', 'contoso', 2, ?1), ('sms', '+41', '', 0, NULL)",
                params![NOW],
            )?;
            tx.execute(
                "INSERT INTO lane_addresses (lane_id, host, reference) VALUES (1, 'h', '{}'), (2, 'h', '{}')",
                &[],
            )?;
            for (minute, state) in (0..).zip(STATES) {
                let at = NOW - (10 - minute) * 60_000_000;
                let ended = matches!(state, "delivered" | "dead" | "unknown").then_some(at + 2_000_000);
                tx.execute(
                    "INSERT INTO deliveries (lane_id, class, state, reason, policy, activity, due_at, expires_at, starts,
                                             began_at, error_status, error_code, error_message, activity_id, created_at,
                                             updated_at, ended_at)
                     VALUES (1, 'message', ?1, ?2, 'at_least_once', ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?7, ?7, ?12)",
                    params![
                        state,
                        (state == "dead").then_some("rejected"),
                        format!(r#"{{"type":"message","text":"number {minute}","zebra":1,"apple":2}}"#),
                        (state == "scheduled").then_some(NOW + 60_000_000),
                        at + 259_200_000_000,
                        i64::from(ended.is_some()),
                        at,
                        (state == "dead").then_some(400),
                        (state == "dead").then_some("BadArgument"),
                        (state == "dead").then_some("the card is wrong"),
                        (state == "delivered").then_some("1:xyz"),
                        ended
                    ],
                )?;
            }
            tx.execute(
                "INSERT INTO attempts (delivery_id, start, node, epoch, began_at, ended_at, outcome, status, code, message)
                 VALUES (2, 1, 3, 1, ?1, ?2, 'rejected', 400, 'BadArgument', 'the card is wrong')",
                params![NOW - 540_000_000, NOW - 538_000_000],
            )?;
            tx.execute(
                "INSERT INTO delivery_waits (delivery_id, since, until, reason) VALUES (2, ?1, ?2, 'pacing')",
                params![NOW - 541_000_000, NOW - 540_000_000],
            )
        })
        .await
        .unwrap();
    database
}

async fn rig() -> Rig {
    Rig::on(ApiAccess::Local, database().await, None).await
}

fn ids(page: &Value) -> Vec<i64> {
    let deliveries = page["deliveries"].as_array().unwrap();
    deliveries
        .iter()
        .map(|delivery| delivery["id"].as_i64().unwrap())
        .collect()
}

#[tokio::test]
async fn the_list_is_newest_first_with_everything_about_each() {
    let rig = rig().await;
    let (status, page) = rig.ask("GET", "/api/v1/deliveries", "", None).await;
    assert_eq!(
        (status, ids(&page), &page["next"]),
        (200, vec![5, 4, 3, 2, 1], &Value::Null)
    );
    assert_eq!(
        page["deliveries"][3],
        json!({
            "id": 2,
            "channelId": "msteams",
            "conversationId": "19:abc@thread",
            "tenant": "contoso",
            "class": "message",
            "state": "dead",
            "reason": "rejected",
            "policy": "at_least_once",
            "wait": null,
            "dueAt": null,
            "expiresAt": "2026-11-30T11:51:00Z",
            "starts": 1,
            "repeatPossible": false,
            "lastFailure": { "status": 400, "code": "BadArgument", "message": "the card is wrong" },
            "activityId": null,
            "content": { "kind": "activity", "text": "number 1", "type": "message" },
            "parentId": null,
            "retryOf": null,
            "mergedInto": null,
            "createdAt": "2026-11-27T11:51:00Z",
            "updatedAt": "2026-11-27T11:51:00Z",
            "endedAt": "2026-11-27T11:51:02Z",
        })
    );
    assert_eq!(
        page["deliveries"][0]["wait"],
        json!({ "reason": "scheduled", "until": "2026-11-27T12:01:00Z" })
    );
    let list = async |query: &str| {
        let (status, page) = rig
            .ask("GET", &format!("/api/v1/deliveries?{query}"), "", None)
            .await;
        assert_eq!(status, 200, "{query}: {page}");
        (ids(&page), page["next"].clone())
    };
    assert_eq!(list("state=dead,unknown").await, (vec![3, 2], Value::Null));
    assert_eq!(list("limit=2").await, (vec![5, 4], json!("4")));
    assert_eq!(list("limit=2&before=4").await, (vec![3, 2], json!("2")));
    assert_eq!(list("channelId=sms").await, (vec![], Value::Null));
    assert_eq!(
        list("conversationId=19:abc@thread&state=delivered").await,
        (vec![1], Value::Null)
    );
    let window = "since=2026-11-27T11:51:00Z&until=2026-11-27T11:53:00Z";
    assert_eq!(list(window).await, (vec![3, 2], Value::Null));
    let (status, body) = rig.ask("GET", "/api/v1/deliveries?state=lost", "", None).await;
    assert_eq!((status, &body["error"]["field"]), (400, &json!("state")));
}

#[tokio::test]
async fn one_delivery_is_told_with_its_attempts_and_waits() {
    let rig = rig().await;
    let (status, dead) = rig.ask("GET", "/api/v1/deliveries/2", "", None).await;
    assert_eq!(
        (status, &dead["state"], &dead["activity"]["zebra"]),
        (200, &json!("dead"), &json!(1))
    );
    assert_eq!(
        dead["attempts"],
        json!([{
            "start": 1, "node": 3, "beganAt": "2026-11-27T11:51:00Z", "endedAt": "2026-11-27T11:51:02Z",
            "outcome": "rejected", "status": 400, "code": "BadArgument", "message": "the card is wrong",
            "retryAfterMs": null
        }])
    );
    assert_eq!(
        dead["waits"],
        json!([{ "since": "2026-11-27T11:50:59Z", "until": "2026-11-27T11:51:00Z", "reason": "pacing" }])
    );
    let (_, delivered) = rig.ask("GET", "/api/v1/deliveries/1", "", None).await;
    assert_eq!(delivered["attempts"][0]["outcome"], "delivered");
    assert_eq!(delivered["activityId"], "1:xyz");
    for (path, status) in [
        ("/api/v1/deliveries/99", 404),
        ("/api/v1/deliveries/0", 400),
        ("/api/v1/deliveries/x", 400),
    ] {
        let (got, body) = rig.ask("GET", path, "", None).await;
        assert_eq!((got, &body["error"]["field"]), (status, &json!("id")), "{path}");
    }
}

#[tokio::test]
async fn the_summary_counts_what_is_open_and_what_went_wrong() {
    let rig = rig().await;
    let (status, summary) = rig.ask("GET", "/api/v1/deliveries/summary", "", None).await;
    assert_eq!(
        (status, &summary["oldest"]),
        (200, &json!("2026-11-27T11:53:00Z"))
    );
    let states = summary["states"].as_object().unwrap();
    assert_eq!(states.len(), 11);
    assert_eq!(
        (&states["dead"], &states["available"], &states["held"]),
        (&json!(1), &json!(1), &json!(0))
    );
    assert_eq!(
        summary["paused"],
        json!({ "all": false, "channels": [], "lanes": [] })
    );
}

#[tokio::test]
async fn what_waits_is_cancelled_and_what_ended_is_not() {
    let rig = rig().await;
    let cancel = async |id: u32| {
        let path = format!("/api/v1/deliveries/{id}/cancel");
        rig.ask("POST", &path, "", Some(json!({}))).await
    };
    let (status, cancelled) = cancel(4).await;
    assert_eq!((status, &cancelled["state"]), (200, &json!("cancelled")));
    assert_eq!(cancelled["endedAt"], "2026-11-27T12:00:00Z");
    let (status, body) = cancel(4).await;
    assert_eq!((status, &body["error"]["code"]), (409, &json!("WrongState")));
    assert!(
        body["error"]["message"]
            .as_str()
            .unwrap()
            .contains("is cancelled"),
        "{body}"
    );
    assert_eq!(cancel(99).await.0, 404);
    let (status, body) = rig
        .ask(
            "POST",
            "/api/v1/deliveries/5/cancel",
            "",
            Some(json!({ "force": true })),
        )
        .await;
    assert_eq!((status, &body["error"]["field"]), (400, &json!("force")));
    let (_, audit) = rig.ask("GET", "/api/v1/audit", "", None).await;
    let told: Vec<_> = audit["entries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (row["target"].as_str().unwrap(), row["status"].as_u64().unwrap()))
        .collect();
    assert_eq!(told, [("5", 400), ("99", 404), ("4", 409), ("4", 200)]);
    assert_eq!(audit["entries"][0]["scope"], "deliveries:write");
}

#[tokio::test]
async fn what_is_ready_is_held_and_released() {
    let rig = rig().await;
    let ask = async |id: u32, verb: &str, body: Value| {
        let path = format!("/api/v1/deliveries/{id}/{verb}");
        rig.ask("POST", &path, "", Some(body)).await
    };
    let (status, held) = ask(4, "hold", json!({})).await;
    assert_eq!(
        (status, &held["state"], &held["reason"]),
        (200, &json!("held"), &json!("operator"))
    );
    assert_eq!(held["wait"], json!({ "reason": "held", "until": null }));
    let (status, body) = ask(4, "hold", json!({})).await;
    assert_eq!((status, &body["error"]["code"]), (409, &json!("WrongState")));
    let (status, released) = ask(4, "release", json!({})).await;
    assert_eq!(
        (status, &released["state"], &released["reason"]),
        (200, &json!("available"), &Value::Null)
    );
    let (status, body) = ask(4, "release", json!({})).await;
    assert_eq!((status, &body["error"]["code"]), (409, &json!("WrongState")));
    let message = body["error"]["message"].as_str().unwrap();
    assert!(message.contains("only held ones are"), "{message}");
    let (status, held) = ask(4, "hold", json!({ "until": "2026-11-27T13:00:00Z" })).await;
    assert_eq!(
        (status, &held["wait"]["until"]),
        (200, &json!("2026-11-27T13:00:00Z"))
    );
    for (until, field) in [
        (json!({ "until": "noon" }), "until"),
        (json!({ "for": "1h" }), "for"),
    ] {
        let (status, body) = ask(4, "hold", until).await;
        assert_eq!((status, &body["error"]["field"]), (400, &json!(field)));
    }
    for verb in ["hold", "release"] {
        assert_eq!(ask(1, verb, json!({})).await.0, 409, "{verb}");
        assert_eq!(ask(99, verb, json!({})).await.0, 404, "{verb}");
    }
    let (_, audit) = rig.ask("GET", "/api/v1/audit", "", None).await;
    let mut told = audit["entries"].as_array().unwrap().iter();
    assert!(told.any(|row| row["status"] == 200 && row["target"] == "4"));
}

#[tokio::test]
async fn dead_and_unknown_ones_are_retried() {
    let rig = rig().await;
    let retry = async |id: u32, body: Value| {
        let path = format!("/api/v1/deliveries/{id}/retry");
        rig.ask("POST", &path, "", Some(body)).await
    };
    assert_eq!(retry(2, json!({})).await, (202, json!({ "id": 6 })));
    assert_eq!(retry(2, json!({})).await, (202, json!({ "id": 6 })));
    assert_eq!(retry(3, json!({})).await, (202, json!({ "id": 7 })));
    let (_, new) = rig.ask("GET", "/api/v1/deliveries/7", "", None).await;
    assert_eq!(
        (&new["retryOf"], &new["repeatPossible"]),
        (&json!(3), &json!(true))
    );
    for id in [1, 4, 5] {
        let (status, body) = retry(id, json!({})).await;
        assert_eq!(
            (status, &body["error"]["code"]),
            (409, &json!("WrongState")),
            "{id}"
        );
    }
    let (status, body) = retry(2, json!({ "reopen": "yes" })).await;
    assert_eq!((status, &body["error"]["field"]), (400, &json!("reopen")));
    rig.database
        .write(|tx| {
            tx.execute("UPDATE deliveries SET state = 'dead', ended_at = 1 WHERE id = 6", &[])?;
            tx.execute("UPDATE lanes SET closed_reason = 'blocked', next_at = NULL, backlog = backlog - 1 WHERE id = 1", &[])
        })
        .await
        .unwrap();
    let (status, body) = retry(6, json!({})).await;
    assert_eq!(
        (status, &body["error"]["code"]),
        (409, &json!("ConversationClosed"))
    );
    assert_eq!(body["error"]["field"], "reopen");
    assert_eq!(retry(6, json!({ "reopen": true })).await.0, 202);
    let (_, audit) = rig.ask("GET", "/api/v1/audit?limit=1", "", None).await;
    assert_eq!(audit["entries"][0]["target"], "6 as 8");
}

#[tokio::test]
async fn pauses_are_set_and_ended() {
    let rig = rig().await;
    let pause = async |body: Value| rig.ask("POST", "/api/v1/pauses", "", Some(body)).await;
    let (status, paused) = pause(json!({ "scope": "lane", "conversationId": "19:abc@thread" })).await;
    let lane = json!({ "channelId": "msteams", "conversationId": "19:abc@thread" });
    assert_eq!((status, &paused["lanes"][0]), (200, &lane));
    pause(json!({ "scope": "channel", "channelId": "sms" })).await;
    let (_, paused) = pause(json!({ "scope": "all" })).await;
    assert_eq!(
        paused,
        json!({ "all": true, "channels": ["sms"], "lanes": [lane] })
    );
    let (_, waiting) = rig.ask("GET", "/api/v1/deliveries/4", "", None).await;
    assert_eq!(waiting["wait"], json!({ "reason": "paused", "until": null }));
    for query in [
        "scope=all",
        "scope=channel&channelId=sms",
        "scope=lane&channelId=msteams&conversationId=19%3Aabc%40thread",
    ] {
        let path = format!("/api/v1/pauses?{query}");
        assert_eq!(rig.ask("DELETE", &path, "", None).await.0, 200, "{query}");
    }
    let (_, paused) = rig.ask("GET", "/api/v1/pauses", "", None).await;
    assert_eq!(paused, json!({ "all": false, "channels": [], "lanes": [] }));
    let (status, body) = pause(json!({ "scope": "lane", "conversationId": "unheard of" })).await;
    assert_eq!((status, &body["error"]["field"]), (404, &json!("conversationId")));
    let (status, body) = rig.ask("DELETE", "/api/v1/pauses", "", None).await;
    assert_eq!((status, &body["error"]["field"]), (400, &json!("scope")));
    let (_, audit) = rig.ask("GET", "/api/v1/audit?limit=500", "", None).await;
    let rows = audit["entries"].as_array().unwrap();
    assert_eq!(rows.len(), 8);
    assert_eq!(rows[5]["target"], "everything");
    assert_eq!(rows[7]["target"], "the conversation 19:abc@thread");
}

#[tokio::test]
async fn limits_are_set_and_answered() {
    let rig = rig().await;
    let (status, before) = rig.ask("GET", "/api/v1/limits", "", None).await;
    assert_eq!(
        (status, &before["limits"][1]),
        (
            200,
            &json!({ "channelId": "msteams", "scope": "tenant", "windows": [{ "permits": 50, "periodMs": 1000 }] })
        )
    );
    let sms = json!({ "channelId": "sms", "scope": "lane", "windows": [{ "permits": 1, "periodMs": 1500 }] });
    let (status, now) = rig.ask("PUT", "/api/v1/limits", "", Some(sms.clone())).await;
    assert_eq!((status, &now["limits"][2]), (200, &sms));
    let none = json!({ "channelId": "sms", "scope": "lane", "windows": [] });
    assert_eq!(
        rig.ask("PUT", "/api/v1/limits", "", Some(none)).await,
        (200, before)
    );
    let (_, audit) = rig.ask("GET", "/api/v1/audit", "", None).await;
    assert_eq!(audit["entries"][0]["target"], "sms lane");
}

#[tokio::test]
async fn limits_that_are_none_are_explained() {
    let rig = rig().await;
    let window = |permits: Value, period: Value| json!([{ "permits": permits, "periodMs": period }]);
    for (change, field) in [
        (json!({ "channelId": null }), "channelId"),
        (json!({ "channelId": "" }), "channelId"),
        (json!({ "channelId": 7 }), "channelId"),
        (json!({ "scope": "all" }), "scope"),
        (json!({ "windows": null }), "windows"),
        (json!({ "windows": {} }), "windows"),
        (json!({ "windows": [7] }), "windows"),
        (json!({ "windows": window(json!(0), json!(1000)) }), "windows"),
        (
            json!({ "windows": window(json!(1_000_001), json!(1000)) }),
            "windows",
        ),
        (json!({ "windows": window(json!(1), json!(0)) }), "windows"),
        (
            json!({ "windows": window(json!(1), json!(2_678_400_001_u64)) }),
            "windows",
        ),
        (json!({ "windows": window(json!(-1), json!(1000)) }), "windows"),
        (json!({ "windows": window(json!("1"), json!(1000)) }), "windows"),
        (
            json!({ "windows": [{ "permits": 1, "period": 1000 }] }),
            "windows",
        ),
        (json!({ "tenant": "contoso" }), "tenant"),
    ] {
        let mut body =
            json!({ "channelId": "sms", "scope": "lane", "windows": [{ "permits": 1, "periodMs": 1000 }] });
        for (name, value) in change.as_object().unwrap() {
            body[name] = value.clone();
        }
        let (status, answer) = rig.ask("PUT", "/api/v1/limits", "", Some(body)).await;
        assert_eq!(
            (status, &answer["error"]["field"]),
            (400, &json!(field)),
            "{change}: {answer}"
        );
    }
}

#[tokio::test]
async fn events_tell_the_first_page_at_once_and_after_a_change() {
    let rig = rig().await;
    let ask = Ask {
        method: "GET",
        path: "/api/v1/deliveries/events",
        ..Ask::default()
    };
    let mut stream = rig.send(ask).await.into_body();
    let mut next = async || {
        let frame = stream.frame().await.unwrap().unwrap().into_data().unwrap();
        let text = String::from_utf8(frame.to_vec()).unwrap();
        let data = text.strip_prefix("event: deliveries\ndata: ").unwrap().to_owned();
        serde_json::from_str::<Value>(&data).unwrap()
    };
    let before = next().await;
    assert_eq!(
        (ids(&before), before["deliveries"][1]["state"].clone()),
        (vec![5, 4, 3, 2, 1], json!("available"))
    );
    rig.ask("POST", "/api/v1/deliveries/4/cancel", "", Some(json!({})))
        .await;
    assert_eq!(next().await["deliveries"][1]["state"], "cancelled");
}
