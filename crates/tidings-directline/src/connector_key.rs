//! What opens the connector side when there is a Direct Line secret: a key in the path of the bot's
//! `serviceUrl`.
//!
//! Users know the ids of their conversations and reach the same server as the bot, so an id alone would let
//! them speak as the bot. The key is known to nobody but the bot, which gets it with every activity.

use std::sync::Arc;

use aws_lc_rs::hmac;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::Uri;
use http::uri::PathAndQuery;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;
use subtle::ConstantTimeEq as _;
use tidings_activity::Activity;

use crate::refusal::no_such_path;

/// Where the routes that need the key begin.
pub(crate) const PREFIX: &str = "/local";

/// What the key is made for. The same signing key signs tokens, but what is signed there begins with the
/// base64 of a `{`, as this does not: no token's signature is this key.
const LABEL: &[u8] = b"tidings-directline connector key 1";

/// What stands for a key that is not part of a `serviceUrl`.
const CONCEALED: &str = "concealed";

/// 256 bits in 43 letters, digits, `-` and `_`.
#[derive(Debug)]
pub(crate) struct ConnectorKey(SecretString);

impl ConnectorKey {
    /// The key of a channel: it lives as long as the key that signs its tokens, and does not depend on the
    /// Direct Line secret.
    pub(crate) fn derive(signing_key: &[u8]) -> Self {
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, signing_key), LABEL);
        Self(URL_SAFE_NO_PAD.encode(tag).into())
    }

    /// What follows the connector's address in the `serviceUrl`.
    pub(crate) fn path(&self) -> String {
        format!("{PREFIX}/{}", self.0.expose_secret())
    }

    /// Whether this is the key. Takes as long for a wrong one as for the right one.
    fn is(&self, claimed: &str) -> bool {
        self.0.expose_secret().as_bytes().ct_eq(claimed.as_bytes()).into()
    }

    /// The rest of a URI whose path begins with the key.
    fn behind(&self, uri: &Uri) -> Option<Uri> {
        let (claimed, rest) = uri.path().strip_prefix('/')?.split_once('/')?;
        if !self.is(claimed) {
            return None;
        }
        let path_and_query = match uri.query() {
            Some(query) => format!("/{rest}?{query}"),
            None => format!("/{rest}"),
        };
        let mut parts = uri.clone().into_parts();
        parts.path_and_query = Some(PathAndQuery::try_from(path_and_query).ok()?);
        Uri::from_parts(parts).ok()
    }

    /// The activity with `public_url` in the place of `service_url`, and without the key wherever else it is.
    pub(crate) fn conceal(
        &self,
        activity: Activity,
        service_url: &str,
        public_url: &str,
    ) -> serde_json::Result<Activity> {
        let key = self.0.expose_secret();
        if !serde_json::to_string(&activity)?.contains(key) {
            return Ok(activity);
        }
        let clean = |text: &str| text.replace(service_url, public_url).replace(key, CONCEALED);
        serde_json::from_value(map_texts(serde_json::to_value(&activity)?, &clean))
    }
}

/// The middleware before everything that needs the key: takes it off the path, or answers 404 as for any path
/// that names nothing.
pub(crate) async fn admit(
    State(key): State<Arc<ConnectorKey>>,
    mut request: Request,
    next: Next,
) -> Response {
    let Some(uri) = key.behind(request.uri()) else {
        return no_such_path().await.into_response();
    };
    *request.uri_mut() = uri;
    next.run(request).await
}

/// Changes every text of a JSON value, names of fields included. As deep as the value, which no reader of
/// JSON lets grow without bounds.
fn map_texts(value: Value, change: &impl Fn(&str) -> String) -> Value {
    match value {
        Value::String(text) => Value::String(change(&text)),
        Value::Array(values) => values.into_iter().map(|value| map_texts(value, change)).collect(),
        Value::Object(fields) => fields
            .into_iter()
            .map(|(name, value)| (change(&name), map_texts(value, change)))
            .collect(),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn key() -> ConnectorKey {
        ConnectorKey::derive(&[7; 32])
    }

    fn text() -> String {
        key().0.expose_secret().to_owned()
    }

    #[test]
    fn a_key_is_256_bits_for_a_url_and_always_the_same_for_a_signing_key() {
        assert_eq!(text().len(), 43);
        assert!(
            text()
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        );
        assert_ne!(text(), ConnectorKey::derive(&[8; 32]).0.expose_secret());
        // Stored references hold it: it must not change from one version to the next.
        assert_eq!(text(), "AvzhIfLDB3t40PG7G3EQYPOUVS9GB9wlK3K6CpOFyYM");
    }

    #[test]
    fn a_path_begins_with_the_whole_key_or_leads_nowhere() {
        let behind = |uri: String| key().behind(&uri.parse().unwrap()).map(|uri| uri.to_string());
        let text = text();
        assert_eq!(
            behind(format!("/{text}/v3/conversations/c%7C1?a=/b")),
            Some("/v3/conversations/c%7C1?a=/b".to_owned())
        );
        assert_eq!(behind(format!("/{text}/")), Some("/".to_owned()));
        for wrong in [
            format!("/{text}"),
            format!("/{text}?x=/v3/conversations"),
            format!("//{text}/v3/conversations"),
            format!("/{text}A/v3/conversations"),
            format!("/{}/v3/conversations", &text[..42]),
            format!("/{}/v3/conversations", text.to_lowercase()),
            format!("/%{:02X}{}/v3/conversations", text.as_bytes()[0], &text[1..]),
            "/v3/conversations".to_owned(),
            "/".to_owned(),
        ] {
            assert_eq!(behind(wrong.clone()), None, "{wrong}");
        }
    }

    #[test]
    fn the_key_is_not_shown() {
        assert!(!format!("{:?}", key()).contains(&text()));
    }

    #[test]
    fn an_activity_loses_the_key_and_nothing_else() {
        let service_url = format!("http://127.0.0.1:3978{}", key().path());
        let conceal = |json: Value| {
            let activity = serde_json::from_value(json).unwrap();
            let clean = key()
                .conceal(activity, &service_url, "https://chat.example")
                .unwrap();
            serde_json::to_value(clean).unwrap()
        };
        let innocent = json!({ "type": "message", "text": "http://127.0.0.1:3978/local/x", "n": 1.50 });
        assert_eq!(conceal(innocent.clone()), innocent);
        let named = text();
        assert_eq!(
            conceal(json!({
                "type": "event",
                "relatesTo": { "serviceUrl": service_url },
                "value": { "deep": [format!("see {service_url}/v3/attachments/a"), 1.5, null, true] },
                "text": format!("the key is {named}"),
                named: 1,
            })),
            json!({
                "type": "event",
                "relatesTo": { "serviceUrl": "https://chat.example" },
                "value": { "deep": ["see https://chat.example/v3/attachments/a", 1.5, null, true] },
                "text": "the key is concealed",
                "concealed": 1,
            })
        );
    }
}
