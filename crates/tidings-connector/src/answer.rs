//! What an answer means: a status, a body that may be missing or no JSON, and headers worth keeping.

use std::time::SystemTime;

use http::HeaderMap;
use http::header::LOCATION;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tidings_activity::ResourceResponse;

use crate::retry_after::retry_after;
use crate::transport::Answer;
use crate::{Phase, SendError};

/// So many characters of a connector's words are kept; a gateway's error page is longer than anybody reads.
const LONGEST_MESSAGE: usize = 1_000;
const LONGEST_CODE: usize = 200;

impl Answer {
    /// The answer if it is a 2xx one, else the error it stands for.
    pub(crate) fn accepted(self) -> Result<Self, SendError> {
        if self.status.is_success() {
            return Ok(self);
        }
        let (code, mut message) = error_body(&self.body);
        if self.status.is_redirection() {
            let target = self
                .headers
                .get(LOCATION)
                .map_or("nowhere".into(), |to| String::from_utf8_lossy(to.as_bytes()));
            message = format!(
                "it redirects to {}, which is not followed",
                one_line(&target, 200)
            );
        }
        if message.is_empty() {
            message = self
                .status
                .canonical_reason()
                .unwrap_or("no reason given")
                .to_owned();
        }
        let mut error = SendError::new(Phase::AfterBody, message).with_status(self.status.as_u16(), code);
        error.retry_after = retry_after(&self.headers, SystemTime::now());
        error.operation_id = operation_id(&self.headers).map(|id| one_line(id, LONGEST_CODE));
        Err(error)
    }

    /// The id that the connector gave, else `own` or nothing.
    ///
    /// The status has said that the activity is accepted. Many channels say no more than that, so nothing else that
    /// is wrong with the body makes it an error.
    pub(crate) fn resource(self, own: Option<&str>) -> ResourceResponse {
        let decoded = match &self.fault {
            Some(fault) => Err(fault.to_string()),
            None if is_blank(&self.body) => Ok(ResourceResponse::default()),
            None => serde_json::from_slice::<Option<ResourceResponse>>(&self.body)
                .map(Option::unwrap_or_default)
                .map_err(|error| error.to_string()),
        };
        let mut resource = decoded.unwrap_or_else(|reason| {
            tracing::warn!(
                http.status = self.status.as_u16(),
                reason,
                "the connector accepted the activity, but its answer holds no id that we can read"
            );
            ResourceResponse::default()
        });
        if resource.id.is_empty() {
            own.unwrap_or_default().clone_into(&mut resource.id);
        }
        resource
    }

    /// The body as JSON.
    pub(crate) fn json<T: DeserializeOwned>(&self) -> Result<T, SendError> {
        let reason = match &self.fault {
            Some(fault) => fault.to_string(),
            None => match serde_json::from_slice(&self.body) {
                Ok(value) => return Ok(value),
                Err(_) if is_blank(&self.body) => "its body is empty".to_owned(),
                Err(error) => format!("its body is not the JSON we expect: {error}"),
            },
        };
        Err(self.useless(reason))
    }

    /// The body as JSON, or nothing of it where there is none.
    pub(crate) fn json_or_default<T: DeserializeOwned + Default>(&self) -> Result<T, SendError> {
        if self.fault.is_none() && is_blank(&self.body) {
            return Ok(T::default());
        }
        self.json()
    }

    /// The error for a 2xx answer of no use.
    pub(crate) fn useless(&self, reason: impl Into<String>) -> SendError {
        let mut error = SendError::new(Phase::AfterBody, reason).with_status(self.status.as_u16(), None);
        error.operation_id = operation_id(&self.headers).map(|id| one_line(id, LONGEST_CODE));
        error
    }
}

/// The id by which the connector's operator finds the call.
pub(crate) fn operation_id(headers: &HeaderMap) -> Option<&str> {
    headers.get("x-correlating-operationid")?.to_str().ok()
}

fn is_blank(body: &[u8]) -> bool {
    body.trim_ascii().is_empty()
}

/// Code and message of an error body: `ErrorResponse` of the Connector API, the flat forms that the services around
/// it use, and anything else as text.
fn error_body(body: &[u8]) -> (Option<String>, String) {
    let Ok(Value::Object(body)) = serde_json::from_slice::<Value>(body) else {
        return (None, one_line(&String::from_utf8_lossy(body), LONGEST_MESSAGE));
    };
    let (code, message) = match body.get("error") {
        Some(Value::Object(error)) => {
            let inner = error.get("innerHttpError").and_then(|inner| inner.get("body"));
            let message = text(error.get("message")).or_else(|| inner.map(Value::to_string));
            (text(error.get("code")), message)
        }
        Some(Value::String(error)) => (
            Some(error.clone()),
            text(body.get("error_description")).or_else(|| text(body.get("message"))),
        ),
        _ => (
            text(body.get("code")).or_else(|| text(body.get("errorCode"))),
            text(body.get("message")).or_else(|| text(body.get("Message"))),
        ),
    };
    let message = message.unwrap_or_else(|| {
        if code.is_none() {
            Value::Object(body).to_string()
        } else {
            String::new()
        }
    });
    (
        code.map(|code| one_line(&code, LONGEST_CODE)),
        one_line(&message, LONGEST_MESSAGE),
    )
}

fn text(value: Option<&Value>) -> Option<String> {
    match value? {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// The text on one line, without control characters, at most `limit` characters of it.
pub(crate) fn one_line(text: &str, limit: usize) -> String {
    let mut line = String::new();
    let mut count = 0;
    for word in text
        .split(|c: char| c.is_whitespace() || c.is_control())
        .filter(|word| !word.is_empty())
    {
        if count > 0 {
            line.push(' ');
            count += 1;
        }
        for character in word.chars() {
            if count >= limit {
                line.push('\u{2026}');
                return line;
            }
            line.push(character);
            count += 1;
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(body: &str) -> (Option<String>, String) {
        error_body(body.as_bytes())
    }

    #[test]
    fn reads_the_error_forms_of_connectors() {
        let code = |code: &str, message: &str| (Some(code.to_owned()), message.to_owned());
        assert_eq!(
            parsed(r#"{"error":{"code":"BadSyntax","message":"no"}}"#),
            code("BadSyntax", "no")
        );
        assert_eq!(
            parsed(r#"{"error":{"code":209,"message":"no"}}"#),
            code("209", "no")
        );
        assert_eq!(parsed(r#"{"error":{"code":"X"}}"#), code("X", ""));
        assert_eq!(
            parsed(r#"{"error":{"code":"X","innerHttpError":{"statusCode":400,"body":{"a":1}}}}"#),
            code("X", r#"{"a":1}"#)
        );
        assert_eq!(parsed(r#"{"code":"X","message":"no"}"#), code("X", "no"));
        assert_eq!(parsed(r#"{"errorCode":209,"message":"no"}"#), code("209", "no"));
        assert_eq!(
            parsed(r#"{"error":"invalid_client","error_description":"no"}"#),
            code("invalid_client", "no")
        );
        let words = "Authorization has been denied for this request.";
        assert_eq!(
            parsed(&format!(r#"{{"message":"{words}"}}"#)),
            (None, words.to_owned())
        );
        assert_eq!(
            parsed(&format!(r#"{{"Message":"{words}"}}"#)),
            (None, words.to_owned())
        );
    }

    #[test]
    fn keeps_what_is_no_error_body_as_text() {
        assert_eq!(parsed(""), (None, String::new()));
        assert_eq!(parsed("[1]"), (None, "[1]".to_owned()));
        assert_eq!(parsed(r#"{"a":1}"#), (None, r#"{"a":1}"#.to_owned()));
        assert_eq!(
            parsed("<html>\r\n  <h1>502\u{0}\u{1b}[31m</h1>"),
            (None, "<html> <h1>502 [31m</h1>".to_owned())
        );
        assert_eq!(error_body(b"\xff\xfe").1, "\u{fffd}\u{fffd}");
        assert_eq!(parsed(&"[".repeat(10_000)).1.chars().count(), LONGEST_MESSAGE + 1);
    }

    #[test]
    fn cuts_at_the_limit_and_between_characters() {
        assert_eq!(one_line("\u{e4}\u{e4}\u{e4}", 3), "\u{e4}\u{e4}\u{e4}");
        assert_eq!(one_line("\u{e4}\u{e4}\u{e4}", 2), "\u{e4}\u{e4}\u{2026}");
        assert_eq!(one_line(" a \n b ", 3), "a b");
        assert_eq!(one_line(" a \n b ", 2), "a \u{2026}");
    }
}
