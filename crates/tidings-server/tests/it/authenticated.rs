//! The server with an app id: who is let in, and as whom the bot answers.

use std::sync::{Arc, Mutex};

use reqwest::Response;
use serde_json::{Value, json};
use tidings_bot::{Bot, TurnContext};
use tidings_connector::test_idp::{SKYPE_KID, TestIdp, TestKey, TokenDraft};
use tidings_proactive::Jobs;
use tidings_server::{Config, NewKey, Scope};
use tracing::subscriber::DefaultGuard;
use wiremock::matchers::{body_string_contains, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::harness::{Host, bot, channel, message, read};
use crate::raw_http::{exchange, status};

const APP: &str = "11111111-2222-4333-8444-555555555555";
const PARENT: &str = "99999999-8888-4777-8666-555555555555";

/// A bot with an app id, the identity provider whose tokens it takes, one that gives it tokens, and a channel.
struct Rig {
    host: Host,
    idp: TestIdp,
    tokens: MockServer,
    channel: MockServer,
}

/// Gives the token `to-SCOPE` for each scope.
async fn token_endpoint() -> MockServer {
    let server = MockServer::start().await;
    for (scope, token) in [
        ("https%3A%2F%2Fapi.botframework.com%2F.default", "to-channels"),
        (PARENT, "to-parent"),
    ] {
        let answer = json!({ "token_type": "Bearer", "expires_in": 3600, "access_token": token });
        Mock::given(method("POST"))
            .and(path("/botframework.com/oauth2/v2.0/token"))
            .and(body_string_contains(format!("scope={scope}")))
            .respond_with(ResponseTemplate::new(200).set_body_json(answer))
            .mount(&server)
            .await;
    }
    server
}

impl Rig {
    async fn start(bot: impl Bot) -> Self {
        let (idp, tokens, channel) = (TestIdp::start().await, token_endpoint().await, channel(200).await);
        let config = config(&idp, &tokens, &channel);
        Self {
            host: Host::start_with(bot, config).await,
            idp,
            tokens,
            channel,
        }
    }

    fn service_url(&self) -> String {
        self.channel.uri()
    }

    fn activity(&self, text: &str) -> Value {
        message(&self.service_url(), text)
    }

    async fn post(&self, activity: &Value, token: Option<&str>) -> Response {
        let request = self.host.client.post(format!("{}/api/messages", self.host.base));
        let request = match token {
            Some(token) => request.header("authorization", token),
            None => request,
        };
        let request = request.header("content-type", "application/json");
        request.body(activity.to_string()).send().await.unwrap()
    }

    async fn bring(&self, activity: &Value, token: &TokenDraft) -> (u16, Value) {
        let token = format!("Bearer {}", token.mint());
        read(self.post(activity, Some(&token)).await).await
    }

    /// Each text that the channel was sent, with the token that came along.
    async fn sent(&self) -> Vec<(String, String)> {
        let requests = self.channel.received_requests().await.unwrap();
        let sent = requests.iter().map(|request| {
            let activity: Value = serde_json::from_slice(&request.body).unwrap();
            let token = request.headers.get("authorization").unwrap().to_str().unwrap();
            (activity["text"].as_str().unwrap().to_owned(), token.to_owned())
        });
        sent.collect()
    }
}

fn config(idp: &TestIdp, tokens: &MockServer, channel: &MockServer) -> Config {
    let mut cloud = idp.cloud();
    cloud.login_url = format!("{}/botframework.com", tokens.uri());
    Config {
        app_id: Some(APP.to_owned()),
        app_password: Some("sesame".into()),
        allowed_callers: vec![PARENT.to_owned()],
        allowed_service_hosts: vec![channel.uri().replace("http://", "")],
        cloud,
        ..Config::default()
    }
}

/// What the server logs.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    /// What is logged on this thread, on which the server runs too, for as long as the guard lives.
    fn of_this_thread() -> (Self, DefaultGuard) {
        let log = Self::default();
        let lines = log.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .with_writer(move || lines.clone())
            .finish();
        (log, tracing::subscriber::set_default(subscriber))
    }

    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn channels_the_emulator_and_allowed_bots_are_let_in_and_answered_with_a_token_for_them() {
    let rig = Rig::start(bot()).await;
    let url = rig.service_url();
    let good = [
        ("channel", TokenDraft::channel(APP, &url), "to-channels"),
        ("emulator", TokenDraft::emulator(APP), "to-channels"),
        ("emulator v2", TokenDraft::emulator_v2(APP), "to-channels"),
        ("skill", TokenDraft::skill(APP, PARENT), "to-parent"),
        ("skill v2", TokenDraft::skill_v2(APP, PARENT), "to-parent"),
    ];
    for (name, token, _) in &good {
        let (status, body) = rig.bring(&rig.activity(name), token).await;
        assert_eq!((status, body), (200, Value::Null), "{name}");
    }
    let expected: Vec<_> = good
        .iter()
        .map(|(name, _, answered)| (format!("echo {name}"), format!("Bearer {answered}")))
        .collect();
    assert_eq!(rig.sent().await, expected);
    // One token for each audience, however many calls.
    assert_eq!(rig.tokens.received_requests().await.unwrap().len(), 2);
}

#[tokio::test]
async fn nobody_else_is_let_in_and_each_refusal_is_counted_and_logged() {
    let (log, _logging) = Log::of_this_thread();
    let rig = Rig::start(bot()).await;
    let url = rig.service_url();
    let good = || TokenDraft::channel(APP, &url);
    let bearer = |draft: TokenDraft| Some(format!("Bearer {}", draft.mint()));
    let bad = [
        ("missing_header", None),
        ("wrong_scheme", Some(format!("bearer {}", good().mint()))),
        ("malformed_header", Some("Bearer".to_owned())),
        ("malformed_token", Some("Bearer x.y.z".to_owned())),
        ("token_too_long", Some(format!("Bearer {}", "x".repeat(17_000)))),
        ("unsupported_algorithm", bearer(good().unsigned())),
        ("unsupported_algorithm", bearer(good().hs256_with_public_key())),
        ("wrong_audience", bearer(good().claim("aud", PARENT))),
        (
            "wrong_issuer",
            bearer(good().claim("iss", "https://issuer.example")),
        ),
        ("expired", bearer(good().claim("exp", 1_000_000_000))),
        ("not_yet_valid", bearer(good().claim("nbf", 9_000_000_000_u64))),
        (
            "bad_signature",
            bearer(good().tampered("serviceurl", url.to_uppercase())),
        ),
        ("bad_signature", bearer(good().signed_by(TestKey::Rogue))),
        ("not_endorsed", bearer(good().kid(SKYPE_KID))),
        (
            "wrong_service_url",
            bearer(TokenDraft::channel(APP, "https://elsewhere.example/")),
        ),
        ("no_service_url_claim", bearer(good().without("serviceurl"))),
        ("unknown_key", bearer(good().kid("nobody's"))),
        (
            "wrong_app_id",
            bearer(
                TokenDraft::emulator(APP)
                    .claim("appid", PARENT)
                    .claim("aud", PARENT),
            ),
        ),
        ("caller_not_allowed", bearer(TokenDraft::skill(APP, "somebody"))),
    ];
    for (reason, authorization) in &bad {
        let response = rig
            .post(&rig.activity("let me in"), authorization.as_deref())
            .await;
        let asks_for = response.headers().get("www-authenticate").cloned();
        let (status, body) = read(response).await;
        let code = body["error"]["code"]
            .as_str()
            .unwrap_or_else(|| panic!("{reason}: {status} {body}"))
            .to_owned();
        let is_expected = code == *reason || (*reason == "wrong_app_id" && code == "wrong_audience");
        assert!(status == 401 && is_expected, "{reason}: {status} {body}");
        assert_eq!(asks_for.unwrap(), "Bearer", "{reason}");
        if let Some(token) = authorization.as_deref().and_then(|text| text.split(' ').nth(1)) {
            assert!(token.is_empty() || !body.to_string().contains(token), "{reason}");
            assert!(token.is_empty() || !log.text().contains(token), "{reason}");
        }
        let line = log.text().lines().last().unwrap().to_owned();
        assert!(
            line.contains("WARN") && line.contains(&format!("auth.reason=\"{code}\"")),
            "{reason}: {line}"
        );
    }
    assert_eq!(rig.sent().await, []);

    let metrics = rig.host.get("/metrics").await;
    assert_eq!(metrics.status(), 401, "the counts are not for everybody");
    let new = NewKey {
        name: "prometheus".to_owned(),
        scopes: vec![Scope::MetricsRead],
        expires_at: None,
    };
    let key = rig.host.keys.create(new, None).await.unwrap();
    let metrics = rig
        .host
        .client
        .get(format!("{}/metrics", rig.host.base))
        .bearer_auth(secrecy::ExposeSecret::expose_secret(&key.text))
        .send()
        .await
        .unwrap();
    assert_eq!(metrics.status(), 200);
    let metrics = metrics.text().await.unwrap();
    for counted in [
        r#"tidings_auth_refused_total{reason="missing_header"} 1"#,
        r#"tidings_auth_refused_total{reason="bad_signature"} 2"#,
        r#"tidings_auth_refused_total{reason="not_endorsed"} 1"#,
        r#"tidings_auth_accepted_total{caller="channel"} 0"#,
    ] {
        assert!(metrics.contains(counted), "{counted}: {metrics}");
    }
}

#[tokio::test]
async fn two_headers_are_refused() {
    let rig = Rig::start(bot()).await;
    let token = format!("Bearer {}", TokenDraft::channel(APP, &rig.service_url()).mint());
    let request = rig.host.client.post(format!("{}/api/messages", rig.host.base));
    let request = request
        .header("authorization", &token)
        .header("authorization", &token);
    let (status, body) = read(request.body(rig.activity("x").to_string()).send().await.unwrap()).await;
    assert_eq!((status, &body["error"]["code"]), (401, &json!("several_headers")));
}

#[tokio::test]
async fn while_the_keys_cannot_be_had_everybody_is_told_to_come_again() {
    let rig = Rig::start(bot()).await;
    rig.idp.set_down(true);
    let token = TokenDraft::channel(APP, &rig.service_url());
    let authorization = format!("Bearer {}", token.mint());
    let response = rig.post(&rig.activity("x"), Some(&authorization)).await;
    assert_eq!(response.status(), 503);
    let seconds: u64 = response.headers()["retry-after"]
        .to_str()
        .unwrap()
        .parse()
        .unwrap();
    assert!((1..=60).contains(&seconds), "{seconds}");
    assert_eq!(rig.sent().await, []);
}

#[tokio::test]
async fn a_service_url_that_is_not_allowed_gets_no_token() {
    let rig = Rig::start(bot()).await;
    for elsewhere in [
        "http://127.0.0.1:9/",
        "https://169.254.169.254/",
        "https://connector.example/",
    ] {
        let activity = message(elsewhere, "x");
        let (status, body) = rig.bring(&activity, &TokenDraft::channel(APP, elsewhere)).await;
        assert_eq!(status, 403, "{elsewhere}: {body}");
        assert!(
            body.to_string().contains("TIDINGS_ALLOWED_SERVICE_HOSTS"),
            "{body}"
        );
    }
    assert_eq!(rig.tokens.received_requests().await.unwrap().len(), 0);
}

#[tokio::test]
async fn the_wire_does_not_say_who_calls() {
    let callers = tidings_bot::Router::new().otherwise(async |turn: &mut TurnContext| {
        let caller = turn.activity().caller_id.clone().unwrap_or("nobody".to_owned());
        turn.say(caller).await
    });
    let rig = Rig::start(callers).await;
    let url = rig.service_url();
    for token in [
        TokenDraft::channel(APP, &url),
        TokenDraft::skill(APP, PARENT),
        TokenDraft::emulator(APP),
    ] {
        let mut activity = rig.activity("who am I");
        activity["callerId"] = json!("urn:botframework:somebody:else");
        assert_eq!(rig.bring(&activity, &token).await.0, 200);
    }
    let said: Vec<_> = rig.sent().await.into_iter().map(|(text, _)| text).collect();
    assert_eq!(
        said[..2],
        [
            "urn:botframework:azure".to_owned(),
            format!("urn:botframework:aadappid:{PARENT}")
        ]
    );
    assert_eq!(said[2], "nobody");
}

#[tokio::test]
async fn a_notice_after_a_restart_goes_to_a_parent_with_the_parents_token() {
    let rig = Rig::start(bot()).await;
    let (status, _) = rig
        .bring(&rig.activity("run"), &TokenDraft::skill(APP, PARENT))
        .await;
    assert_eq!(status, 200);
    let (status, _) = rig
        .bring(
            &rig.activity("run"),
            &TokenDraft::channel(APP, &rig.service_url()),
        )
        .await;
    assert_eq!(status, 200);
    let again = config(&rig.idp, &rig.tokens, &rig.channel);
    let host = rig.host.restart_with(bot(), again).await;
    let mut changes = host.jobs.watch();
    for (job, notice) in [(1001, "told the parent"), (1002, "told the user")] {
        complete(&host.jobs, job, notice).await;
    }
    let rig = Rig { host, ..rig };
    loop {
        let sent = rig.sent().await;
        if sent.len() >= 4 {
            assert!(
                sent.contains(&("told the parent".to_owned(), "Bearer to-parent".to_owned())),
                "{sent:?}"
            );
            assert!(
                sent.contains(&("told the user".to_owned(), "Bearer to-channels".to_owned())),
                "{sent:?}"
            );
            break;
        }
        tokio::time::timeout(crate::harness::PATIENCE, changes.changed())
            .await
            .expect("a notice did not leave")
            .unwrap();
    }
}

async fn complete(jobs: &Jobs, number: u64, notice: &str) {
    let number = number.to_string().parse().unwrap();
    jobs.complete(number, notice).await.unwrap();
}

#[tokio::test]
async fn without_an_app_id_a_skill_of_the_emulator_is_known_and_not_verified() {
    let who = tidings_bot::Router::new().otherwise(async |turn: &mut TurnContext| {
        let identity = turn.identity();
        let says = format!("{:?} {}", identity.claim("appid"), identity.is_verified());
        turn.say(says).await
    });
    let (host, channel) = (Host::start(who).await, Arc::new(channel(200).await));
    let mut activity = message(&channel.uri(), "x");
    activity["channelId"] = json!("emulator");
    activity["recipient"]["role"] = json!("skill");
    assert_eq!(host.post(&activity).await.status(), 200);
    let requests = channel.received_requests().await.unwrap();
    let said: Value = serde_json::from_slice(&requests[0].body).unwrap();
    assert_eq!(said["text"], r#"Some("AnonymousSkill") false"#);
}

/// Direct Line as a client with this secret calls it.
async fn direct_line(
    host: &Host,
    secret: Option<&str>,
    verb: reqwest::Method,
    path: &str,
    body: Value,
) -> (u16, Value) {
    let request = host
        .client
        .request(verb, format!("{}/v3/directline{path}", host.base));
    let request = match secret {
        Some(secret) => request.bearer_auth(secret),
        None => request,
    };
    let request = request
        .header("content-type", "application/json")
        .body(body.to_string());
    read(request.send().await.unwrap()).await
}

#[tokio::test]
async fn the_local_channel_is_off_unless_asked_for_and_then_needs_its_secret_and_no_token() {
    let rig = Rig::start(bot()).await;
    let (status, _) = direct_line(
        &rig.host,
        None,
        reqwest::Method::POST,
        "/conversations",
        json!({}),
    )
    .await;
    assert_eq!(status, 404);
    rig.host.stop().await;

    let config = Config {
        local_channel: Some(true),
        direct_line_secret: Some("open sesame".into()),
        ..config(&rig.idp, &rig.tokens, &rig.channel)
    };
    let host = Host::start_with(bot(), config).await;
    for stranger in [None, Some("open barley")] {
        let (status, _) = direct_line(
            &host,
            stranger,
            reqwest::Method::POST,
            "/conversations",
            json!({}),
        )
        .await;
        assert!(status == 401 || status == 403, "{status}");
    }
    let secret = Some("open sesame");
    let (status, started) =
        direct_line(&host, secret, reqwest::Method::POST, "/conversations", json!({})).await;
    assert_eq!(status, 201, "{started}");
    let conversation = started["conversationId"].as_str().unwrap();
    let activities = format!("/conversations/{conversation}/activities");
    let hello = json!({ "type": "message", "from": { "id": "user" }, "text": "hello" });
    let (status, _) = direct_line(&host, secret, reqwest::Method::POST, &activities, hello).await;
    assert_eq!(status, 200);
    let (_, said) = direct_line(&host, secret, reqwest::Method::GET, &activities, Value::Null).await;
    let texts: Vec<_> = said["activities"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["text"])
        .collect();
    assert_eq!(texts, ["hello", "echo hello"]);
    // The bot's side is not open to who only knows the conversation.
    let spoof = host
        .client
        .post(format!(
            "{}/v3/conversations/{conversation}/activities",
            host.base
        ))
        .header("content-type", "application/json")
        .body(json!({ "type": "message", "text": "I am the bot" }).to_string());
    assert_eq!(spoof.send().await.unwrap().status(), 404);
    assert_eq!(
        rig.tokens.received_requests().await.unwrap().len(),
        0,
        "no token left this process"
    );
}

#[tokio::test]
async fn a_token_of_a_megabyte_is_refused_before_it_is_read_logged_and_counted() {
    let (log, _logging) = Log::of_this_thread();
    let rig = Rig::start(bot()).await;
    let request = format!(
        "POST /api/messages HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nAuthorization: Bearer {}\r\n\r\n{{}}",
        "x".repeat(1024 * 1024)
    );
    let answer = exchange(&rig.host, request.as_bytes()).await;
    // The answer may be lost when the server closes before everything was sent.
    assert!(answer.is_empty() || status(&answer) == 431, "{answer}");
    let new = NewKey {
        name: "prometheus".to_owned(),
        scopes: vec![Scope::MetricsRead],
        expires_at: None,
    };
    let key = rig.host.keys.create(new, None).await.unwrap();
    let metrics = rig
        .host
        .client
        .get(format!("{}/metrics", rig.host.base))
        .bearer_auth(secrecy::ExposeSecret::expose_secret(&key.text));
    let metrics = metrics.send().await.unwrap().text().await.unwrap();
    assert!(
        metrics.contains("tidings_http_heads_refused_total 1"),
        "{metrics}"
    );
    let text = log.text();
    assert!(
        text.contains("its head is too large") && !text.contains("xxxx"),
        "{text}"
    );
    assert_eq!(rig.host.get("/healthz").await.status(), 200);
}
