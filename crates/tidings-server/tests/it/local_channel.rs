//! The flow of the guide over Direct Line: two users in two conversations, a proactive message, a restart.

use serde_json::{Value, json};
use tidings_bot::{Capture, Router, TurnContext};
use tidings_proactive::{JobNumber, Jobs};

use crate::harness::{Host, PATIENCE, bot, read};

fn guide() -> Router {
    bot().message(
        "done {job}",
        async |turn: &mut TurnContext, jobs: Jobs, Capture(job): Capture<JobNumber>| {
            jobs.complete(job, format!("{job} is complete")).await?;
            turn.say(format!("completing {job}")).await
        },
    )
}

struct Window {
    user: Value,
    token: String,
    conversation: String,
}

impl Window {
    async fn open(host: &Host, user: &str) -> Self {
        let user = json!({ "id": user, "name": user });
        let generate = host
            .client
            .post(format!("{}/v3/directline/tokens/generate", host.base));
        let generate = generate
            .header("content-type", "application/json")
            .body(json!({ "user": user }).to_string());
        let (status, body) = read(generate.send().await.unwrap()).await;
        assert_eq!(status, 200, "{body}");
        let start = host
            .client
            .post(format!("{}/v3/directline/conversations", host.base));
        let start = start.bearer_auth(body["token"].as_str().unwrap());
        let (status, body) = read(start.send().await.unwrap()).await;
        assert_eq!(status, 201, "{body}");
        let text = |name: &str| body[name].as_str().unwrap().to_owned();
        Self {
            user,
            token: text("token"),
            conversation: text("conversationId"),
        }
    }

    fn activities(&self, host: &Host) -> String {
        format!(
            "{}/v3/directline/conversations/{}/activities",
            host.base, self.conversation
        )
    }

    async fn say(&self, host: &Host, text: &str) {
        let activity = json!({ "type": "message", "text": text, "from": self.user });
        let post = host.client.post(self.activities(host)).bearer_auth(&self.token);
        let post = post
            .header("content-type", "application/json")
            .body(activity.to_string());
        let (status, body) = read(post.send().await.unwrap()).await;
        assert_eq!(status, 200, "{body}");
    }

    async fn history(&self, host: &Host) -> Vec<String> {
        let get = host.client.get(self.activities(host)).bearer_auth(&self.token);
        let (status, body) = read(get.send().await.unwrap()).await;
        assert_eq!(status, 200, "{body}");
        let texts = body["activities"].as_array().unwrap().iter();
        texts
            .filter(|activity| activity["type"] == "message")
            .map(|a| a["text"].as_str().unwrap().to_owned())
            .collect()
    }
}

async fn until_delivered(host: &Host) {
    let mut changes = host.jobs.watch();
    let delivered = async {
        while read(host.get("/api/v1/jobs").await).await.1["jobs"][0]["notice"] != json!("delivered") {
            changes.changed().await.unwrap();
        }
    };
    tokio::time::timeout(PATIENCE, delivered)
        .await
        .expect("the notice was never delivered");
}

#[tokio::test]
async fn the_creator_is_told_and_a_restart_forgets_nothing() {
    let host = Host::start(guide()).await;
    let creator = Window::open(&host, "dl_ana").await;
    let system = Window::open(&host, "dl_job-system").await;
    creator.say(&host, "run").await;
    let job = host.jobs.page(1).await.unwrap().jobs[0].number;
    assert_eq!(
        creator.history(&host).await,
        ["run".to_owned(), format!("started {job}")]
    );
    system.say(&host, &format!("done {job}")).await;
    until_delivered(&host).await;
    let told = [
        "run".to_owned(),
        format!("started {job}"),
        format!("{job} is complete"),
    ];
    assert_eq!(creator.history(&host).await, told);
    assert_eq!(
        system.history(&host).await,
        [format!("done {job}"), format!("completing {job}")]
    );

    let host = host.restart(guide()).await;
    assert_eq!(creator.history(&host).await, told);
    creator.say(&host, "hello").await;
    assert_eq!(creator.history(&host).await.last().unwrap(), "echo hello");
    let (_, log) = read(host.get("/api/v1/jobs").await).await;
    assert_eq!(
        (&log["total"], &log["jobs"][0]["state"]),
        (&json!(1), &json!("complete"))
    );
}

#[tokio::test]
async fn who_completes_her_own_job_is_told_too() {
    let host = Host::start(guide()).await;
    let window = Window::open(&host, "dl_ana").await;
    window.say(&host, "run").await;
    let job = host.jobs.page(1).await.unwrap().jobs[0].number;
    window.say(&host, &format!("done {job}")).await;
    until_delivered(&host).await;
    let history = window.history(&host).await;
    assert_eq!(
        history[2..],
        [
            format!("done {job}"),
            format!("completing {job}"),
            format!("{job} is complete")
        ]
    );
}

#[tokio::test]
async fn what_was_said_is_updated_and_deleted_by_deliveries() {
    let host = Host::start(guide()).await;
    let window = Window::open(&host, "dl_ana").await;
    window.say(&host, "run").await;
    window.say(&host, "hello").await;
    let get = host
        .client
        .get(window.activities(&host))
        .bearer_auth(&window.token);
    let (_, said) = read(get.send().await.unwrap()).await;
    let id = |place: usize| said["activities"][place]["id"].clone();
    let owe = async |mut body: Value| {
        body["conversationId"] = json!(window.conversation);
        let post = host.client.post(format!("{}/api/v1/deliveries", host.base));
        let post = post
            .header("content-type", "application/json")
            .body(body.to_string());
        read(post.send().await.unwrap()).await
    };
    for (body, field) in [
        (json!({ "activity": { "type": "trace" } }), "activity.type"),
        (json!({ "handler": "activity.delete", "payload": {} }), "payload"),
    ] {
        let (status, refused) = owe(body).await;
        assert_eq!(
            (status, &refused["error"]["field"]),
            (400, &json!(field)),
            "{refused}"
        );
    }
    let mut changes = host.jobs.watch();
    for (handler, payload) in [
        (
            "activity.update",
            json!({ "type": "message", "id": id(1), "text": "better" }),
        ),
        ("activity.delete", json!({ "id": id(3) })),
    ] {
        let (status, owed) = owe(json!({ "handler": handler, "payload": payload })).await;
        assert_eq!(status, 202, "{owed}");
        let path = format!("/api/v1/deliveries/{}", owed["id"]);
        let delivered = async {
            while read(host.get(&path).await).await.1["state"] != json!("delivered") {
                changes.changed().await.unwrap();
            }
        };
        tokio::time::timeout(PATIENCE, delivered)
            .await
            .expect("it was never delivered");
    }
    assert_eq!(window.history(&host).await, ["run", "hello", "better"]);
}

#[tokio::test]
async fn what_users_upload_cannot_act_as_a_page() {
    let host = Host::start(guide()).await;
    let window = Window::open(&host, "dl_ana").await;
    let upload = format!(
        "{}/v3/directline/conversations/{}/upload?userId=dl_ana",
        host.base, window.conversation
    );
    let upload = host
        .client
        .post(upload)
        .bearer_auth(&window.token)
        .header("content-type", "text/html");
    let upload = upload.header("content-disposition", "attachment; filename=\"page.html\"");
    assert_eq!(
        upload
            .body("<script>alert(1)</script>")
            .send()
            .await
            .unwrap()
            .status(),
        200
    );
    let get = host
        .client
        .get(window.activities(&host))
        .bearer_auth(&window.token);
    let (_, body) = read(get.send().await.unwrap()).await;
    let url = body["activities"][0]["attachments"][0]["contentUrl"]
        .as_str()
        .expect("an attachment")
        .to_owned();
    let response = host.client.get(url).send().await.unwrap();
    assert_eq!(response.status(), 200);
    assert!(
        response.headers()["content-security-policy"]
            .to_str()
            .unwrap()
            .contains("sandbox")
    );
    assert_eq!(response.headers()["x-content-type-options"], "nosniff");
}
