//! What a token endpoint answers when it grants a token.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::HeaderValue;
use serde_json::{Map, Value};

/// No token is believed to live longer.
const LONGEST_LIFE: Duration = Duration::from_secs(24 * 60 * 60);

/// A token, as the header that carries it.
#[derive(Debug, Clone)]
pub(super) struct Grant {
    pub(super) header: HeaderValue,
    /// How long it can be used, counted from when it was asked for.
    pub(super) lifetime: Duration,
}

impl Grant {
    /// Reads the answer. What is wrong with it is said without quoting it.
    pub(super) fn read(body: &[u8], now: SystemTime) -> Result<Self, &'static str> {
        let (token, body) = access_token(body)?;
        let lifetime = seconds(body.get("expires_in"))
            .or_else(|| {
                let end = UNIX_EPOCH.checked_add(seconds(body.get("expires_on"))?)?;
                Some(end.duration_since(now).unwrap_or_default())
            })
            .ok_or("it does not say when the token ends (expires_in, expires_on)")?;
        let mut header = HeaderValue::try_from(format!("Bearer {token}"))
            .map_err(|_| "its access_token cannot stand in a header")?;
        header.set_sensitive(true);
        Ok(Self {
            header,
            lifetime: lifetime.min(LONGEST_LIFE),
        })
    }
}

/// The token itself, and the rest of the answer.
pub(super) fn access_token(body: &[u8]) -> Result<(String, Map<String, Value>), &'static str> {
    let Ok(Value::Object(mut body)) = serde_json::from_slice(body) else {
        return Err("it is not a JSON object");
    };
    if let Some(kind) = body.get("token_type").and_then(Value::as_str)
        && !kind.eq_ignore_ascii_case("bearer")
    {
        return Err("its token_type is not Bearer");
    }
    match body.remove("access_token") {
        Some(Value::String(token)) if !token.is_empty() => Ok((token, body)),
        _ => Err("it has no access_token"),
    }
}

/// A number of seconds, which some endpoints write as text.
fn seconds(value: Option<&Value>) -> Option<Duration> {
    let seconds = match value? {
        Value::Number(number) => number.as_u64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    seconds.map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str) -> Result<(String, u64), &'static str> {
        let now = UNIX_EPOCH + Duration::from_secs(1_000);
        Grant::read(body.as_bytes(), now).map(|grant| {
            let header = grant.header.to_str().expect("text").to_owned();
            assert!(grant.header.is_sensitive());
            (header, grant.lifetime.as_secs())
        })
    }

    #[test]
    fn reads_what_the_endpoints_write() {
        let bearer = |seconds| Ok(("Bearer t".to_owned(), seconds));
        for (body, seconds) in [
            (
                r#"{"token_type":"Bearer","expires_in":3599,"ext_expires_in":9,"access_token":"t"}"#,
                3599,
            ),
            (
                r#"{"access_token":"t","expires_in":"3599","expires_on":"1","token_type":"bearer"}"#,
                3599,
            ),
            (r#"{"access_token":"t","expires_on":"1600","resource":"r"}"#, 600),
            (r#"{"access_token":"t","expires_on":1600}"#, 600),
            (r#"{"access_token":"t","expires_on":900}"#, 0),
            (r#"{"access_token":"t","expires_in":0}"#, 0),
            (r#"{"access_token":"t","expires_in":86399}"#, 86_399),
            (r#"{"access_token":"t","expires_in":86400}"#, 86_400),
            (r#"{"access_token":"t","expires_in":86401}"#, 86_400),
            (
                r#"{"access_token":"t","expires_in":18446744073709551615}"#,
                86_400,
            ),
        ] {
            assert_eq!(read(body), bearer(seconds), "{body}");
        }
    }

    #[test]
    fn what_is_no_token_is_not_quoted() {
        for body in [
            "",
            "[]",
            "\"hush\"",
            "{",
            r#"{"access_token":""}"#,
            r#"{"access_token":["hush"],"expires_in":1}"#,
            r#"{"access_token":"hush"}"#,
            r#"{"access_token":"hush","expires_in":-1}"#,
            r#"{"access_token":"hush","expires_in":"soon"}"#,
            r#"{"access_token":"hush\n","expires_in":1}"#,
            r#"{"access_token":"hush","expires_on":18446744073709551615}"#,
            r#"{"access_token":"hush","expires_in":1,"token_type":"mac"}"#,
        ] {
            let reason = read(body).expect_err(body);
            assert!(!reason.contains("hush"), "{reason}");
        }
    }
}
