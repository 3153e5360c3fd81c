//! What `GET /api/v1/deliveries?...` asks for.

use jiff::Timestamp;
use tidings_proactive::{DeliveryFilter, DeliveryId, DeliveryState};

use super::DEFAULT_LIMIT;
use crate::api_body::{bad_argument, check_nul};
use crate::api_error::ApiError;

/// The most deliveries `?limit=` may ask for.
const MAX_LIMIT: usize = 500;
/// Each parameter there is.
const KNOWN: &str = "state, channelId, conversationId, since, until, before and limit";

/// The filter and the limit. A parameter that does not exist would silently show too much, so it is refused.
pub(super) fn filter(query: &str) -> Result<(DeliveryFilter, usize), ApiError> {
    let (mut filter, mut limit) = (DeliveryFilter::default(), DEFAULT_LIMIT);
    for (name, text) in url::form_urlencoded::parse(query.as_bytes()) {
        match &*name {
            "state" => {
                for state in text.split(',').filter(|state| !state.is_empty()) {
                    let state = state_of(state)?;
                    if !filter.states.contains(&state) {
                        filter.states.push(state);
                    }
                }
            }
            "channelId" => {
                check_nul("channelId", &text)?;
                filter.channel_id = Some(text.into_owned());
            }
            "conversationId" => {
                check_nul("conversationId", &text)?;
                filter.conversation_id = Some(text.into_owned());
            }
            "since" => filter.since = Some(time("since", &text)?),
            "until" => filter.until = Some(time("until", &text)?),
            "before" => {
                let id = text.parse().ok().and_then(DeliveryId::from_number);
                filter.before =
                    Some(id.ok_or_else(|| bad_argument("before", "must be the `next` of the page before"))?);
            }
            "limit" => {
                let number = text.parse().ok().filter(|limit| (1..=MAX_LIMIT).contains(limit));
                limit = number.ok_or_else(|| {
                    bad_argument("limit", &format!("must be a whole number from 1 to {MAX_LIMIT}"))
                })?;
            }
            other => {
                let other: String = other.chars().take(100).collect();
                let message = format!("{other:?} is not a parameter of this request, which has {KNOWN}");
                return Err(
                    ApiError::new(http::StatusCode::BAD_REQUEST, "BadArgument", message).field(other),
                );
            }
        }
    }
    Ok((filter, limit))
}

fn state_of(text: &str) -> Result<DeliveryState, ApiError> {
    DeliveryState::from_row(text).ok_or_else(|| {
        let names = DeliveryState::ALL.map(DeliveryState::as_str).join(", ");
        bad_argument(
            "state",
            &format!("must be one or several of {names}, with commas between"),
        )
    })
}

fn time(name: &'static str, text: &str) -> Result<Timestamp, ApiError> {
    text.parse()
        .map_err(|_| bad_argument(name, "must be a time such as 2027-01-31T12:00:00Z"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_parameter_is_read() {
        let query = "state=dead,unknown&state=dead&channelId=msteams&conversationId=19%3Aabc%40thread\
                     &since=2026-11-27T12:00:00Z&until=2026-11-27T13:00:00%2B01:00&before=7&limit=3";
        let (filter, limit) = filter(query).unwrap();
        assert_eq!(filter.states, [DeliveryState::Dead, DeliveryState::Unknown]);
        assert_eq!(filter.channel_id.as_deref(), Some("msteams"));
        assert_eq!(filter.conversation_id.as_deref(), Some("19:abc@thread"));
        assert_eq!(filter.since, filter.until);
        assert_eq!((filter.before, limit), (DeliveryId::from_number(7), 3));
        assert_eq!(super::filter("").unwrap(), (DeliveryFilter::default(), 50));
        assert_eq!(
            super::filter("state=&limit=500").unwrap(),
            (DeliveryFilter::default(), 500)
        );
    }

    #[test]
    fn what_does_not_fit_is_named() {
        for (query, field, part) in [
            ("state=lost", "state", "available, sending, retryable"),
            ("state=Dead", "state", "one or several of"),
            ("since=yesterday", "since", "2027-01-31T12:00:00Z"),
            ("until=", "until", "a time"),
            ("before=0", "before", "`next`"),
            ("before=x", "before", "`next`"),
            ("limit=0", "limit", "from 1 to 500"),
            ("limit=501", "limit", "from 1 to 500"),
            ("channelId=a%00", "channelId", "NUL"),
            ("conversationId=%00", "conversationId", "NUL"),
            ("states=dead", "states", "not a parameter"),
        ] {
            let error = filter(query).unwrap_err();
            assert_eq!(
                (error.status.as_u16(), error.field.as_deref()),
                (400, Some(field)),
                "{query}"
            );
            assert!(error.message.contains(part), "{}", error.message);
        }
    }
}
