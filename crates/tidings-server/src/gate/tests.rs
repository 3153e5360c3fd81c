//! Who passes, who does not, and how often: through the routes that stand behind the gate.

use http::StatusCode;

use super::*;
use crate::api::tests::{Ask, Rig, read};

impl Gate {
    pub(crate) fn for_tests(
        access: ApiAccess,
        keys: Keys,
        audit: Audit,
        ticks: governor::clock::FakeRelativeClock,
    ) -> Self {
        Self::with_ticks(access, keys, audit, Ticks::of(ticks))
    }
}

fn jobs<'a>(headers: Vec<(&'a str, String)>, from: Option<&'a str>) -> Ask<'a> {
    Ask {
        method: "GET",
        path: "/api/v1/jobs",
        headers,
        body: None,
        from,
    }
}

/// A key of the right shape that does not exist.
fn made_up() -> String {
    format!("Bearer tid_{}_{}", "0".repeat(12), "0".repeat(64))
}

#[tokio::test]
async fn both_headers_open_and_what_does_not_is_explained() {
    let rig = Rig::with(ApiAccess::Keys).await;
    let (_, bearer) = rig.key(&[Scope::JobsRead]).await;
    let text = bearer.strip_prefix("Bearer ").unwrap().to_owned();
    for header in [("authorization", bearer.clone()), ("x-api-key", text.clone())] {
        assert_eq!(rig.send(jobs(vec![header], None)).await.status(), StatusCode::OK);
    }
    let wrong = format!(
        "{}{}",
        &bearer[..bearer.len() - 1],
        if bearer.ends_with('0') { '1' } else { '0' }
    );
    let auth = |value: &str| vec![("authorization", value.to_owned())];
    for (headers, status, code, part) in [
        (vec![], 401, "MissingKey", "an API key is needed"),
        (auth("Basic dTpw"), 401, "InvalidKey", "must be Bearer"),
        (auth("Bearer tid_short_1"), 401, "InvalidKey", "tid_<id>_<secret>"),
        (auth(&made_up()), 401, "InvalidKey", "no such API key"),
        (auth(&wrong), 401, "InvalidKey", "no such API key"),
        (
            vec![("authorization", bearer.clone()), ("x-api-key", text.clone())],
            400,
            "BadArgument",
            "send one API key",
        ),
        (
            auth(&format!("{bearer}{}", "0".repeat(200))),
            400,
            "BadArgument",
            "longer than any key",
        ),
    ] {
        let response = rig.send(jobs(headers, None)).await;
        let challenge = response.headers().get(header::WWW_AUTHENTICATE).cloned();
        assert_eq!(challenge.is_some(), status == 401, "{code}");
        let (got, body) = read(response).await;
        assert_eq!(
            (got, body["error"]["code"].as_str().unwrap()),
            (status, code),
            "{body}"
        );
        let message = body["error"]["message"].as_str().unwrap();
        assert!(message.contains(part), "{message}");
        assert!(!message.contains(&text[17..]), "{message}");
    }
}

#[tokio::test]
async fn a_missing_scope_stands_in_the_challenge() {
    let rig = Rig::with(ApiAccess::Keys).await;
    let (_, key) = rig.key(&[Scope::KeysRead]).await;
    let response = rig.send(jobs(vec![("authorization", key)], None)).await;
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
    assert_eq!(
        response.headers()[header::WWW_AUTHENTICATE],
        r#"Bearer realm="tidings", error="insufficient_scope", scope="jobs:read""#
    );
}

#[tokio::test]
async fn a_key_has_its_pace() {
    let rig = Rig::with(ApiAccess::Keys).await;
    let (_, fast) = rig.key(&[Scope::JobsRead]).await;
    let (_, other) = rig.key(&[Scope::JobsRead]).await;
    let ask = |key: &str| rig.send(jobs(vec![("authorization", key.to_owned())], None));
    for number in 0..BURST.get() {
        assert_eq!(ask(&fast).await.status(), StatusCode::OK, "{number}");
    }
    let refused = ask(&fast).await;
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(refused.headers()[header::RETRY_AFTER], "1");
    assert_eq!(ask(&other).await.status(), StatusCode::OK);
    rig.ticks.advance(Duration::from_millis(20));
    assert_eq!(ask(&fast).await.status(), StatusCode::OK);
    assert_eq!(ask(&fast).await.status(), StatusCode::TOO_MANY_REQUESTS);
}

#[tokio::test]
async fn keys_that_do_not_open_are_counted_by_address() {
    let rig = Rig::with(ApiAccess::Keys).await;
    let (_, good) = rig.key(&[Scope::JobsRead]).await;
    let ask =
        |key: &str, from: &'static str| rig.send(jobs(vec![("authorization", key.to_owned())], Some(from)));
    let here = "192.0.2.9:1000";
    for _ in 0..FAILURES_PER_MINUTE.get() {
        assert_eq!(ask(&made_up(), here).await.status(), StatusCode::UNAUTHORIZED);
    }
    let refused = ask(&made_up(), "192.0.2.9:2000").await;
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(refused.headers()[header::RETRY_AFTER], "3");
    // Others, whoever has a key, and whoever tries none are not refused for it.
    assert_eq!(
        ask(&made_up(), "192.0.2.10:1000").await.status(),
        StatusCode::UNAUTHORIZED
    );
    assert_eq!(ask(&good, here).await.status(), StatusCode::OK);
    let none = rig.send(jobs(vec![], Some(here))).await;
    assert_eq!(none.status(), StatusCode::UNAUTHORIZED);
    rig.ticks.advance(Duration::from_secs(3));
    assert_eq!(ask(&made_up(), here).await.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(
        ask(&made_up(), here).await.status(),
        StatusCode::TOO_MANY_REQUESTS
    );
}

#[test]
fn an_ipv6_network_shares_a_bucket() {
    let of = |address: &str| bucket_of(address.parse().unwrap()).to_string();
    assert_eq!(of("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
    assert_eq!(of("::ffff:192.0.2.1"), "192.0.2.1");
    assert_eq!(of("192.0.2.1"), "192.0.2.1");
}
