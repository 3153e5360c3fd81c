//! Conversation ids, activity ids and watermarks: how they are made and read.

use rand::RngExt as _;
use rand::distr::Alphanumeric;

use crate::refusal::Refusal;

/// 22 letters and digits: 131 random bits, safe in a URL, and never a `|`.
const CONVERSATION_ID_LENGTH: usize = 22;

/// A conversation id that nobody can guess: it is what protects the connector side of a conversation.
pub(crate) fn new_conversation_id() -> String {
    rand::rng()
        .sample_iter(Alphanumeric)
        .take(CONVERSATION_ID_LENGTH)
        .map(char::from)
        .collect()
}

/// An attachment id that nobody can guess: its URL works without a token, since `<img>` cannot send one.
pub(crate) fn new_attachment_id() -> String {
    new_conversation_id()
}

/// `<conversationId>|0000001`: seven digits, more when they no longer suffice.
pub(crate) fn activity_id(conversation: &str, number: i64) -> String {
    format!("{conversation}|{number:07}")
}

/// The number inside an activity id of this conversation; `None` if it is not one of ours.
pub(crate) fn activity_number(conversation: &str, id: &str) -> Option<i64> {
    let digits = id.strip_prefix(conversation)?.strip_prefix('|')?;
    let number = digits.parse().ok()?;
    (activity_id(conversation, number) == id).then_some(number)
}

/// The id of an activity that no history keeps, such as `typing`.
pub(crate) fn passing_activity_id(conversation: &str) -> String {
    format!("{conversation}|{}", uuid::Uuid::new_v4().simple())
}

/// Reads a `watermark` parameter. Opaque to clients; to us the position of the last activity they have.
///
/// Absent, empty, `-`, and what JavaScript makes of nothing (`null`, `undefined`) all mean: from the start.
pub(crate) fn watermark(text: Option<&str>) -> Result<Option<i64>, Refusal> {
    match text {
        None | Some("" | "-" | "null" | "undefined") => Ok(None),
        Some(digits) => digits
            .parse::<u32>()
            .map(|position| Some(i64::from(position)))
            .map_err(|_| Refusal::bad_argument("'watermark' is not one that this server gave")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conversation_ids_differ_and_need_no_escaping() {
        let ids: std::collections::HashSet<_> = (0..1_000).map(|_| new_conversation_id()).collect();
        assert_eq!(ids.len(), 1_000);
        assert!(
            ids.iter()
                .all(|id| id.len() == 22 && id.chars().all(|c| c.is_ascii_alphanumeric()))
        );
    }

    #[test]
    fn an_activity_id_is_seven_digits_after_a_bar() {
        assert_eq!(activity_id("c", 1), "c|0000001");
        assert_eq!(activity_id("c", 12_345_678), "c|12345678");
        assert_eq!(activity_number("c", "c|0000001"), Some(1));
        assert_eq!(activity_number("c", "c|12345678"), Some(12_345_678));
        for foreign in [
            "c|1",
            "c|+000001",
            "d|0000001",
            "c0000001",
            "",
            "c|",
            "c|99999999999999999999",
        ] {
            assert_eq!(activity_number("c", foreign), None, "{foreign}");
        }
    }

    #[test]
    fn a_watermark_is_a_position_or_nothing() {
        assert_eq!(watermark(Some("7")).unwrap(), Some(7));
        for nothing in [None, Some(""), Some("-"), Some("null"), Some("undefined")] {
            assert_eq!(watermark(nothing).unwrap(), None);
        }
        for wrong in ["x", "-1", "1.5", "99999999999"] {
            assert_eq!(watermark(Some(wrong)).unwrap_err().code(), "BadArgument");
        }
    }
}
