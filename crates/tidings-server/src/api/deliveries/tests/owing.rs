//! Owing something, and what is not taken.

use super::*;

/// Takes what it is told to, or says no.
struct Door {
    says: Mutex<Option<NotTaken>>,
    orders: Mutex<Vec<Order>>,
}

#[async_trait::async_trait]
impl Intake for Door {
    async fn take(&self, orders: Vec<Order>) -> Result<Taken, NotTaken> {
        if let Some(no) = self.says.lock().unwrap().take() {
            return Err(no);
        }
        let ids = (41..).take(orders.len());
        let deliveries = ids
            .map(|id| (DeliveryId::from_number(id).unwrap(), DeliveryState::Available))
            .collect();
        self.orders.lock().unwrap().extend(orders);
        Ok(Taken {
            deliveries,
            predicted_finish: Some("2026-11-27T12:00:05Z".parse().unwrap()),
        })
    }
}

async fn rig_with_door() -> (Rig, Arc<Door>) {
    let door = Arc::new(Door {
        says: Mutex::default(),
        orders: Mutex::default(),
    });
    (
        Rig::on(ApiAccess::Local, database().await, Some(door.clone())).await,
        door,
    )
}

fn order() -> Value {
    json!({ "conversationId": "19:abc@thread", "activity": { "type": "message", "text": "hi" } })
}

#[tokio::test]
async fn what_is_owed_is_answered_with_its_id() {
    let (rig, door) = rig_with_door().await;
    let ask = Ask {
        method: "POST",
        path: "/api/v1/deliveries",
        body: Some(order()),
        ..Ask::default()
    };
    let response = rig.send(ask).await;
    assert_eq!(response.headers()["location"], "/api/v1/deliveries/41");
    assert_eq!(
        read(response).await,
        (202, json!({ "id": 41, "state": "available" }))
    );
    let many = json!({ "deliveries": [order(), order(), order()] });
    let (status, answer) = rig.ask("POST", "/api/v1/deliveries", "", Some(many)).await;
    assert_eq!(
        (status, &answer["predictedFinish"]),
        (202, &json!("2026-11-27T12:00:05Z"))
    );
    assert_eq!(
        (ids(&answer), &answer["deliveries"][2]["state"]),
        (vec![41, 42, 43], &json!("available"))
    );
    assert_eq!(door.orders.lock().unwrap().len(), 4);
    let (_, audit) = rig.ask("GET", "/api/v1/audit", "", None).await;
    assert_eq!(audit["entries"][0]["target"], "3 from 41 to 43");
    assert_eq!(audit["entries"][1]["target"], "41");
}

/// What the door says, and the status, code, field and words of the answer.
type Explained = (
    fn(DeliveryId, Duration) -> Why,
    u16,
    &'static str,
    &'static str,
    &'static str,
);

#[tokio::test]
async fn what_is_not_owed_is_explained() {
    let (rig, door) = rig_with_door().await;
    let first = DeliveryId::from_number(7).unwrap();
    let retry_after = Duration::from_millis(2_500);
    let refusals: [Explained; 15] = [
        (
            |_, _| Why::UnknownConversation,
            404,
            "NotFound",
            "conversationId",
            "begin with a message",
        ),
        (
            |id, _| Why::DedupeConflict(id),
            409,
            "DedupeConflict",
            "dedupeKey",
            "delivery 7",
        ),
        (
            |_, _| Why::TooLarge { limit: 102_400 },
            413,
            "MessageSizeTooBig",
            "activity",
            "102400 bytes",
        ),
        (
            |_, _| {
                Why::BadContent(
                    "activity.type",
                    "activity.type: a delay is of this turn".to_owned(),
                )
            },
            400,
            "BadArgument",
            "activity.type",
            "of this turn",
        ),
        (
            |_, _| Why::PayloadTooLarge { limit: 262_144 },
            413,
            "MessageSizeTooBig",
            "payload",
            "262144 bytes",
        ),
        (
            |_, _| Why::DatabaseFull,
            503,
            "DatabaseFull",
            "",
            "nothing was kept",
        ),
        (
            |_, retry_after| Why::BacklogFull { retry_after },
            429,
            "BacklogFull",
            "conversationId",
            "in 3 s",
        ),
        (
            |_, retry_after| Why::TenantBacklogFull {
                tenant: "contoso".to_owned(),
                retry_after,
            },
            429,
            "BacklogFull",
            "conversationId",
            "of tenant \"contoso\" already; try again in 3 s",
        ),
        (
            |_, _| Why::Expired,
            400,
            "BadArgument",
            "expiresAt",
            "after notBefore",
        ),
        (
            |_, _| Why::NoReconcile,
            400,
            "BadArgument",
            "policy",
            "at_most_once",
        ),
        (
            |_, _| Why::Invalid("no, not so".to_owned()),
            400,
            "BadArgument",
            "",
            "no, not so",
        ),
        (
            |_, _| Why::Failed(StoreError::message("the disk is full").into()),
            500,
            "ServiceError",
            "",
            "log says why",
        ),
        (
            |_, _| {
                let (server, reason) = ("db".to_owned(), "it is away".to_owned());
                Why::Failed(StoreError::Gone { server, reason }.into())
            },
            503,
            "DatabaseUnavailable",
            "",
            "nothing was kept",
        ),
        (
            |_, _| {
                let server = "db".to_owned();
                Why::Failed(StoreError::Unknown { server }.into())
            },
            500,
            "OutcomeUnknown",
            "",
            "same dedupeKey",
        ),
        (
            |_, _| Why::Failed(StoreError::NulCharacter.into()),
            400,
            "BadArgument",
            "",
            "NUL character",
        ),
    ];
    for (why, status, code, field, part) in refusals {
        for many in [false, true] {
            *door.says.lock().unwrap() = Some(NotTaken {
                order: 1,
                why: why(first, retry_after),
            });
            let body = match many {
                true => json!({ "deliveries": [order(), order()] }),
                false => order(),
            };
            let ask = Ask {
                method: "POST",
                path: "/api/v1/deliveries",
                body: Some(body),
                ..Ask::default()
            };
            let response = rig.send(ask).await;
            let wait = response.headers().get("retry-after").cloned();
            assert_eq!(wait.is_some_and(|wait| wait == "3"), status == 429);
            let (got, answer) = read(response).await;
            let error = &answer["error"];
            assert_eq!((got, &error["code"]), (status, &json!(code)));
            assert!(error["message"].as_str().unwrap().contains(part), "{error}");
            let expected = match (many, field) {
                (false, "") => Value::Null,
                (true, "") if status >= 500 => {
                    let message = error["message"].as_str().unwrap();
                    assert!(!message.contains("deliveries["), "{error}");
                    Value::Null
                }
                (false, field) => json!(field),
                (true, "") => json!("deliveries[1]"),
                (true, field) => json!(format!("deliveries[1].{field}")),
            };
            assert_eq!(error["field"], expected, "{error}");
        }
    }
    assert!(door.orders.lock().unwrap().is_empty());
}

/// A large body is read, one beyond the limit is not.
#[tokio::test]
async fn bodies_are_bounded() {
    let (rig, _) = rig_with_door().await;
    for (length, expected) in [(300 * 1024, 202), (8 * 1024 * 1024, 413)] {
        let mut order = order();
        order["activity"]["text"] = json!("x".repeat(length));
        let (status, answer) = rig.ask("POST", "/api/v1/deliveries", "", Some(order)).await;
        assert_eq!(status, expected, "{answer}");
    }
}
