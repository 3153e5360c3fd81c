//! What `POST /api/v1/deliveries` is given, field by field, so that an error can name the field.

use std::collections::BTreeMap;

use http::StatusCode;
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use tidings_activity::Activity;
use tidings_proactive::UnknownPolicy;

use crate::api_body::{bad_argument, bad_syntax, check_nul};
use crate::api_error::ApiError;

/// The most deliveries of one request.
const MAX_ORDERS: usize = 1000;
/// The longest id of a conversation or channel, and the longest dedupe key, in characters.
const MAX_ID: usize = 512;
/// The longest name of a class or handler, in characters.
const MAX_NAME: usize = 64;
const KNOWN: &str = "conversationId, channelId, activity, handler, payload, class, dedupeKey, notBefore, expiresAt and \
                     policy";

/// Something that is to be owed.
#[derive(Debug)]
pub(crate) struct Order {
    pub(crate) conversation_id: String,
    pub(crate) channel_id: Option<String>,
    pub(crate) content: OrderContent,
    pub(crate) class: Option<String>,
    pub(crate) dedupe_key: Option<String>,
    pub(crate) not_before: Option<Timestamp>,
    pub(crate) expires_at: Option<Timestamp>,
    pub(crate) policy: Option<UnknownPolicy>,
}

#[derive(Debug)]
pub(crate) enum OrderContent {
    Activity(Box<Activity>),
    Handler {
        name: String,
        /// JSON; null where there is none.
        payload: String,
    },
}

/// The orders of a request, and whether it was a list of them.
pub(super) fn read(body: &[u8]) -> Result<(Vec<Order>, bool), ApiError> {
    let mut fields = Fields::of(body).map_err(|error| bad_syntax(format!("the body {error}")))?;
    let Some(list) = fields.0.remove("deliveries") else {
        return Ok((vec![order(fields)?], false));
    };
    if let Some(other) = fields.0.keys().next() {
        return Err(unknown(other, "deliveries alone, or the fields of one delivery"));
    }
    let list: Vec<Box<RawValue>> = serde_json::from_str(list.get())
        .map_err(|_| bad_argument("deliveries", "must be a list of deliveries"))?;
    if list.is_empty() || list.len() > MAX_ORDERS {
        let problem = format!("must have 1 to {MAX_ORDERS} deliveries, it has {}", list.len());
        return Err(bad_argument("deliveries", &problem));
    }
    let orders = list.iter().enumerate().map(|(place, json)| {
        Fields::of(json.get().as_bytes())
            .map_err(|_| bad_argument("deliveries", "must hold JSON objects only"))
            .and_then(order)
            .map_err(|error| within(error, place))
    });
    Ok((orders.collect::<Result<_, _>>()?, true))
}

/// The error of one of many.
pub(super) fn within(mut error: ApiError, place: usize) -> ApiError {
    error.message = format!("deliveries[{place}]: {}", error.message);
    error.field = Some(match error.field {
        Some(field) => format!("deliveries[{place}].{field}"),
        None => format!("deliveries[{place}]"),
    });
    error
}

fn order(mut fields: Fields) -> Result<Order, ApiError> {
    let conversation_id = fields
        .text("conversationId", MAX_ID)?
        .ok_or_else(|| missing("conversationId", "must name the conversation"))?;
    let order = Order {
        conversation_id,
        channel_id: fields.text("channelId", MAX_ID)?,
        content: content(&mut fields)?,
        class: fields.name("class")?,
        dedupe_key: fields.text("dedupeKey", MAX_ID)?,
        not_before: fields.time("notBefore")?,
        expires_at: fields.time("expiresAt")?,
        policy: policy(&mut fields)?,
    };
    match fields.0.keys().next() {
        Some(other) => Err(unknown(other, KNOWN)),
        None => Ok(order),
    }
}

fn content(fields: &mut Fields) -> Result<OrderContent, ApiError> {
    let activity = fields.raw("activity");
    let handler = fields.name("handler")?;
    let payload = fields.raw("payload");
    match (activity, handler) {
        (Some(json), None) => {
            if payload.is_some() {
                return Err(bad_argument(
                    "payload",
                    "belongs to a handler, not to an activity",
                ));
            }
            let activity = Activity::from_slice(json.get().as_bytes())
                .map_err(|error| bad_argument("activity", &format!("cannot be read: {error}")))?;
            Ok(OrderContent::Activity(Box::new(activity)))
        }
        (None, Some(name)) => Ok(OrderContent::Handler {
            name,
            payload: payload.map_or_else(|| "null".to_owned(), |json| json.get().to_owned()),
        }),
        (Some(_), Some(_)) => Err(bad_argument(
            "handler",
            "cannot stand beside an activity; choose one",
        )),
        (None, None) => Err(missing("activity", "or handler must say what is owed")),
    }
}

fn policy(fields: &mut Fields) -> Result<Option<UnknownPolicy>, ApiError> {
    let Some(text) = fields.text("policy", MAX_NAME)? else {
        return Ok(None);
    };
    UnknownPolicy::from_row(&text).map(Some).ok_or_else(|| {
        let names = UnknownPolicy::ALL.map(UnknownPolicy::as_str).join(", ");
        bad_argument("policy", &format!("must be one of {names}"))
    })
}

/// A JSON object that is taken apart; its values stay as they were written.
struct Fields(BTreeMap<String, Box<RawValue>>);

impl Fields {
    fn of(json: &[u8]) -> Result<Self, String> {
        match serde_json::from_slice(json) {
            Ok(fields) => Ok(Self(fields)),
            Err(error) if error.is_data() => Err("must be a JSON object".to_owned()),
            Err(error) => Err(format!("is not JSON: {error}")),
        }
    }

    /// Takes a field out; null counts as not there.
    fn raw(&mut self, field: &str) -> Option<Box<RawValue>> {
        self.0.remove(field).filter(|json| json.get() != "null")
    }

    fn parsed<T: DeserializeOwned>(
        &mut self,
        field: &'static str,
        must: &str,
    ) -> Result<Option<T>, ApiError> {
        self.raw(field)
            .map(|json| serde_json::from_str(json.get()).map_err(|_| bad_argument(field, must)))
            .transpose()
    }

    fn text(&mut self, field: &'static str, most: usize) -> Result<Option<String>, ApiError> {
        let text: Option<String> = self.parsed(field, "must be a string")?;
        match &text {
            Some(text) if text.is_empty() || text.chars().count() > most => {
                Err(bad_argument(field, &format!("must have 1 to {most} characters")))
            }
            Some(filled) => check_nul(field, filled).map(|()| text),
            None => Ok(text),
        }
    }

    /// A word that goes into tables and metrics.
    fn name(&mut self, field: &'static str) -> Result<Option<String>, ApiError> {
        let name = self.text(field, MAX_NAME)?;
        let is_word = |text: &String| {
            text.chars()
                .all(|character| character.is_ascii_alphanumeric() || "-_.:".contains(character))
        };
        match name {
            Some(name) if !is_word(&name) => Err(bad_argument(
                field,
                "may have letters, digits, '-', '_', '.' and ':' only",
            )),
            name => Ok(name),
        }
    }

    fn time(&mut self, field: &'static str) -> Result<Option<Timestamp>, ApiError> {
        let must = "must be a time such as 2027-01-31T12:00:00Z";
        let text: Option<String> = self.parsed(field, must)?;
        text.map(|text| text.parse().map_err(|_| bad_argument(field, must)))
            .transpose()
    }
}

fn missing(field: &'static str, must: &str) -> ApiError {
    ApiError::new(
        StatusCode::BAD_REQUEST,
        "MissingProperty",
        format!("{field} {must}"),
    )
    .field(field)
}

fn unknown(field: &str, known: &str) -> ApiError {
    let field: String = field.chars().take(100).collect();
    let message = format!("{field:?} is not a field of this request, which has {known}");
    ApiError::new(StatusCode::BAD_REQUEST, "BadArgument", message).field(field)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_order_is_read_as_it_was_written() {
        let body = r#"{"conversationId":"c","channelId":"msteams","class":"alert","dedupeKey":"k 1",
            "activity":{"type":"message","text":"hi","zebra":1,"apple":{"b":1,"a":2}},
            "notBefore":"2027-01-31T12:00:00Z","expiresAt":"2027-01-31T13:00:00+01:00","policy":"at_most_once"}"#;
        let (mut orders, many) = read(body.as_bytes()).unwrap();
        let order = orders.remove(0);
        assert!(!many);
        assert_eq!(
            (order.conversation_id.as_str(), order.channel_id.as_deref()),
            ("c", Some("msteams"))
        );
        assert_eq!(
            (order.class.as_deref(), order.dedupe_key.as_deref()),
            (Some("alert"), Some("k 1"))
        );
        assert_eq!(order.policy, Some(UnknownPolicy::AtMostOnce));
        assert_eq!(order.not_before, order.expires_at);
        let OrderContent::Activity(activity) = order.content else {
            panic!("an activity was given");
        };
        assert_eq!(
            serde_json::to_string(&activity).unwrap(),
            r#"{"type":"message","text":"hi","zebra":1,"apple":{"b":1,"a":2}}"#
        );
        let (orders, many) = read(
            br#"{"deliveries":[{"conversationId":"c","handler":"price-dropped","payload":{"b":1,"a":2}}]}"#,
        )
        .unwrap();
        assert!(many);
        let OrderContent::Handler { name, payload } = &orders[0].content else {
            panic!("a handler was given");
        };
        assert_eq!(
            (name.as_str(), payload.as_str()),
            ("price-dropped", r#"{"b":1,"a":2}"#)
        );
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let activity = json!({ "type": "message", "text": "hi" });
        let with = |field: &str, value: serde_json::Value| {
            let mut order = json!({ "conversationId": "c", "activity": activity });
            order[field] = value;
            order
        };
        for (order, field, part) in [
            (json!({}), "conversationId", "name the conversation"),
            (json!({ "conversationId": "c" }), "activity", "or handler"),
            (with("conversationId", json!("")), "conversationId", "1 to 512"),
            (with("conversationId", json!(7)), "conversationId", "string"),
            (with("conversationId", json!("a\0")), "conversationId", "NUL"),
            (with("channelId", json!("x".repeat(513))), "channelId", "1 to 512"),
            (with("activity", json!(7)), "activity", "cannot be read"),
            (with("handler", json!("h")), "handler", "choose one"),
            (with("payload", json!(1)), "payload", "belongs to a handler"),
            (with("class", json!("a b")), "class", "letters, digits"),
            (with("class", json!("x".repeat(65))), "class", "1 to 64"),
            (with("dedupeKey", json!("")), "dedupeKey", "1 to 512"),
            (with("notBefore", json!("soon")), "notBefore", "2027-01-31"),
            (with("expiresAt", json!(5)), "expiresAt", "2027-01-31"),
            (
                with("policy", json!("twice")),
                "policy",
                "at_least_once, at_most_once, reconcile",
            ),
            (with("text", json!("hi")), "text", "not a field"),
        ] {
            let error = read(order.to_string().as_bytes()).unwrap_err();
            assert_eq!(
                (error.status.as_u16(), error.field.as_deref()),
                (400, Some(field)),
                "{order}"
            );
            assert!(error.message.contains(part), "{}", error.message);
            let many = json!({ "deliveries": [with("class", json!("ok")), order] });
            let error = read(many.to_string().as_bytes()).unwrap_err();
            let field = format!("deliveries[1].{field}");
            assert_eq!(error.field, Some(field), "{order}");
        }
    }

    #[test]
    fn a_list_is_bounded() {
        let of = |count: usize| {
            let one = json!({ "conversationId": "c", "handler": "h" });
            json!({ "deliveries": vec![one; count] }).to_string()
        };
        assert_eq!(read(of(1_000).as_bytes()).unwrap().0.len(), 1_000);
        for count in [0, 1_001] {
            let error = read(of(count).as_bytes()).unwrap_err();
            assert_eq!(error.field.as_deref(), Some("deliveries"));
            assert!(
                error.message.contains(&format!("it has {count}")),
                "{}",
                error.message
            );
        }
        for body in [
            "[]",
            "{",
            "7",
            r#"{"deliveries":1}"#,
            r#"{"deliveries":[1]}"#,
            r#"{"deliveries":[],"a":1}"#,
        ] {
            assert_eq!(read(body.as_bytes()).unwrap_err().status.as_u16(), 400, "{body}");
        }
    }
}
