//! The API with keys, as its callers see it: the router without a socket.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::body::Body;
use axum::response::Response;
use governor::clock::FakeRelativeClock;
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use prometheus_client::metrics::counter::Counter;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use tidings_activity::{ConversationAccount, ConversationReference};
use tidings_proactive::Proactive;
use tidings_store::{Database, ManualClock};
use tower::ServiceExt;

use super::*;
use crate::gate::Peer;
use crate::keys::{NewKey, Scope};
use crate::schema;

/// The API on a database of its own, with clocks that stand still.
pub(crate) struct Rig {
    pub(crate) keys: Keys,
    pub(crate) ticks: FakeRelativeClock,
    pub(crate) database: Database,
    jobs: tidings_proactive::Jobs,
    router: Router,
}

/// One request; what it lacks is as usual.
#[derive(Default)]
pub(crate) struct Ask<'a> {
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    pub(crate) headers: Vec<(&'a str, String)>,
    pub(crate) body: Option<Value>,
    pub(crate) from: Option<&'a str>,
}

impl Rig {
    pub(crate) async fn with(access: ApiAccess) -> Self {
        let database = Database::temporary([tidings_proactive::MIGRATIONS, schema::MIGRATIONS]).unwrap();
        Self::on(access, database, None).await
    }

    /// On a database of the test's; what is to be owed goes to the engine unless the test takes it.
    pub(crate) async fn on(access: ApiAccess, database: Database, intake: Option<Arc<dyn Intake>>) -> Self {
        let shared = Arc::new(ManualClock::new("2026-11-27T12:00:00Z".parse().unwrap()));
        let keys = Keys::open(database.clone(), shared.clone()).await.unwrap();
        let audit = Audit::new(database.clone(), shared.clone());
        let proactive = Proactive::new(database.clone(), shared);
        let ticks = FakeRelativeClock::default();
        let gate = Gate::for_tests(access, keys.clone(), audit.clone(), ticks.clone());
        let api = Api {
            access,
            keys: keys.clone(),
            audit,
            proactive: proactive.clone(),
            intake: intake.unwrap_or_else(|| Arc::new(proactive.clone())),
            metrics: Metrics {
                authenticator: None,
                oversized: Counter::default(),
                proactive: proactive.clone(),
                database: database.clone(),
            },
            local_channel: access == ApiAccess::Local,
            body_timeout: Duration::from_secs(5),
        };
        let router = api.behind(&gate, CancellationToken::new());
        Self {
            keys,
            ticks,
            database,
            jobs: proactive.jobs(),
            router,
        }
    }

    /// A new key with these scopes: its id, and the value of an Authorization header.
    pub(crate) async fn key(&self, scopes: &[Scope]) -> (String, String) {
        let new = NewKey {
            name: "test".to_owned(),
            scopes: scopes.to_vec(),
            expires_at: None,
        };
        let created = self.keys.create(new, None).await.unwrap();
        (created.key.id, format!("Bearer {}", created.text.expose_secret()))
    }

    pub(crate) async fn send(&self, ask: Ask<'_>) -> Response {
        let mut request = Request::builder().method(ask.method).uri(ask.path);
        for (name, value) in ask.headers {
            request = request.header(name, value);
        }
        if ask.body.is_some() {
            request = request.header("content-type", "application/json");
        }
        let address: SocketAddr = ask.from.unwrap_or("192.0.2.1:50000").parse().unwrap();
        let body = ask
            .body
            .map_or_else(Body::empty, |body| Body::from(body.to_string()));
        let request = request.extension(Peer(address)).body(body).unwrap();
        self.router.clone().oneshot(request).await.unwrap()
    }

    pub(crate) async fn ask(&self, method: &str, path: &str, key: &str, body: Option<Value>) -> (u16, Value) {
        let headers = match key {
            "" => Vec::new(),
            key => vec![("authorization", key.to_owned())],
        };
        let ask = Ask {
            method,
            path,
            headers,
            body,
            from: None,
        };
        read(self.send(ask).await).await
    }

    async fn job(&self) -> u64 {
        let reference = ConversationReference {
            conversation: Some(ConversationAccount {
                id: Some("conversation".to_owned()),
                ..ConversationAccount::default()
            }),
            ..ConversationReference::default()
        };
        self.jobs.start(reference).await.unwrap().get()
    }

    async fn notices(&self) -> Vec<String> {
        self.database
            .read(|tx| {
                tx.all("SELECT activity FROM deliveries ORDER BY id", &[], |row| {
                    row.get::<String>(0)
                })
            })
            .await
            .unwrap()
            .iter()
            .map(|text| {
                let activity: Value = serde_json::from_str(text).unwrap();
                activity["text"].as_str().unwrap().to_owned()
            })
            .collect()
    }
}

pub(crate) async fn read(response: Response) -> (u16, Value) {
    let status = response.status().as_u16();
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
}

#[tokio::test]
async fn the_facts_need_no_key_and_everything_else_does() {
    let rig = Rig::with(ApiAccess::Keys).await;
    assert_eq!(
        rig.ask("GET", "/api/v1/server", "", None).await,
        (200, json!({ "localChannel": false, "authenticated": true }))
    );
    for (method, path) in [
        ("GET", "/api/v1/jobs"),
        ("GET", "/api/v1/jobs/events"),
        ("POST", "/api/v1/jobs/1/complete"),
        ("GET", "/api/v1/keys"),
        ("POST", "/api/v1/keys"),
        ("DELETE", "/api/v1/keys/0"),
        ("GET", "/api/v1/audit"),
        ("GET", "/api/v1/deliveries"),
        ("POST", "/api/v1/deliveries"),
        ("GET", "/api/v1/deliveries/events"),
        ("GET", "/api/v1/deliveries/summary"),
        ("GET", "/api/v1/deliveries/1"),
        ("POST", "/api/v1/deliveries/1/cancel"),
        ("POST", "/api/v1/deliveries/1/hold"),
        ("POST", "/api/v1/deliveries/1/release"),
        ("POST", "/api/v1/deliveries/1/retry"),
        ("GET", "/api/v1/pauses"),
        ("POST", "/api/v1/pauses"),
        ("DELETE", "/api/v1/pauses?scope=all"),
    ] {
        let (status, body) = rig.ask(method, path, "", None).await;
        assert_eq!(
            (status, &body["error"]["code"]),
            (401, &json!("MissingKey")),
            "{method} {path}"
        );
    }
    let local = Rig::with(ApiAccess::Local).await;
    assert_eq!(
        local.ask("GET", "/api/v1/server", "", None).await.1,
        json!({ "localChannel": true, "authenticated": false })
    );
    for path in ["/api/v1/jobs", "/api/v1/keys", "/api/v1/audit"] {
        assert_eq!(local.ask("GET", path, "", None).await.0, 200, "{path}");
    }
}

#[tokio::test]
async fn each_route_needs_its_scope() {
    let rig = Rig::with(ApiAccess::Keys).await;
    let routes = [
        ("GET", "/api/v1/jobs", Scope::JobsRead),
        ("POST", "/api/v1/jobs/9/complete", Scope::JobsWrite),
        ("GET", "/api/v1/keys", Scope::KeysRead),
        ("POST", "/api/v1/keys", Scope::KeysWrite),
        ("DELETE", "/api/v1/keys/0", Scope::KeysWrite),
        ("GET", "/api/v1/audit", Scope::AuditRead),
        ("GET", "/api/v1/deliveries?limit=0", Scope::DeliveriesRead),
        ("GET", "/api/v1/deliveries/x", Scope::DeliveriesRead),
        ("POST", "/api/v1/deliveries", Scope::DeliveriesWrite),
        ("POST", "/api/v1/deliveries/x/cancel", Scope::DeliveriesWrite),
        ("POST", "/api/v1/deliveries/x/hold", Scope::DeliveriesWrite),
        ("POST", "/api/v1/deliveries/x/release", Scope::DeliveriesWrite),
        ("POST", "/api/v1/deliveries/x/retry", Scope::DeliveriesWrite),
        ("POST", "/api/v1/pauses", Scope::DeliveriesWrite),
        ("DELETE", "/api/v1/pauses", Scope::DeliveriesWrite),
        ("GET", "/api/v1/limits", Scope::DeliveriesRead),
        ("PUT", "/api/v1/limits", Scope::DeliveriesWrite),
    ];
    for held in Scope::ALL {
        let (_, key) = rig.key(&[held]).await;
        for (method, path, wanted) in routes {
            let (status, body) = rig.ask(method, path, &key, None).await;
            if held.allows(wanted) {
                assert!(
                    ![401, 403].contains(&status),
                    "{held}: {method} {path}: {status} {body}"
                );
            } else {
                assert_eq!(status, 403, "{held}: {method} {path}");
                let message = body["error"]["message"].as_str().unwrap();
                assert!(message.ends_with(wanted.as_str()), "{message}");
            }
        }
    }
}

#[tokio::test]
async fn a_job_is_completed_once_and_its_creator_told_once() {
    let rig = Rig::with(ApiAccess::Keys).await;
    let (id, key) = rig.key(&[Scope::JobsWrite, Scope::AuditRead]).await;
    let number = rig.job().await;
    let path = format!("/api/v1/jobs/{number}/complete");
    let message = Some(json!({ "message": "Your report is ready." }));
    let (status, job) = rig.ask("POST", &path, &key, message.clone()).await;
    assert_eq!(status, 200);
    assert_eq!(
        (&job["number"], &job["state"], &job["alreadyComplete"]),
        (&json!(number), &json!("complete"), &json!(false))
    );
    let (status, job) = rig.ask("POST", &path, &key, message).await;
    assert_eq!((status, &job["alreadyComplete"]), (200, &json!(true)));
    let other = rig.job().await;
    let (status, _) = rig
        .ask("POST", &format!("/api/v1/jobs/{other}/complete"), &key, None)
        .await;
    assert_eq!(status, 200);
    assert_eq!(
        rig.notices().await,
        [
            "Your report is ready.".to_owned(),
            format!("Job {other} is complete.")
        ]
    );
    let (_, audit) = rig.ask("GET", "/api/v1/audit", &key, None).await;
    let rows = audit["entries"].as_array().unwrap();
    assert_eq!(rows.len(), 3);
    assert_eq!(
        rows[2],
        json!({
            "id": 1,
            "at": "2026-11-27T12:00:00Z",
            "keyId": id,
            "keyName": "test",
            "scope": "jobs:write",
            "method": "POST",
            "route": "/api/v1/jobs/{number}/complete",
            "target": number.to_string(),
            "status": 200,
            "remoteAddress": "192.0.2.1",
        })
    );
}

#[tokio::test]
async fn what_cannot_be_completed_is_named() {
    let rig = Rig::with(ApiAccess::Keys).await;
    let (_, key) = rig.key(&[Scope::JobsWrite]).await;
    let number = rig.job().await;
    let ask = async |number: &str, body: Value| {
        let path = format!("/api/v1/jobs/{number}/complete");
        let (status, body) = rig.ask("POST", &path, &key, Some(body)).await;
        (status, body["error"]["field"].as_str().map(str::to_owned))
    };
    let field = |field: &str| Some(field.to_owned());
    for unknown in ["2", "0", "9007199254740992", "99999999999999999999999999"] {
        assert_eq!(ask(unknown, json!({})).await, (404, field("number")), "{unknown}");
    }
    for wrong in ["x", "1.5", "1e3", "%20", "%FF"] {
        assert_eq!(ask(wrong, json!({})).await.0, 400, "{wrong}");
    }
    let number = number.to_string();
    for (body, expected) in [
        (json!({ "message": 1 }), field("message")),
        (json!({ "message": "" }), field("message")),
        (json!({ "message": " " }), field("message")),
        (json!({ "message": "a\0b" }), field("message")),
        (json!({ "message": "x".repeat(4001) }), field("message")),
        (json!({ "text": "x" }), field("text")),
        (json!([]), None),
    ] {
        assert_eq!(ask(&number, body.clone()).await, (400, expected), "{body}");
    }
    assert_eq!(ask(&number, json!({ "message": "ä".repeat(4000) })).await.0, 200);
    let other = rig.job().await.to_string();
    assert_eq!(ask(&other, json!({ "message": "ä".repeat(3999) })).await.0, 200);
}

#[tokio::test]
async fn keys_are_made_listed_and_revoked() {
    let rig = Rig::with(ApiAccess::Keys).await;
    let (_, key) = rig
        .key(&[Scope::KeysWrite, Scope::JobsRead, Scope::AuditRead])
        .await;
    let body = json!({ "name": "page", "scopes": ["jobs:read"], "expiresAt": "2027-01-31T12:00:00Z" });
    let response = rig
        .send(Ask {
            method: "POST",
            path: "/api/v1/keys",
            headers: vec![("authorization", key.clone())],
            body: Some(body),
            from: None,
        })
        .await;
    assert_eq!(response.headers()["cache-control"], "no-store");
    let (status, made) = read(response).await;
    assert_eq!(status, 201, "{made}");
    let id = made["id"].as_str().unwrap();
    assert_eq!(
        (&made["name"], &made["scopes"], &made["expiresAt"], &made["state"]),
        (
            &json!("page"),
            &json!(["jobs:read"]),
            &json!("2027-01-31T12:00:00Z"),
            &json!("live")
        )
    );
    let page = format!("Bearer {}", made["key"].as_str().unwrap());
    assert_eq!(rig.ask("GET", "/api/v1/jobs", &page, None).await.0, 200);
    let (_, ring) = rig.ask("GET", "/api/v1/keys", &key, None).await;
    assert_eq!(ring["keys"].as_array().unwrap().len(), 2);
    assert!(
        !ring
            .to_string()
            .contains(made["key"].as_str().unwrap().rsplit('_').next().unwrap())
    );
    let path = format!("/api/v1/keys/{id}");
    let (status, revoked) = rig.ask("DELETE", &path, &key, None).await;
    assert_eq!((status, &revoked["state"]), (200, &json!("revoked")));
    let (status, refused) = rig.ask("GET", "/api/v1/jobs", &page, None).await;
    assert_eq!(status, 401);
    assert!(refused["error"]["message"].as_str().unwrap().contains("revoked"));
    assert_eq!(rig.ask("DELETE", &path, &key, None).await.0, 200);
    assert_eq!(rig.ask("DELETE", "/api/v1/keys/unknown", &key, None).await.0, 404);
    let (_, audit) = rig.ask("GET", "/api/v1/audit?limit=2", &key, None).await;
    assert_eq!(audit["entries"][0]["status"], 404);
    let cursor = &audit["next"];
    let (_, rest) = rig
        .ask("GET", &format!("/api/v1/audit?cursor={cursor}"), &key, None)
        .await;
    let told: Vec<_> = rest["entries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (row["method"].as_str().unwrap(), row["target"].as_str().unwrap()))
        .collect();
    assert_eq!(told, [("DELETE", id), ("POST", id)]);
}

#[tokio::test]
async fn a_key_that_cannot_be_made_is_explained() {
    let rig = Rig::with(ApiAccess::Keys).await;
    let (_, key) = rig.key(&[Scope::KeysWrite]).await;
    for (body, status, field, part) in [
        (json!({}), 400, "scopes", "at least one scope"),
        (json!({ "scopes": [] }), 400, "scopes", "at least one scope"),
        (json!({ "scopes": "keys:read" }), 400, "scopes", "list of scopes"),
        (json!({ "scopes": [1] }), 400, "scopes", "list of scopes"),
        (
            json!({ "scopes": ["jobs:delete"] }),
            400,
            "scopes",
            "the scopes are jobs:read, jobs:write",
        ),
        (
            json!({ "scopes": ["jobs:read"] }),
            403,
            "scopes",
            "lacks the scope jobs:read",
        ),
        (
            json!({ "scopes": ["keys:read"], "name": "" }),
            400,
            "name",
            "1 to 64",
        ),
        (
            json!({ "scopes": ["keys:read"], "expiresAt": "90d" }),
            400,
            "expiresAt",
            "2027-01-31",
        ),
        (
            json!({ "scopes": ["keys:read"], "expiresAt": "2026-11-27T12:00:00Z" }),
            400,
            "expiresAt",
            "future",
        ),
        (
            json!({ "scopes": ["keys:read"], "expires": 1 }),
            400,
            "expires",
            "not a field",
        ),
    ] {
        let (got, answer) = rig.ask("POST", "/api/v1/keys", &key, Some(body)).await;
        assert_eq!(
            (got, &answer["error"]["field"]),
            (status, &json!(field)),
            "{answer}"
        );
        assert!(
            answer["error"]["message"].as_str().unwrap().contains(part),
            "{answer}"
        );
    }
    assert_eq!(rig.keys.list().await.unwrap().len(), 1);
}

#[tokio::test]
async fn an_event_stream_ends_when_its_key_is_revoked() {
    let rig = Rig::with(ApiAccess::Keys).await;
    let (id, key) = rig.key(&[Scope::JobsRead]).await;
    let ask = Ask {
        method: "GET",
        path: "/api/v1/jobs/events",
        headers: vec![("authorization", key)],
        ..Ask::default()
    };
    let response = rig.send(ask).await;
    assert_eq!(response.status(), StatusCode::OK);
    let mut body = response.into_body();
    let first = body.frame().await.unwrap().unwrap();
    assert!(first.into_data().unwrap().starts_with(b"event: jobs"));
    rig.keys.revoke(&id, None).await.unwrap();
    assert!(body.frame().await.is_none());
}

#[tokio::test]
async fn local_mode_wants_json_and_keeps_a_record() {
    let rig = Rig::with(ApiAccess::Local).await;
    let number = rig.job().await;
    let path = format!("/api/v1/jobs/{number}/complete");
    for kind in [
        None,
        Some("text/plain"),
        Some("application/x-www-form-urlencoded"),
    ] {
        let ask = Ask {
            method: "POST",
            path: &path,
            headers: kind
                .map(|kind| ("content-type", kind.to_owned()))
                .into_iter()
                .collect(),
            ..Ask::default()
        };
        assert_eq!(rig.send(ask).await.status(), 415, "{kind:?}");
    }
    assert!(rig.notices().await.is_empty());
    assert_eq!(rig.ask("POST", &path, "", Some(json!({}))).await.0, 200);
    let (_, audit) = rig.ask("GET", "/api/v1/audit", "", None).await;
    let row = &audit["entries"][0];
    assert_eq!(audit["entries"].as_array().unwrap().len(), 1);
    assert_eq!(
        (&row["keyId"], &row["target"], &row["status"]),
        (&json!("local"), &json!(number.to_string()), &json!(200))
    );
}

#[tokio::test]
async fn nothing_is_done_that_can_not_be_put_on_record() {
    let rig = Rig::with(ApiAccess::Keys).await;
    let (_, key) = rig.key(&[Scope::JobsWrite]).await;
    let number = rig.job().await;
    rig.database
        .write(|tx| tx.execute("ALTER TABLE api_audit RENAME TO gone", &[]))
        .await
        .unwrap();
    let path = format!("/api/v1/jobs/{number}/complete");
    assert_eq!(rig.ask("POST", &path, &key, Some(json!({}))).await.0, 500);
    assert!(rig.notices().await.is_empty());
}

#[tokio::test]
async fn other_methods_are_answered_with_405() {
    let rig = Rig::with(ApiAccess::Keys).await;
    for path in [
        "/api/v1/jobs",
        "/api/v1/jobs/1/complete",
        "/api/v1/keys",
        "/api/v1/keys/1",
        "/api/v1/audit",
        "/api/v1/server",
        "/api/v1/deliveries",
        "/api/v1/deliveries/events",
        "/api/v1/deliveries/summary",
        "/api/v1/deliveries/1",
        "/api/v1/deliveries/1/cancel",
        "/api/v1/deliveries/1/hold",
        "/api/v1/deliveries/1/release",
        "/api/v1/deliveries/1/retry",
        "/api/v1/pauses",
    ] {
        assert_eq!(rig.ask("PATCH", path, "", None).await.0, 405, "{path}");
    }
}
